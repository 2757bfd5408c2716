//! Which epoll instances may contain which.
//!
//! Owns: the graph of instances, whose edges are added under one mutex.   Not here: items that are not instances.
//! Invariant: no instance can reach itself. No event passes more than [`MAX_NESTS`] instances on its way up from one
//! that contains its file: notifications and scans recurse no deeper.
//!
//! Removing an edge needs no mutex, because it only makes the graph smaller.
//! Why: decision 0001.
//! Source: Linux 6.1 fs/eventpoll.c, `ep_loop_check` (as of 6.1.147, which counts the paths up, too) and
//! `reverse_path_check_proc`.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use ostd::sync::{Mutex, MutexGuard, SpinLock};
use rules::abi::errno::Errno;
use rules::machine::fallible;

use super::{Epoll, as_epoll};
use crate::core::file::description::OpenFile;
use crate::core::file::traits::File;

/// `EP_MAX_NESTS`.
const MAX_NESTS: usize = 4;

/// How many paths up of each length a file may have: Linux's `path_limits`. Paths of length 0, to instances that no
/// other contains, are not limited.
const PATH_LIMITS: [usize; MAX_NESTS + 1] = [usize::MAX, 500, 100, 50, 10];

static GRAPH: Mutex<()> = Mutex::new(());

/// The locked graph, to which edges may be added.
pub(super) struct Graph(#[expect(dead_code, reason = "held, not used")] MutexGuard<'static, ()>);

/// The instances that contain one instance; an instance with two such items is listed twice.
pub(super) struct Outer(SpinLock<Vec<Weak<Epoll>>>);

impl Outer {
    pub(super) const fn new() -> Self {
        Self(SpinLock::new(Vec::new()))
    }

    pub(super) fn is_watched(&self) -> bool {
        !self.0.lock().is_empty()
    }

    pub(super) fn add(&self, outer: &Weak<Epoll>) -> Result<(), Errno> {
        fallible::push(&mut self.0.lock(), outer.clone())
    }

    pub(super) fn remove(&self, outer: &Epoll) {
        let mut all = self.0.lock();
        let position = all.iter().position(|known| known.ptr_eq(&outer.me));
        let removed = position.map(|position| all.swap_remove(position));
        drop(all);
        drop(removed);
    }

    fn all(&self) -> Result<Vec<Arc<Epoll>>, Errno> {
        let all = fallible::collect(self.0.lock().iter().cloned())?;
        fallible::collect(all.iter().filter_map(Weak::upgrade))
    }
}

impl Graph {
    pub(super) fn lock() -> Self {
        Self(GRAPH.lock())
    }

    /// Checks that `inner` may become an item of `outer`.
    ///
    /// # Errors
    /// `ELOOP`: `inner` contains `outer`, or the chain through both would be too long.
    pub(super) fn check_nesting(&self, outer: &Epoll, inner: &Epoll) -> Result<(), Errno> {
        let mut walk = Walk { forbidden: outer, depths: Vec::new(), check_file: |_| Ok(()) };
        let below = walk.descend(inner)?;
        let length = below + 1 + height(outer, &mut Vec::new())?;
        if length > MAX_NESTS { Err(Errno::ELOOP) } else { Ok(()) }
    }

    /// Checks the paths up from `target`, or from every file in it if it is the instance `inner`.
    ///
    /// # Errors
    /// `EINVAL`: they would be too long or too many.
    pub(super) fn check_paths(&self, inner: Option<&Epoll>, target: &OpenFile) -> Result<(), Errno> {
        match inner {
            None => count_paths(target),
            Some(inner) => {
                let mut walk = Walk { forbidden: inner, depths: Vec::new(), check_file: count_paths };
                walk.descend(inner).map(|_| ())
            }
        }
    }
}

/// A walk from an instance down to everything it contains.
struct Walk<'a> {
    /// The instance that the walk must not meet.
    forbidden: &'a Epoll,
    depths: Depths,
    /// The check for files that are not instances.
    check_file: fn(&OpenFile) -> Result<(), Errno>,
}

/// For each visited instance, how many others are below, or above, it in the longest chain.
type Depths = Vec<(*const Epoll, usize)>;

fn known(depths: &Depths, epoll: &Epoll) -> Option<usize> {
    depths.iter().find(|(seen, _)| core::ptr::eq(*seen, epoll)).map(|(_, depth)| *depth)
}

impl Walk<'_> {
    /// Returns the length of the longest chain of instances in `epoll`. No chain is longer than [`MAX_NESTS`], so the
    /// recursion is not deeper than that and one.
    fn descend(&mut self, epoll: &Epoll) -> Result<usize, Errno> {
        if let Some(depth) = known(&self.depths, epoll) {
            return Ok(depth);
        }
        let (mut depth, mut from) = (0, 0);
        // One item at a time: there may be very many, and each is visited without the lock.
        while let Some((next, file, description)) = item_from(epoll, from) {
            from = next;
            let Some(inner) = as_epoll(&*file) else {
                description.upgrade().map_or(Ok(()), |file| (self.check_file)(&file))?;
                continue;
            };
            if core::ptr::eq(inner, self.forbidden) {
                return Err(Errno::ELOOP);
            }
            depth = depth.max(self.descend(inner)? + 1);
        }
        fallible::push(&mut self.depths, (epoll, depth))?;
        Ok(depth)
    }
}

/// Returns the length of the longest chain of instances above `epoll`.
fn height(epoll: &Epoll, heights: &mut Depths) -> Result<usize, Errno> {
    if let Some(height) = known(heights, epoll) {
        return Ok(height);
    }
    let mut most = 0;
    for outer in &epoll.outer.all()? {
        most = most.max(height(outer, heights)? + 1);
    }
    fallible::push(heights, (epoll, most))?;
    Ok(most)
}

fn item_from(epoll: &Epoll, from: usize) -> Option<(usize, Arc<dyn File>, Weak<OpenFile>)> {
    let table = epoll.interest.lock();
    let (next, item) = table.next(from)?;
    Some((next, item.file.file().clone(), item.file.description.clone()))
}

/// Counts the paths up from a file.
fn count_paths(file: &OpenFile) -> Result<(), Errno> {
    let mut counts = [0; PATH_LIMITS.len()];
    let mut direct = Vec::new();
    for observer in file.observers()? {
        let any: Arc<dyn core::any::Any + Send + Sync> = observer;
        if let Ok(epoll) = any.downcast::<Epoll>() {
            let items = epoll.interest.lock().numbers_of(file.id()).count();
            fallible::reserve(&mut direct, items)?;
            direct.extend(core::iter::repeat_n(epoll, items));
        }
    }
    ascend(&direct, 0, &mut counts)
}

fn ascend(epolls: &[Arc<Epoll>], depth: usize, counts: &mut [usize; PATH_LIMITS.len()]) -> Result<(), Errno> {
    if depth > MAX_NESTS {
        return Err(Errno::EINVAL);
    }
    for epoll in epolls {
        let outer = epoll.outer.all()?;
        if !outer.is_empty() {
            ascend(&outer, depth + 1, counts)?;
            continue;
        }
        counts[depth] += 1;
        if counts[depth] > PATH_LIMITS[depth] {
            return Err(Errno::EINVAL);
        }
    }
    Ok(())
}
