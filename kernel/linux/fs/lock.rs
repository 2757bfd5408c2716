//! The locks of files that flock(2) takes: the rule of [`rules::linux::lock`] for each file that somebody locks.
//!
//! Owns: the table from files to locks.   Not here: waiting, `LOCK_NB` (`syscall/flock`).
//! Invariant: a lock is in the table as long as somebody holds it or waits for it.
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

/// The lock of one file.
pub(crate) struct FileLock {
    key: Key,
    state: event::Locked<State>,
}

/// File system and inode.
type Key = (u64, u64);

struct State(rules::linux::lock::FileLock<DescriptionId>);

impl Readiness for State {
    /// Writable: to be had alone. Readable: to be shared.
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::WRITABLE, self.0.is_free());
        events.set(Events::READABLE, self.0.is_shareable());
        events
    }
}

static LOCKS: SpinLock<BTreeMap<Key, Arc<FileLock>>> = SpinLock::new(BTreeMap::new());

/// The lock of `inode`, to be followed by [`FileLock::forget_unused`].
pub(crate) fn of(inode: &Inode) -> Arc<FileLock> {
    let key = (u64::from(inode.superblock().device().encode()), inode.number());
    let new = || {
        let state = event::Locked::new(Class::FileLock, State(rules::linux::lock::FileLock::new()));
        Arc::new(FileLock { key, state })
    };
    LOCKS.lock().entry(key).or_insert_with(new).clone()
}

impl FileLock {
    /// Lets `file` have the lock; `Pending` if others are in the way.
    ///
    /// # Errors
    /// `ENOMEM`: nobody would hear when the file is closed; it has no lock.
    pub(crate) fn acquire(self: &Arc<Self>, file: &OpenFile, mode: LockMode) -> Poll<Result<(), Errno>> {
        let observer: Arc<dyn ReleaseObserver> = self.clone();
        file.observe(&observer)?;
        if self.state.lock().0.acquire(file.id(), mode) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// What to watch, and for what, until the lock may be had.
    pub(crate) fn watch(&self, mode: LockMode) -> (&event::Pollable, Events) {
        (&self.state, if mode == LockMode::Exclusive { Events::WRITABLE } else { Events::READABLE })
    }

    /// Takes the lock from an open file.
    pub(crate) fn release_from(&self, file: DescriptionId) {
        self.state.lock().0.release(file);
    }

    /// Takes the lock out of the table, if only the caller knows it still.
    pub(crate) fn forget_unused(&self) {
        /// The table's, and the caller's. More come from [`of`] alone, under the table's lock.
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
