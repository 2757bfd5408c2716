//! Which epoll instance may be an item of which.
//!
//! Owns: the graph of instances, whose edges are added under one mutex.   Not here: items that are not instances.
//! Invariant: no instance can reach itself. No file's event passes more than [`MAX_NESTS`] instances on its way
//! up from one that contains it: announcements of events, and scans that ask, recurse no deeper.
//!
//! Removing an edge needs no mutex: it only makes the graph smaller.
//! Why: decision 0001.
//! Source: Linux 6.1 fs/eventpoll.c, `ep_loop_check` (as of 6.1.147, which counts the ways up, too) and
//! `reverse_path_check_proc`.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use ostd::sync::{Mutex, MutexGuard, SpinLock};
use rules::abi::errno::Errno;

use super::{Epoll, as_epoll};
use crate::core::file::description::OpenFile;
use crate::core::file::traits::File;

/// `EP_MAX_NESTS`.
const MAX_NESTS: usize = 4;

/// How many ways up of each length a file may have; Linux's `path_limits`. Those of length 0, to instances
/// that are nobody's item, may be as many as there are.
const PATH_LIMITS: [usize; MAX_NESTS + 1] = [usize::MAX, 500, 100, 50, 10];

static GRAPH: Mutex<()> = Mutex::new(());

/// The right to add edges.
pub(super) struct Graph(#[expect(dead_code, reason = "held, not used")] MutexGuard<'static, ()>);

/// The instances of which one instance is an item; one that has it twice, as two items, is here twice.
pub(super) struct Outer(SpinLock<Vec<Weak<Epoll>>>);

impl Outer {
    pub(super) const fn new() -> Self {
        Self(SpinLock::new(Vec::new()))
    }

    pub(super) fn is_watched(&self) -> bool {
        !self.0.lock().is_empty()
    }

    pub(super) fn add(&self, outer: &Weak<Epoll>) {
        self.0.lock().push(outer.clone());
    }

    pub(super) fn remove(&self, outer: &Epoll) {
        let mut all = self.0.lock();
        let position = all.iter().position(|known| known.ptr_eq(&outer.me));
        let removed = position.map(|position| all.swap_remove(position));
        drop(all);
        drop(removed);
    }

    fn all(&self) -> Vec<Arc<Epoll>> {
        let all = self.0.lock().clone();
        all.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Graph {
    pub(super) fn lock() -> Self {
        Self(GRAPH.lock())
    }

    /// Checks that `inner` may become an item of `outer`.
    ///
    /// # Errors
    /// `ELOOP`: `outer` is in `inner` already, or the chain through both would be too long.
    pub(super) fn check_nesting(&self, outer: &Epoll, inner: &Epoll) -> Result<(), Errno> {
        let mut walk = Walk { forbidden: outer, depths: Vec::new(), check_file: |_| Ok(()) };
        let below = walk.descend(inner)?;
        let length = below + 1 + height(outer, &mut Vec::new());
        if length > MAX_NESTS { Err(Errno::ELOOP) } else { Ok(()) }
    }

    /// Checks the ways up from `target`, or from every file in it if it is the instance `inner`.
    ///
    /// # Errors
    /// `EINVAL`: they are too long or too many.
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

/// A walk down from an instance to all that it contains.
struct Walk<'a> {
    /// The instance that must not be met.
    forbidden: &'a Epoll,
    depths: Depths,
    /// What is demanded of the files that are not instances.
    check_file: fn(&OpenFile) -> Result<(), Errno>,
}

/// For each instance seen, how many others can be below, or above, each other from there on.
type Depths = Vec<(*const Epoll, usize)>;

fn known(depths: &Depths, epoll: &Epoll) -> Option<usize> {
    depths.iter().find(|(seen, _)| core::ptr::eq(*seen, epoll)).map(|(_, depth)| *depth)
}

impl Walk<'_> {
    /// How many instances are below each other in `epoll`. Recurses no deeper than [`MAX_NESTS`] and one, for no
    /// chain is longer.
    fn descend(&mut self, epoll: &Epoll) -> Result<usize, Errno> {
        if let Some(depth) = known(&self.depths, epoll) {
            return Ok(depth);
        }
        let (mut depth, mut from) = (0, 0);
        // One item at a time: there may be very many, and each is looked at without the lock.
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
        self.depths.push((epoll, depth));
        Ok(depth)
    }
}

/// How many instances are above each other over `epoll`.
fn height(epoll: &Epoll, heights: &mut Depths) -> usize {
    if let Some(height) = known(heights, epoll) {
        return height;
    }
    let above = epoll.outer.all();
    let most = above.iter().map(|outer| height(outer, heights) + 1).max().unwrap_or(0);
    heights.push((epoll, most));
    most
}

fn item_from(epoll: &Epoll, from: usize) -> Option<(usize, Arc<dyn File>, Weak<OpenFile>)> {
    let table = epoll.interest.lock();
    let (next, item) = table.next(from)?;
    Some((next, item.file.file().clone(), item.file.description.clone()))
}

/// Counts the ways up from a file.
fn count_paths(file: &OpenFile) -> Result<(), Errno> {
    let mut counts = [0; PATH_LIMITS.len()];
    let mut direct = Vec::new();
    for observer in file.observers() {
        let any: Arc<dyn core::any::Any + Send + Sync> = observer;
        if let Ok(epoll) = any.downcast::<Epoll>() {
            let items = epoll.interest.lock().numbers_of(file.id()).count();
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
        let outer = epoll.outer.all();
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
