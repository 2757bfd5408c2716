//! The file descriptor table of a process: threads share it, fork(2) copies it.
//!
//! Owns: the lock around the rules of [`rules::core::fd`].   Not here: the value of RLIMIT_NOFILE (the caller has
//! it).
//! Lock: rank 1, shared for lookups. A lookup under [`FdTable::read`] borrows and counts no reference, because
//! select(2) and poll(2) make thousands of them. No file is dropped under the lock, because closing a file can take
//! almost any other lock.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use rules::abi::errno::Errno;
use rules::core::fd::{self, Fd, OnExec};
use rules::machine::fallible;
use spin::Once;

use super::description::OpenFile;
use crate::core::event::rank::{Rank, RankedShared, ReadGuard};

/// The table; threads that share it hold it in an `Arc`.
pub(crate) struct FdTable {
    descriptors: RankedShared<fd::FdTable<Arc<OpenFile>>>,
    id: TableId,
    /// Notified of each closed descriptor.
    observer: Once<Box<dyn CloseObserver>>,
}

/// The identifier of a table, never used again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TableId(u64);

/// What has to know which files lose a descriptor, such as the record locks of a process. Dropped with the table.
pub(crate) trait CloseObserver: Send + Sync {
    /// Called after a descriptor of `file` was closed, without the table's lock.
    fn closed(&self, file: &OpenFile);
}

/// Shared access to a table, for many lookups. Preemption is off while it lives.
pub(crate) type FdTableGuard<'a> = ReadGuard<'a, fd::FdTable<Arc<OpenFile>>>;

/// A reserved descriptor number. Dropped without [`commit`](Self::commit), it is free again.
#[must_use]
pub(crate) struct ReservedFd<'a> {
    table: &'a FdTable,
    fd: Fd,
    /// `None` only once it is committed.
    reserved: Option<fd::Reserved>,
}

/// How many descriptors are closed under one lock, before their files are dropped without it.
const BATCH: usize = 32;

/// Files that end together in falling order; a page has room for them and another batch.
const MOST_ENDING: usize = 480;

impl FdTable {
    /// Makes an empty table.
    pub(crate) fn new() -> Self {
        Self::with(fd::FdTable::new())
    }

    /// Locks the table for lookups with [`get`](fd::FdTable::get), which borrows. Also finds `O_PATH` descriptors.
    #[inline]
    pub(crate) fn read(&self) -> FdTableGuard<'_> {
        self.descriptors.read()
    }

    /// Returns the description of `fd`, for an operation on the file itself.
    ///
    /// # Errors
    /// `EBADF`: not open, or opened with `O_PATH`.
    #[inline]
    pub(crate) fn get(&self, fd: Fd) -> Result<Arc<OpenFile>, Errno> {
        self.get_any(fd).and_then(|file| if file.is_path() { Err(Errno::EBADF) } else { Ok(file) })
    }

    /// Returns the description of `fd`, opened with `O_PATH` or not.
    ///
    /// # Errors
    /// `EBADF`: not open.
    pub(crate) fn get_any(&self, fd: Fd) -> Result<Arc<OpenFile>, Errno> {
        self.descriptors.read().get(fd).cloned().ok_or(Errno::EBADF)
    }

    /// Reserves the lowest free number between `from` and `limit`.
    ///
    /// # Errors
    /// `EMFILE`: no number is free. `ENOMEM`: the table cannot grow.
    pub(crate) fn reserve(&self, from: Fd, limit: u32) -> Result<ReservedFd<'_>, Errno> {
        let reserved = self.descriptors.write().reserve(from, limit)?;
        Ok(ReservedFd { table: self, fd: reserved.fd(), reserved: Some(reserved) })
    }

    /// Opens `file` at the lowest free number below `limit`.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub(crate) fn open(&self, file: Arc<OpenFile>, on_exec: OnExec, limit: u32) -> Result<Fd, Errno> {
        Ok(self.reserve(Fd::new(0), limit)?.commit(file, on_exec))
    }

    /// Makes `to` a duplicate of `from`, and closes what `to` was: dup2(2) of two different numbers.
    ///
    /// # Errors
    /// Nothing changed. `EBADF`: `from` is not open, or `to` is not below `limit`. `EBUSY`: another thread is about
    /// to open `to`. `ENOMEM`: the table cannot grow.
    pub(crate) fn duplicate(&self, from: Fd, to: Fd, limit: u32, on_exec: OnExec) -> Result<(), Errno> {
        let replaced = {
            let mut table = self.descriptors.write();
            let file = table.get(from).cloned().ok_or(Errno::EBADF)?;
            table.replace(to, limit, file, on_exec)?
        };
        if let Some(replaced) = replaced {
            self.note_closed(&replaced);
        }
        Ok(())
    }

    /// Closes `fd` and returns its description; the last reference to that closes the file.
    ///
    /// # Errors
    /// `EBADF`: not open.
    pub(crate) fn close(&self, fd: Fd) -> Result<Arc<OpenFile>, Errno> {
        let file = self.descriptors.write().close(fd)?;
        self.note_closed(&file);
        Ok(file)
    }

    /// Closes all descriptors from `first` to `last`.
    pub(crate) fn close_range(&self, first: Fd, last: Fd) {
        self.close_each(first, |table, from| table.next_open(from, last));
    }

    /// Closes the descriptors that do not survive execve(2).
    pub(crate) fn close_on_exec(&self) {
        self.close_each(Fd::new(0), fd::FdTable::next_close_on_exec);
    }

    /// Returns whether execve(2) closes `fd`.
    ///
    /// # Errors
    /// `EBADF`: not open.
    pub(crate) fn on_exec(&self, fd: Fd) -> Result<OnExec, Errno> {
        self.descriptors.read().on_exec(fd)
    }

    /// Sets whether execve(2) closes `fd`.
    ///
    /// # Errors
    /// `EBADF`: not open.
    pub(crate) fn set_on_exec(&self, fd: Fd, on_exec: OnExec) -> Result<(), Errno> {
        self.descriptors.write().set_on_exec(fd, on_exec)
    }

    /// Marks all descriptors from `first` to `last` close-on-exec.
    pub(crate) fn set_close_on_exec(&self, first: Fd, last: Fd) {
        let mut table = self.descriptors.write();
        let mut next = table.next_open(first, last);
        while let Some(fd) = next {
            // It is open: the lock has been held since it was found.
            let _ = table.set_on_exec(fd, OnExec::Close);
            next = table.next_open(Fd::new(fd.number() + 1), last);
        }
    }

    /// Copies the table, for fork(2) and unshare(2); the descriptions are shared.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn try_clone(&self) -> Result<Self, Errno> {
        let copy = self.descriptors.read().try_clone()?;
        Ok(Self::with(copy))
    }

    /// Returns its identifier.
    pub(crate) const fn id(&self) -> TableId {
        self.id
    }

    /// Has the observer that `new` makes notified of each descriptor that is closed from now on. A table keeps only
    /// its first observer.
    pub(crate) fn observe_closes(&self, new: impl FnOnce() -> Box<dyn CloseObserver>) {
        self.observer.call_once(new);
    }

    fn with(descriptors: fd::FdTable<Arc<OpenFile>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = TableId(NEXT.fetch_add(1, Ordering::Relaxed));
        Self { descriptors: RankedShared::new(Rank::FdTable, descriptors), id, observer: Once::new() }
    }

    fn note_closed(&self, file: &OpenFile) {
        if let Some(observer) = self.observer.get() {
            observer.closed(file);
        }
    }

    /// Closes descriptors in rising order. Files that lose their last one end after that, in falling order: programs see
    /// it in an epoll, and on Linux task work ends them so (`fput`). Without memory to remember them they end at once.
    fn close_each(&self, first: Fd, next: impl Fn(&fd::FdTable<Arc<OpenFile>>, Fd) -> Option<Fd>) {
        let mut from = first;
        let mut ending: Vec<Arc<OpenFile>> = Vec::new();
        loop {
            let mut closed = [const { None }; BATCH];
            let mut table = self.descriptors.write();
            for place in &mut closed {
                let Some(fd) = next(&table, from) else { break };
                *place = table.close(fd).ok();
                from = Fd::new(fd.number() + 1);
            }
            drop(table);
            let is_done = closed[BATCH - 1].is_none();
            for file in closed.into_iter().flatten() {
                self.note_closed(&file);
                if Arc::strong_count(&file) == 1 && fallible::reserve(&mut ending, 1).is_ok() {
                    ending.push(file);
                }
            }
            if is_done || ending.len() >= MOST_ENDING {
                while ending.pop().is_some() {}
            }
            if is_done {
                return;
            }
        }
    }
}

impl Drop for FdTable {
    /// Closes all descriptors, as at the end of a process.
    fn drop(&mut self) {
        self.close_range(Fd::new(0), Fd::new(u32::MAX));
    }
}

impl ReservedFd<'_> {
    /// Returns the number, so that it can be copied to the program before the descriptor works.
    pub(crate) const fn fd(&self) -> Fd {
        self.fd
    }

    /// Opens `file` at the number.
    pub(crate) fn commit(mut self, file: Arc<OpenFile>, on_exec: OnExec) -> Fd {
        if let Some(reserved) = self.reserved.take() {
            self.table.descriptors.write().commit(reserved, file, on_exec);
        }
        self.fd
    }
}

impl Drop for ReservedFd<'_> {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved.take() {
            self.table.descriptors.write().cancel(reserved);
        }
    }
}
