//! The open file description: what all duplicates of a descriptor share.
//!
//! Owns: the file status flags, the offset, the location it was opened at, the observers of its end.
//! Not here: the numbers (`table`), polling (`polled`), sleeping and `O_NONBLOCK` (`core/syscall/blocking`).
//! Lock order: the offset's mutex comes before all other locks, and is taken in task context. Only reads and writes
//! of seekable files hold it, and these never wait for an event.
//! Source: open(2), fcntl(2), read(2), lseek(2), pread(2); Linux 6.1 fs/file_table.c, fs/read_write.c.

mod polled;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::task::Poll;

use ostd::sync::{Mutex, MutexGuard};
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::stat::Stat;
use rules::core::seek::{OFFSET_MAX, Whence};
use spin::Once;

use self::polled::PolledFile;
use super::location::Location;
use super::release::{Observers, ReleaseObserver};
use super::traits::{File, WriteExtent};
use crate::machine::memory::budget;
use crate::machine::memory::layout::PAGE_SIZE;
use crate::machine::memory::transfer::{Sink, Source};

/// The identifier of an open file description, never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct DescriptionId(pub(crate) u64);

/// An open file description: a file, and what its descriptors share.
pub(crate) struct OpenFile {
    id: DescriptionId,
    access: AccessMode,
    /// Whether it may be read and written: as `access` says, unless it was opened with `O_PATH`.
    may_read: bool,
    may_write: bool,
    /// When a blocking write is done.
    write_extent: WriteExtent,
    /// `OpenFlags`; each flag is read on its own, so the atomic needs no ordering.
    status: AtomicU32,
    offset: Mutex<u64>,
    observers: Observers,
    /// Where it was opened; a file without a name, such as a pipe, may get a place later.
    location: Once<Box<dyn Location>>,
    /// Whether the file has offsets; that never changes.
    is_seekable: bool,
    file: PolledFile,
}

/// Flags of open(2) that concern only the call.
const TRANSIENT: OpenFlags = OpenFlags::CREATE
    .union(OpenFlags::EXCLUSIVE)
    .union(OpenFlags::NO_CONTROLLING_TTY)
    .union(OpenFlags::TRUNCATE)
    .union(OpenFlags::CLOSE_ON_EXEC);

/// Flags that `F_SETFL` changes: Linux's `SETFL_MASK`.
const CHANGEABLE: OpenFlags =
    OpenFlags::APPEND.union(OpenFlags::NONBLOCK).union(OpenFlags::DIRECT).union(OpenFlags::NO_ACCESS_TIME);

impl OpenFile {
    /// Opens a `file` that has no name.
    ///
    /// # Errors
    /// `ENOMEM`: only the reserve is left.
    pub(crate) fn new(file: Arc<dyn File>, access: AccessMode, flags: OpenFlags) -> Result<Arc<Self>, Errno> {
        Self::open(file, None, access, flags)
    }

    /// Opens the `file` that was found at `location`.
    ///
    /// # Errors
    /// `ENOMEM`: only the reserve is left.
    pub(crate) fn new_at(
        location: impl Location,
        file: Arc<dyn File>,
        access: AccessMode,
        flags: OpenFlags,
    ) -> Result<Arc<Self>, Errno> {
        Self::open(file, Some(Box::new(location)), access, flags)
    }

    fn open(
        file: Arc<dyn File>,
        location: Option<Box<dyn Location>>,
        access: AccessMode,
        flags: OpenFlags,
    ) -> Result<Arc<Self>, Errno> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let _grant = budget::grant(PAGE_SIZE)?;
        let is_path = flags.contains(OpenFlags::PATH);
        let (is_seekable, write_extent) = (file.is_seekable(), file.write_extent());
        Ok(Arc::new(Self {
            id: DescriptionId(NEXT.fetch_add(1, Ordering::Relaxed)),
            access,
            may_read: access.reads() && !is_path,
            may_write: access.writes() && !is_path,
            write_extent,
            status: AtomicU32::new((flags - TRANSIENT).bits()),
            offset: Mutex::new(0),
            observers: Observers::new(),
            location: location.map_or_else(Once::new, Once::initialized),
            is_seekable,
            file: PolledFile::new(file, is_path),
        }))
    }

    /// Returns the identifier, for tables that must not keep the description open.
    pub(crate) const fn id(&self) -> DescriptionId {
        self.id
    }

    /// Returns the file.
    pub(crate) fn file(&self) -> &Arc<dyn File> {
        self.file.get()
    }

    /// Returns the file as an `F`, if it is one.
    pub(crate) fn downcast<F: File>(&self) -> Option<&F> {
        let any: &dyn Any = &**self.file();
        any.downcast_ref()
    }

    /// Returns where it was opened, if that is an `L`.
    pub(crate) fn location<L: Location>(&self) -> Option<&L> {
        let any: &dyn Any = &**self.location.get()?;
        any.downcast_ref()
    }

    /// Returns where it was opened, or the place that `new` makes for a file without a name. All are `L`s.
    ///
    /// # Errors
    /// Those of `new`.
    pub(crate) fn location_or<L: Location>(
        &self,
        new: impl FnOnce() -> Result<L, Errno>,
    ) -> Result<&L, Errno> {
        self.location.try_call_once(|| new().map(|location| Box::new(location) as _))?;
        self.location().ok_or(Errno::EINVAL)
    }

    /// Returns what fstat(2) reports: about the inode at its location, or else about the file.
    pub(crate) fn stat(&self) -> Stat {
        self.location.get().map_or_else(|| self.file().stat(), |location| location.stat())
    }

    /// Tells those who watch the file that a system call has read or written it, unless it was no byte.
    #[inline]
    pub(crate) fn tell(&self, transfer: AccessMode, bytes: usize) {
        if bytes > 0
            && let Some(location) = self.location.get()
        {
            location.tell(transfer);
        }
    }

    /// Returns the access mode it was opened with.
    pub(crate) const fn access(&self) -> AccessMode {
        self.access
    }

    /// Returns whether it has offsets.
    pub(crate) const fn is_seekable(&self) -> bool {
        self.is_seekable
    }

    /// Returns when a blocking write is done; that never changes.
    pub(crate) const fn write_extent(&self) -> WriteExtent {
        self.write_extent
    }

    /// Returns the file status flags, and the other flags of open(2) that are kept.
    pub(crate) fn status(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.status.load(Ordering::Relaxed))
    }

    /// Returns whether operations must not sleep: `O_NONBLOCK`.
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.status().contains(OpenFlags::NONBLOCK)
    }

    /// Returns whether it was opened with `O_PATH`.
    pub(crate) fn is_path(&self) -> bool {
        self.status().contains(OpenFlags::PATH)
    }

    /// Changes those file status flags that can change to what is in `wanted`.
    ///
    /// # Errors
    /// No flag changed. `EINVAL`: the file refuses one of them.
    pub(crate) fn set_status(&self, wanted: OpenFlags) -> Result<(), Errno> {
        let wanted = wanted & CHANGEABLE;
        self.file().set_status(wanted)?;
        self.update_status(|status| (status - CHANGEABLE) | wanted);
        Ok(())
    }

    /// Changes the status flags without asking the file: `FIONBIO`.
    pub(crate) fn update_status(&self, change: impl Fn(OpenFlags) -> OpenFlags) {
        let change = |bits| Some(change(OpenFlags::from_bits_retain(bits)).bits());
        // `change` always returns flags, so the update cannot fail.
        let _ = self.status.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }

    /// Checks that it was opened for reading.
    ///
    /// # Errors
    /// `EBADF`: it was not.
    pub(crate) fn require_read(&self) -> Result<(), Errno> {
        if self.may_read { Ok(()) } else { Err(Errno::EBADF) }
    }

    /// Checks that it was opened for writing.
    ///
    /// # Errors
    /// `EBADF`: it was not.
    pub(crate) fn require_write(&self) -> Result<(), Errno> {
        if self.may_write { Ok(()) } else { Err(Errno::EBADF) }
    }

    fn require_seekable(&self) -> Result<(), Errno> {
        if self.is_seekable { Ok(()) } else { Err(Errno::ESPIPE) }
    }

    /// Has `observer` notified once when this description is released: after the last descriptor was closed and the
    /// last system call that uses it has returned. A second registration changes nothing.
    ///
    /// # Errors
    /// `ENOMEM`: it will not be notified.
    pub(crate) fn observe(&self, observer: &Arc<dyn ReleaseObserver>) -> Result<(), Errno> {
        self.observers.add(observer)
    }

    /// Returns the registered observers that still exist; some may not need the notification any more.
    pub(crate) fn observers(&self) -> Result<Vec<Arc<dyn ReleaseObserver>>, Errno> {
        self.observers.all()
    }
}

/// Reads and writes, at the offset or at a given one.
impl OpenFile {
    /// Locks the offset.
    pub(crate) fn offset(&self) -> MutexGuard<'_, u64> {
        self.offset.lock()
    }

    /// Reads at the offset and advances it.
    ///
    /// # Errors
    /// `EBADF`: not opened for reading. Those of `File::read_at`.
    #[inline(always)]
    pub(crate) fn read(&self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        self.require_read()?;
        if self.is_seekable { self.read_on(to) } else { self.file().read_at(0, to) }
    }

    fn read_on(&self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        let mut offset = self.offset.lock();
        self.file().read_at(*offset, to).map_ok(|read| advance(&mut offset, read))
    }

    /// Writes at the offset, or at the end if `status` has `O_APPEND`, and moves the offset past the written bytes.
    /// `status` is the description's own, or replaces it for this one write.
    ///
    /// # Errors
    /// `EBADF`: not opened for writing. Those of `File::write_at`.
    #[inline(always)]
    pub(crate) fn write(&self, from: &mut dyn Source, status: OpenFlags) -> Poll<Result<usize, Errno>> {
        self.require_write()?;
        if self.is_seekable { self.write_on(from, status) } else { self.file().write_at(0, from) }
    }

    fn write_on(&self, from: &mut dyn Source, status: OpenFlags) -> Poll<Result<usize, Errno>> {
        let mut offset = self.offset.lock();
        if status.contains(OpenFlags::APPEND) {
            return self.file().append(from).map_ok(|(at, written)| {
                *offset = at;
                advance(&mut offset, written)
            });
        }
        self.file().write_at(*offset, from).map_ok(|written| advance(&mut offset, written))
    }

    /// Reads at `at`: pread(2).
    ///
    /// # Errors
    /// `ESPIPE`: a stream. `EBADF`: not opened for reading. Those of `File::read_at`.
    pub(crate) fn read_at(&self, at: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        self.require_seekable()?;
        self.require_read()?;
        self.file().read_at(at, to)
    }

    /// Writes at `at`, or at the end if `status` has `O_APPEND`, as Linux does: pwrite(2).
    ///
    /// # Errors
    /// `ESPIPE`: a stream. `EBADF`: not opened for writing. Those of `File::write_at`.
    pub(crate) fn write_at(
        &self,
        at: u64,
        from: &mut dyn Source,
        status: OpenFlags,
    ) -> Poll<Result<usize, Errno>> {
        self.require_seekable()?;
        self.require_write()?;
        if status.contains(OpenFlags::APPEND) {
            return self.file().append(from).map_ok(|(_, written)| written);
        }
        self.file().write_at(at, from)
    }

    /// Moves the offset and returns it.
    ///
    /// # Errors
    /// Those of `File::seek`.
    pub(crate) fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let mut current = self.offset.lock();
        *current = self.file().seek(*current, offset, whence)?;
        Ok(*current)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.file.end_registration();
        self.observers.notify(self.id);
    }
}

fn advance(offset: &mut u64, by: usize) -> usize {
    *offset = offset.saturating_add(by as u64).min(OFFSET_MAX);
    by
}
