//! The open file description: what all duplicates of a descriptor share.
//!
//! Owns: the file status flags, where it was opened, who is to hear of its end.
//! Not here: the numbers (`table`), reads and writes (`offset`), polling (`polled`), sleeping (`pollee::wait`).
//! Source: open(2), fcntl(2); Linux 6.1 fs/file_table.c.

mod offset;
mod polled;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ostd::sync::Mutex;
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::stat::Stat;

use self::polled::PolledFile;
use super::location::Location;
use super::release::{Observers, ReleaseObserver};
use super::traits::{File, WriteExtent};
use crate::machine::memory::budget;
use crate::machine::memory::layout::PAGE_SIZE;

/// What an open file description is known by as long as the kernel runs; never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct DescriptionId(u64);

/// A file that was opened, with everything that belongs to this opening and not to a descriptor.
pub(crate) struct OpenFile {
    id: DescriptionId,
    access: AccessMode,
    /// Whether it may be read and written: what `access` says, unless it is only a place in the tree.
    may_read: bool,
    may_write: bool,
    /// When a blocking write is done.
    write_extent: WriteExtent,
    /// `OpenFlags`; each is looked at alone, so the atomic orders nothing.
    status: AtomicU32,
    offset: Mutex<u64>,
    observers: Observers,
    /// Where it was opened, unless it was made without a name, as a pipe is.
    location: Option<Box<dyn Location>>,
    /// Whether it has offsets; no file changes that.
    is_seekable: bool,
    file: PolledFile,
}

/// Flags of open(2) that are about the opening, and forgotten after it.
const TRANSIENT: OpenFlags = OpenFlags::CREATE
    .union(OpenFlags::EXCLUSIVE)
    .union(OpenFlags::NO_CONTROLLING_TTY)
    .union(OpenFlags::TRUNCATE)
    .union(OpenFlags::CLOSE_ON_EXEC);

/// Flags that `F_SETFL` changes: Linux's `SETFL_MASK`.
const CHANGEABLE: OpenFlags =
    OpenFlags::APPEND.union(OpenFlags::NONBLOCK).union(OpenFlags::DIRECT).union(OpenFlags::NO_ACCESS_TIME);

impl OpenFile {
    /// Opens a `file` that no name led to.
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
        budget::try_reserve(PAGE_SIZE)?;
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
            location,
            is_seekable,
            file: PolledFile::new(file, is_path),
        }))
    }

    /// The name of this description, for tables that must not keep it open.
    pub(crate) const fn id(&self) -> DescriptionId {
        self.id
    }

    /// The file.
    pub(crate) fn file(&self) -> &Arc<dyn File> {
        self.file.get()
    }

    /// The file as what it really is, if it is an `F`.
    pub(crate) fn downcast<F: File>(&self) -> Option<&F> {
        let any: &dyn Any = &**self.file();
        any.downcast_ref()
    }

    /// Where it was opened, if that is in a tree whose locations are `L`s.
    pub(crate) fn location<L: Location>(&self) -> Option<&L> {
        let any: &dyn Any = &**self.location.as_ref()?;
        any.downcast_ref()
    }

    /// What fstat(2) tells: of the inode it was found at, or else of the file.
    pub(crate) fn stat(&self) -> Stat {
        self.location.as_ref().map_or_else(|| self.file().stat(), |location| location.stat())
    }

    /// What it was opened for.
    pub(crate) const fn access(&self) -> AccessMode {
        self.access
    }

    /// Whether it has offsets.
    pub(crate) const fn is_seekable(&self) -> bool {
        self.is_seekable
    }

    /// When a blocking write is done; no file changes that.
    pub(crate) const fn write_extent(&self) -> WriteExtent {
        self.write_extent
    }

    /// The file status flags, and what else was asked for at open(2).
    pub(crate) fn status(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.status.load(Ordering::Relaxed))
    }

    /// Whether operations must not sleep: `O_NONBLOCK`.
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.status().contains(OpenFlags::NONBLOCK)
    }

    /// Whether it is only a place in the tree: `O_PATH`.
    pub(crate) fn is_path(&self) -> bool {
        self.status().contains(OpenFlags::PATH)
    }

    /// Changes the file status flags to those in `wanted`; others stay.
    ///
    /// # Errors
    /// All flags stay. `EINVAL`: the file has no use for one of them.
    pub(crate) fn set_status(&self, wanted: OpenFlags) -> Result<(), Errno> {
        let wanted = wanted & CHANGEABLE;
        self.file().set_status(wanted)?;
        self.update_status(|status| (status - CHANGEABLE) | wanted);
        Ok(())
    }

    /// Sets or clears `O_NONBLOCK` alone: `FIONBIO`.
    pub(crate) fn update_status(&self, change: impl Fn(OpenFlags) -> OpenFlags) {
        let change = |bits| Some(change(OpenFlags::from_bits_retain(bits)).bits());
        // `change` always answers, so the update cannot fail.
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

    /// Lets `observer` hear when this description goes: once, after the last descriptor was closed and the last
    /// syscall that used it has returned. To ask again changes nothing.
    ///
    /// # Errors
    /// `ENOMEM`: it will not hear.
    pub(crate) fn observe(&self, observer: &Arc<dyn ReleaseObserver>) -> Result<(), Errno> {
        self.observers.add(observer)
    }

    /// Those who asked and are still there, some of whom may have lost interest.
    pub(crate) fn observers(&self) -> Vec<Arc<dyn ReleaseObserver>> {
        self.observers.all()
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.file.end_registration();
        self.observers.notify(self.id);
    }
}
