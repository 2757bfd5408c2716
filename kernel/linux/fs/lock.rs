//! flock(2) locks: applies [`rules::linux::lock`] to each locked file.
//!
//! Owns: the table from files to locks.   Not here: waiting, `LOCK_NB` (`syscall/flock`).
//! Invariant: a lock is in the table as long as a file holds it or waits for it.
//! Locks: the table's, then a lock's state.
//! Source: flock(2).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::task::Poll;

use ostd::sync::SpinLock;
use pollee::{Events, Readiness};
use rules::abi::errno::Errno;
use rules::linux::lock::LockMode;

use super::tmpfs::inode::Inode;
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::description::{DescriptionId, OpenFile};
use crate::core::file::release::ReleaseObserver;

/// The flock(2) lock of one file.
pub(crate) struct FileLock {
    key: FlockKey,
    state: event::Locked<FlockState>,
}

/// Device of the file system, and inode number.
type FlockKey = (u64, u64);

struct FlockState(rules::linux::lock::FileLock<DescriptionId>);

impl Readiness for FlockState {
    /// Writable: an exclusive lock is available. Readable: a shared one is.
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::WRITABLE, self.0.is_free());
        events.set(Events::READABLE, self.0.is_shareable());
        events
    }
}

static LOCKS: SpinLock<BTreeMap<FlockKey, Arc<FileLock>>> = SpinLock::new(BTreeMap::new());

/// Returns the lock of `inode`. The caller calls [`FileLock::forget_unused`] when it is done.
pub(crate) fn of(inode: &Inode) -> Arc<FileLock> {
    let key = (u64::from(inode.superblock().device().encode()), inode.number());
    let new = || {
        let state = event::Locked::new(Class::FileLock, FlockState(rules::linux::lock::FileLock::new()));
        Arc::new(FileLock { key, state })
    };
    LOCKS.lock().entry(key).or_insert_with(new).clone()
}

impl FileLock {
    /// Takes the lock for `file`; `Pending` if a conflicting lock is held.
    ///
    /// # Errors
    /// `ENOMEM`: the lock was not taken, because its release on close could not be registered.
    pub(crate) fn acquire(self: &Arc<Self>, file: &OpenFile, mode: LockMode) -> Poll<Result<(), Errno>> {
        let observer: Arc<dyn ReleaseObserver> = self.clone();
        file.observe(&observer)?;
        if self.state.lock().0.acquire(file.id(), mode) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Returns what to watch until the lock may be available, and for which events.
    pub(crate) fn watch(&self, mode: LockMode) -> (&event::Pollable, Events) {
        (&self.state, if mode == LockMode::Exclusive { Events::WRITABLE } else { Events::READABLE })
    }

    /// Releases the lock that an open file holds.
    pub(crate) fn release_from(&self, file: DescriptionId) {
        self.state.lock().0.release(file);
    }

    /// Removes the lock from the table if nothing but the caller refers to it.
    pub(crate) fn forget_unused(&self) {
        /// The table's and the caller's. Others come only from [`of`], under the table's lock.
        const REFERENCES: usize = 2;
        let mut locks = LOCKS.lock();
        let is_known = locks.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) > REFERENCES);
        let lock = if !is_known && self.state.read().0.is_free() { locks.remove(&self.key) } else { None };
        drop(locks);
        drop(lock);
    }
}

impl ReleaseObserver for FileLock {
    fn released(&self, description: DescriptionId) {
        self.release_from(description);
        self.forget_unused();
    }
}
