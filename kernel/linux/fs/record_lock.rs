//! Record locks: applies [`rules::linux::record_lock`] to each file that has some.
//!
//! Owns: the table from files to their locks, which owner waits for which, release on close.
//! Not here: the wait itself (`syscall/record_lock`).
//! Invariant: a file is in the table as long as an owner holds or wants a lock of it.
//! Locks: the table's, then a file's state. `WAITS` is a leaf.
//! Source: fcntl_locking(2); Linux 6.1 fs/locks.c (`fcntl_setlk`, `posix_locks_deadlock`, `locks_remove_posix`).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;
use core::task::Poll;

use ostd::sync::SpinLock;
use pollee::{Events, Readiness};
use rules::abi::errno::Errno;
use rules::linux::lock::LockMode;
use rules::linux::record_lock::{LockRange, RecordLock, RecordLocks};
use rules::machine::fallible;

use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::description::{DescriptionId, OpenFile};
use crate::core::file::release::ReleaseObserver;
use crate::core::file::table::{CloseObserver, FdTable, TableId};

/// The owner of record locks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RecordLockOwner {
    /// The processes or threads that share a descriptor table.
    Table(TableId),
    /// An open file description.
    Description(DescriptionId),
}

/// An owner, and the process ID that F_GETLK reports; -1 for an open file description.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) owner: RecordLockOwner,
    pub(crate) process: i32,
}

impl PartialEq for Holder {
    fn eq(&self, other: &Self) -> bool {
        self.owner == other.owner
    }
}

impl Eq for Holder {}

/// Device of the file system, and inode number.
type RecordLockKey = (u64, u64);

/// The record locks of one file.
pub(crate) struct FileLocks {
    key: RecordLockKey,
    state: event::Locked<RecordLockState>,
}

struct RecordLockState(RecordLocks<Holder>);

impl Readiness for RecordLockState {
    /// Empty: whether a lock is available depends on the waiter. Waiters are notified of every release and try again.
    fn readiness(&self) -> Events {
        Events::empty()
    }
}

static FILES: SpinLock<BTreeMap<RecordLockKey, Arc<FileLocks>>> = SpinLock::new(BTreeMap::new());

/// Which owner waits for which. Only processes are in it, because Linux detects deadlocks only between processes.
static WAITS: SpinLock<Vec<(RecordLockOwner, RecordLockOwner)>> = SpinLock::new(Vec::new());

/// Returns the locks of `file`. The caller calls [`FileLocks::forget_unused`] when it is done.
pub(crate) fn of(file: &OpenFile) -> Arc<FileLocks> {
    let key = key(file);
    let new = || {
        let state = event::Locked::new(Class::FileLock, RecordLockState(RecordLocks::new()));
        Arc::new(FileLocks { key, state })
    };
    FILES.lock().entry(key).or_insert_with(new).clone()
}

fn key(file: &OpenFile) -> RecordLockKey {
    let stat = file.stat();
    (stat.device, stat.inode)
}

impl FileLocks {
    /// Returns a lock that conflicts with `holder` locking `bytes`.
    pub(crate) fn in_the_way(
        &self,
        holder: Holder,
        mode: LockMode,
        bytes: LockRange,
    ) -> Option<RecordLock<Holder>> {
        self.state.read().0.in_the_way(holder, mode, bytes)
    }

    /// Locks `bytes` for `holder`; `Pending` if a conflicting lock is held.
    ///
    /// # Errors
    /// `ENOMEM`: nothing changed.
    pub(crate) fn acquire(
        &self,
        holder: Holder,
        mode: LockMode,
        bytes: LockRange,
    ) -> Poll<Result<(), Errno>> {
        let result = {
            let mut state = self.state.lock();
            if state.0.in_the_way(holder, mode, bytes).is_some() {
                return Poll::Pending;
            }
            state.0.acquire(holder, mode, bytes)
        };
        // An exclusive lock may have become a shared one, which others can take now.
        self.notify();
        Poll::Ready(result)
    }

    /// Releases `bytes` from `holder`'s locks.
    ///
    /// # Errors
    /// `ENOMEM`: nothing changed.
    pub(crate) fn release(&self, holder: Holder, bytes: LockRange) -> Result<(), Errno> {
        self.state.lock().0.release(holder, bytes)?;
        self.notify();
        Ok(())
    }

    /// Returns what to watch for [`Events::WRITABLE`] while a conflicting lock is held.
    pub(crate) fn watch(&self) -> &event::Pollable {
        &self.state
    }

    /// Removes the file from the table if nothing but the caller refers to it.
    pub(crate) fn forget_unused(&self) {
        /// The table's and the caller's. Others come only from [`of`], under the table's lock.
        const REFERENCES: usize = 2;
        let mut files = FILES.lock();
        let is_known = files.get(&self.key).is_some_and(|locks| Arc::strong_count(locks) > REFERENCES);
        let locks = if !is_known && self.state.read().0.is_empty() { files.remove(&self.key) } else { None };
        drop(files);
        drop(locks);
    }

    fn release_all(&self, owner: RecordLockOwner) {
        if self.state.lock().0.release_all(Holder { owner, process: 0 }) {
            self.notify();
        }
    }

    /// Notifies waiters of a change. Called without a lock: a waiter that registers before it checks either sees the
    /// change or is seen here.
    fn notify(&self) {
        self.state.notify(Events::WRITABLE);
    }
}

impl ReleaseObserver for FileLocks {
    fn released(&self, description: DescriptionId) {
        self.release_all(RecordLockOwner::Description(description));
        self.forget_unused();
    }
}

/// A record in `WAITS` that an owner waits for another; dropping it removes the record.
pub(crate) struct Waiting(RecordLockOwner);

impl Waiting {
    /// Makes a record for `owner`, which waits for no other yet.
    pub(crate) const fn new(owner: RecordLockOwner) -> Self {
        Self(owner)
    }

    /// Records that the owner waits for `blocker`.
    ///
    /// # Errors
    /// `EDEADLK`: the blocker waits for this owner, directly or through others. `ENOMEM`. Nothing was recorded.
    pub(crate) fn wait_for(&mut self, blocker: RecordLockOwner) -> Result<(), Errno> {
        let mut waits = WAITS.lock();
        waits.retain(|(waiter, _)| *waiter != self.0);
        // Each step consumes one pair, so the walk ends even if threads of the owners wait in a cycle.
        let mut next = Some(blocker);
        for _ in 0..=waits.len() {
            if next == Some(self.0) {
                return Err(Errno::EDEADLK);
            }
            next = next.and_then(|next| waits.iter().find(|(waiter, _)| *waiter == next)).map(|pair| pair.1);
        }
        fallible::push(&mut waits, (self.0, blocker))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITS.lock().retain(|(waiter, _)| *waiter != self.0);
    }
}

/// Releases the record locks of a descriptor table: those on a file when the first descriptor of the file is closed,
/// and all when the table is dropped.
struct TableLocks(TableId);

/// Returns the owner of record locks for the processes that use the table `files`, which is about to take one.
pub(crate) fn owner_of(files: &FdTable) -> RecordLockOwner {
    let id = files.id();
    files.observe_closes(|| Box::new(TableLocks(id)));
    RecordLockOwner::Table(id)
}

impl TableLocks {
    fn give_up(&self, locks: &FileLocks) {
        locks.release_all(RecordLockOwner::Table(self.0));
        locks.forget_unused();
    }
}

impl CloseObserver for TableLocks {
    fn closed(&self, file: &OpenFile) {
        let locks = FILES.lock().get(&key(file)).cloned();
        locks.into_iter().for_each(|locks| self.give_up(&locks));
    }
}

impl Drop for TableLocks {
    fn drop(&mut self) {
        let mut next = None;
        // One at a time: a list of them would need memory in order to give memory back.
        loop {
            let from = next.map_or(Bound::Unbounded, Bound::Excluded);
            let found =
                FILES.lock().range((from, Bound::Unbounded)).next().map(|(key, locks)| (*key, locks.clone()));
            let Some((key, locks)) = found else { return };
            self.give_up(&locks);
            next = Some(key);
        }
    }
}
