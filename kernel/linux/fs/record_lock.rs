//! Record locks: the rules of [`rules::linux::record_lock`] for each file that has some.
//!
//! Owns: the table from files to their locks, who waits for whom, release on close.
//! Not here: the wait itself (`syscall/record_lock`).
//! Invariant: a file is in the table as long as somebody holds or wants a lock of it.
//! Locks: the table's, then a file's state. `WAITS` is a leaf.
//! Source: fcntl_locking(2); Linux 6.1 fs/locks.c (`fcntl_setlk`, `posix_locks_deadlock`, `locks_remove_posix`).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::Poll;

use ostd::sync::SpinLock;
use pollee::{Events, Readiness};
use rules::abi::errno::Errno;
use rules::linux::lock::LockMode;
use rules::linux::record_lock::{LockRange, RecordLock, RecordLocks};

use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::description::{DescriptionId, OpenFile};
use crate::core::file::release::ReleaseObserver;
use crate::core::file::table::{CloseObserver, FdTable, TableId};

/// Who holds record locks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    /// Those who share a descriptor table.
    Table(TableId),
    /// An open file description.
    Description(DescriptionId),
}

/// An owner, with the process that F_GETLK names; -1 for a description.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) owner: Owner,
    pub(crate) process: i32,
}

impl PartialEq for Holder {
    fn eq(&self, other: &Self) -> bool {
        self.owner == other.owner
    }
}

impl Eq for Holder {}

/// File system and inode.
type Key = (u64, u64);

/// The record locks of one file.
pub(crate) struct FileLocks {
    key: Key,
    state: event::Locked<State>,
}

struct State(RecordLocks<Holder>);

impl Readiness for State {
    /// Whether a lock can be had depends on who asks: waiters are told of every release, and look.
    fn readiness(&self) -> Events {
        Events::empty()
    }
}

static FILES: SpinLock<BTreeMap<Key, Arc<FileLocks>>> = SpinLock::new(BTreeMap::new());

/// Which owner waits for which; by process only, as Linux finds deadlocks of processes only.
static WAITS: SpinLock<Vec<(Owner, Owner)>> = SpinLock::new(Vec::new());

/// The locks of `file`, to be followed by [`FileLocks::forget_unused`].
pub(crate) fn of(file: &OpenFile) -> Arc<FileLocks> {
    let key = key(file);
    let new = || {
        let state = event::Locked::new(Class::FileLock, State(RecordLocks::new()));
        Arc::new(FileLocks { key, state })
    };
    FILES.lock().entry(key).or_insert_with(new).clone()
}

fn key(file: &OpenFile) -> Key {
    let stat = file.stat();
    (stat.device, stat.inode)
}

impl FileLocks {
    /// The lock that keeps `holder` from having `bytes`.
    pub(crate) fn in_the_way(
        &self,
        holder: Holder,
        mode: LockMode,
        bytes: LockRange,
    ) -> Option<RecordLock<Holder>> {
        self.state.read().0.in_the_way(holder, mode, bytes)
    }

    /// Lets `holder` have `bytes`; `Pending` if others are in the way.
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
        // What it held alone before may be shared now.
        self.tell();
        Poll::Ready(result)
    }

    /// Takes `bytes` from `holder`.
    ///
    /// # Errors
    /// `ENOMEM`: nothing changed.
    pub(crate) fn release(&self, holder: Holder, bytes: LockRange) -> Result<(), Errno> {
        self.state.lock().0.release(holder, bytes)?;
        self.tell();
        Ok(())
    }

    /// What to watch for [`Events::WRITABLE`] while others are in the way.
    pub(crate) fn watch(&self) -> &event::Pollable {
        &self.state
    }

    /// Takes the file out of the table, if only the caller knows it still.
    pub(crate) fn forget_unused(&self) {
        /// The table's, and the caller's. More come from [`of`] alone, under the table's lock.
        const REFERENCES: usize = 2;
        let mut files = FILES.lock();
        let is_known = files.get(&self.key).is_some_and(|locks| Arc::strong_count(locks) > REFERENCES);
        let locks = if !is_known && self.state.read().0.is_empty() { files.remove(&self.key) } else { None };
        drop(files);
        drop(locks);
    }

    fn release_all(&self, owner: Owner) {
        if self.state.lock().0.release_all(Holder { owner, process: 0 }) {
            self.tell();
        }
    }

    /// Tells waiters of a change. With no lock held: a waiter that registered before it looks either sees the
    /// change or is seen here.
    fn tell(&self) {
        self.state.notify(Events::WRITABLE);
    }
}

impl ReleaseObserver for FileLocks {
    fn released(&self, description: DescriptionId) {
        self.release_all(Owner::Description(description));
        self.forget_unused();
    }
}

/// That an owner waits for another; until it is dropped.
pub(crate) struct Waiting(Owner);

impl Waiting {
    /// Nobody is waited for yet.
    pub(crate) const fn new(owner: Owner) -> Self {
        Self(owner)
    }

    /// Waits for `blocker` now.
    ///
    /// # Errors
    /// `EDEADLK`: the blocker waits for this owner, itself or through others. `ENOMEM`.
    pub(crate) fn blame(&mut self, blocker: Owner) -> Result<(), Errno> {
        let mut waits = WAITS.lock();
        waits.retain(|(waiter, _)| *waiter != self.0);
        // Each step leaves one pair behind, so the walk ends even if the owners' threads wait in circles.
        let mut next = Some(blocker);
        for _ in 0..=waits.len() {
            if next == Some(self.0) {
                return Err(Errno::EDEADLK);
            }
            next = next.and_then(|next| waits.iter().find(|(waiter, _)| *waiter == next)).map(|pair| pair.1);
        }
        waits.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        waits.push((self.0, blocker));
        Ok(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITS.lock().retain(|(waiter, _)| *waiter != self.0);
    }
}

/// The record locks of a table of descriptors. Those of a file go with the first descriptor of the file that is closed,
/// and all of them with the table.
struct TableLocks(TableId);

/// The owner of the record locks that a process with the table `files` takes, as it is about to take one.
pub(crate) fn owner_of(files: &FdTable) -> Owner {
    let id = files.id();
    files.observe_closes(|| Box::new(TableLocks(id)));
    Owner::Table(id)
}

impl TableLocks {
    fn give_up(&self, locks: &FileLocks) {
        locks.release_all(Owner::Table(self.0));
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
        let files: Vec<_> = FILES.lock().values().cloned().collect();
        files.iter().for_each(|locks| self.give_up(locks));
    }
}
