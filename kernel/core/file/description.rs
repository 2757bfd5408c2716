//! The open file description: what all duplicates of a descriptor share.
//!
//! Owns: the file status flags, the location it was opened at, the observers of its end.
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

/// The identifier of an open file description, never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct DescriptionId(u64);

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
    /// Where it was opened; `None` for a file without a name, such as a pipe.
    location: Option<Box<dyn Location>>,
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
            location,
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
        let any: &dyn Any = &**self.location.as_ref()?;
        any.downcast_ref()
    }

    /// Returns what fstat(2) reports: about the inode at its location, or else about the file.
    pub(crate) fn stat(&self) -> Stat {
        self.location.as_ref().map_or_else(|| self.file().stat(), |location| location.stat())
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

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.file.end_registration();
        self.observers.notify(self.id);
    }
}
