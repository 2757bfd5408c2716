//! The operations of every kind of file, for the system calls.
//!
//! Objects never sleep: an operation that would block returns `Poll::Pending`, and `core/syscall/blocking` decides
//! between a sleep and `EAGAIN`. A file that returns `Pending` has a [`pollable`](File::pollable) and raises the
//! event that ends the wait.

use alloc::sync::Arc;
use core::any::Any;
use core::task::Poll;
use core::time::Duration;

use pollee::{Events, WakeMode};
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::abi::stat::Stat;
use rules::core::seek::Whence;

use crate::core::event;
use crate::core::event::class::Class;
use crate::machine::memory::pages::Pages;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::transfer::{Sink, Source};

/// When a blocking write is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WriteExtent {
    /// After the first bytes, however few.
    Partial,
    /// After all bytes: pipes, terminals, stream sockets.
    All,
}

/// How threads wait for a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitPolicy {
    /// How many of them one event wakes: [`WakeMode::Exclusive`] only if *any one* of them can use the event.
    pub(crate) mode: WakeMode,
    /// The longest wait: `SO_RCVTIMEO`, `SO_SNDTIMEO`.
    pub(crate) limit: Option<Duration>,
}

impl Default for WaitPolicy {
    /// Each event wakes all waiters, and they wait without limit.
    fn default() -> Self {
        Self { mode: WakeMode::All, limit: None }
    }
}

impl From<WakeMode> for WaitPolicy {
    fn from(mode: WakeMode) -> Self {
        Self { mode, limit: None }
    }
}

/// What an open file description refers to.
///
/// Most files are made with their description and dropped with it: the `Drop` of a pipe's end closes that end.
pub(crate) trait File: Any + Send + Sync {
    /// Returns the class of object.
    fn class(&self) -> Class;

    /// Returns whether a blocking open(2) may return: an end of a FIFO is `Pending` until the other end is opened.
    /// That raises [`Events::READABLE`], or [`Events::WRITABLE`] for an end that was opened for writing only.
    fn finish_open(&self) -> Poll<()> {
        Poll::Ready(())
    }

    /// Reads from `offset` (which streams ignore) and returns the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// `EINVAL` where this kind of file has no reading, `EFAULT` where `to` is not writable; nothing was consumed.
    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        let _ = (offset, to);
        Poll::Ready(Err(Errno::EINVAL))
    }

    /// Writes at `offset` (which streams ignore) and returns the number of bytes written. Where bytes of `from`
    /// are not readable, more may be taken from it than is written.
    ///
    /// `Pending` means that nothing was written. A file that takes [`All`](WriteExtent::All) has not
    /// touched `from` then; any other is tried again with the same bytes.
    ///
    /// # Errors
    /// `EINVAL` where this kind of file has no writing, `EFAULT` where `from` is not readable; nothing was written.
    fn write_at(&self, offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        let _ = (offset, from);
        Poll::Ready(Err(Errno::EINVAL))
    }

    /// Writes at the end of the file (`O_APPEND`), and returns that offset and the number of bytes written. A file
    /// without an end writes as always.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    fn append(&self, from: &mut dyn Source) -> Poll<Result<(u64, usize), Errno>> {
        self.write_at(0, from).map_ok(|written| (0, written))
    }

    /// Returns when a blocking write is done.
    fn write_extent(&self) -> WriteExtent {
        WriteExtent::Partial
    }

    /// Returns what to poll and to register with; the same as long as the file lives. `None`: the file is always
    /// readable and writable, and epoll_ctl(2) refuses it with `EPERM`.
    ///
    /// It is polled with preemption off, so it may take no lock but spin locks.
    fn pollable(&self) -> Option<&event::Pollable> {
        None
    }

    /// Returns how blocked reads (waiting for [`Events::READABLE`]) or writes ([`Events::WRITABLE`]) wait.
    fn wait_policy(&self, waits_for: Events) -> WaitPolicy {
        let _ = waits_for;
        WaitPolicy::default()
    }

    /// Returns whether a read of `len` bytes is `Pending` until the file is ready for [`Events::READABLE`] or
    /// [`Events::ALWAYS`]. If so, callers may poll instead of trying.
    fn reads_when_ready(&self, len: usize) -> bool {
        let _ = len;
        false
    }

    /// Returns what leads `net`, the layer above, to the operations that only sockets have; `None` for any other
    /// file.
    fn as_socket(&self) -> Option<&dyn Any> {
        None
    }

    /// Returns whether the next call reports a pending error: a write that has written something then stops.
    fn has_pending_error(&self) -> bool {
        false
    }

    /// Begins to close a file whose last descriptor close(2) frees. Returns how long that call waits at most for
    /// [`is_flushed`](Self::is_flushed), which [`Events::WRITABLE`] announces: `SO_LINGER`.
    fn begin_lingering(&self) -> Option<Duration> {
        None
    }

    /// Returns whether the other end has received everything that was written.
    fn is_flushed(&self) -> bool {
        true
    }

    /// Returns whether the file has offsets, for lseek(2), pread(2) and pwrite(2); a stream has none (`ESPIPE`).
    fn is_seekable(&self) -> bool {
        false
    }

    /// Returns the offset to which lseek(2) moves from `current`.
    ///
    /// # Errors
    /// `ESPIPE`: a stream. Those of [`seek::resolve`].
    ///
    /// [`seek::resolve`]: rules::core::seek::resolve
    fn seek(&self, current: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let _ = (current, offset, whence);
        Err(Errno::ESPIPE)
    }

    /// Returns what fstat(2) reports about a file without a name. The default is Linux's anonymous inode.
    fn stat(&self) -> Stat {
        Stat { links: 1, mode: 0o600, block_size: 4096, ..Stat::default() }
    }

    /// Returns the contents for mmap(2).
    ///
    /// # Errors
    /// `ENODEV`: this kind of file cannot be mapped.
    fn pages(self: Arc<Self>) -> Result<Arc<dyn Pages>, Errno> {
        Err(Errno::ENODEV)
    }

    /// Accepts new file status flags, before the description has them: `F_SETFL`.
    ///
    /// # Errors
    /// The description keeps its flags. `EINVAL`: `O_DIRECT`, which means nothing here.
    fn set_status(&self, status: OpenFlags) -> Result<(), Errno> {
        if status.contains(OpenFlags::DIRECT) { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// Returns how many bytes a read at `offset` would find: `FIONREAD`.
    ///
    /// # Errors
    /// `ENOTTY`: this kind of file cannot tell.
    fn bytes_readable(&self, offset: u64) -> Result<usize, Errno> {
        let _ = offset;
        Err(Errno::ENOTTY)
    }

    /// Performs a request that only this kind of file has: ioctl(2). `argument` may point into `space`, the caller's.
    /// A request that blocks, such as tcdrain(3), waits for [`Events::WRITABLE`].
    ///
    /// # Errors
    /// Nothing happened. `ENOTTY`: this kind of file knows no such request.
    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        let _ = (request, argument, space);
        Poll::Ready(Err(Errno::ENOTTY))
    }
}
