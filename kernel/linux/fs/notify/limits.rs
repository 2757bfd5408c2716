//! How many instances, watches and events a user may have: `/proc/sys/fs/inotify`.
//!
//! Owns: the limits, and the counts of each user.
//! Source: inotify(7); Linux 6.1 fs/notify/inotify/inotify_user.c (`inotify_user_setup`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::machine::fallible;

use crate::machine::memory::budget;
use crate::machine::memory::layout::PAGE_SIZE;

/// A limit that root may change. A number alone, so the atomic needs no ordering.
pub(crate) struct Limit(AtomicUsize);

/// `max_queued_events`: of an instance, as it was when that was made.
pub(crate) static QUEUED_EVENTS: Limit = Limit(AtomicUsize::new(16384));
/// `max_user_instances`.
pub(crate) static INSTANCES: Limit = Limit(AtomicUsize::new(128));
/// `max_user_watches`.
pub(crate) static WATCHES: Limit = Limit(AtomicUsize::new(DEFAULT_WATCHES));

/// Stands for as many watches as take a hundredth of memory.
const DEFAULT_WATCHES: usize = usize::MAX;

impl Limit {
    /// Returns the limit.
    pub(crate) fn get(&self) -> usize {
        /// The bytes that Linux counts for a watch with its inodes.
        const COST: usize = 1280;
        match self.0.load(Ordering::Relaxed) {
            DEFAULT_WATCHES => (budget::total() / 100 / COST).clamp(8192, 1 << 20),
            limit => limit,
        }
    }

    /// Sets the limit.
    pub(crate) fn set(&self, limit: u32) {
        self.0.store(limit as usize, Ordering::Relaxed);
    }
}

/// What a user has.
pub(super) struct User {
    uid: u32,
    instances: AtomicU32,
    watches: AtomicU32,
}

/// The users that have an instance.
static USERS: SpinLock<Vec<Arc<User>>> = SpinLock::new(Vec::new());

impl User {
    /// Counts an instance of `uid`.
    ///
    /// # Errors
    /// `EMFILE`: the user has too many. `ENOMEM`.
    pub(super) fn charge_instance(uid: u32) -> Result<Arc<Self>, Errno> {
        let mut users = USERS.lock();
        let user = match users.iter().find(|user| user.uid == uid) {
            Some(user) => user.clone(),
            None => {
                let _grant = budget::grant(PAGE_SIZE)?;
                fallible::reserve(&mut *users, 1)?;
                let none = || AtomicU32::new(0);
                let user = Arc::new(Self { uid, instances: none(), watches: none() });
                users.push(user.clone());
                user
            }
        };
        charge(&user.instances, &INSTANCES).ok_or(Errno::EMFILE)?;
        Ok(user)
    }

    /// Counts an instance less, and forgets a user that has none.
    pub(super) fn refund_instance(&self) {
        let mut users = USERS.lock();
        self.instances.fetch_sub(1, Ordering::Relaxed);
        let unused =
            users.iter().position(|user| user.uid == self.uid && user.instances.load(Ordering::Relaxed) == 0);
        let forgotten = unused.map(|at| users.swap_remove(at));
        drop(users);
        drop(forgotten);
    }

    /// Counts a watch.
    ///
    /// # Errors
    /// `ENOSPC`: the user has too many.
    pub(super) fn charge_watch(&self) -> Result<(), Errno> {
        charge(&self.watches, &WATCHES).ok_or(Errno::ENOSPC)
    }

    /// Counts a watch less.
    pub(super) fn refund_watch(&self) {
        self.watches.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Adds one to `count`; `None`: it has reached the limit.
fn charge(count: &AtomicU32, limit: &Limit) -> Option<()> {
    let most = limit.get();
    let more = |count: u32| if (count as usize) < most { count.checked_add(1) } else { None };
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| ())
}
