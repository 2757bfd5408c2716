//! The operations that every kind of file offers to the syscalls.
//!
//! Objects never sleep: an operation that would block returns `Poll::Pending`, and `pollee::wait_events` decides
//! what that means (sleep, or `EAGAIN` for `O_NONBLOCK`). A file that answers `Pending` has a
//! [`pollable`](File::pollable), and raises the event that ends the wait.

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
    /// With the first piece that is taken, however short.
    Partial,
    /// When all bytes are taken: pipes, terminals, stream sockets.
    All,
}

/// How threads wait for a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitPolicy {
    /// How many of them one event wakes: [`WakeMode::Exclusive`] only where it lets *any* of them go on.
    pub(crate) mode: WakeMode,
    /// How long one waits at most: `SO_RCVTIMEO`, `SO_SNDTIMEO`.
    pub(crate) limit: Option<Duration>,
}

impl Default for WaitPolicy {
    /// Each event wakes all of them, and they wait for ever.
    fn default() -> Self {
        Self { mode: WakeMode::All, limit: None }
    }
}

impl From<WakeMode> for WaitPolicy {
    fn from(mode: WakeMode) -> Self {
        Self { mode, limit: None }
    }
}

/// A file behind an open file description.
///
/// Most are made when the description is, and dropped with it: an end of a pipe is closed by its `Drop`.
pub(crate) trait File: Any + Send + Sync {
    /// What kind of object it is.
    fn class(&self) -> Class;

    /// What a blocking open(2) waits for before it returns a descriptor: `Pending` for one end of a FIFO as long as
    /// nobody has come to the other. Ends with [`Events::READABLE`], or [`Events::WRITABLE`] if it was opened for
    /// writing only.
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

    /// Writes where the file ends by then (`O_APPEND`), and returns where that was and how many bytes. A file
    /// without an end writes as ever.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    fn append(&self, from: &mut dyn Source) -> Poll<Result<(u64, usize), Errno>> {
        self.write_at(0, from).map_ok(|written| (0, written))
    }

    /// When a blocking write is done.
    fn write_extent(&self) -> WriteExtent {
        WriteExtent::Partial
    }

    /// What to poll, and to register with to hear of changes; the same as long as the file lives. `None`: the file is
    /// always readable and writable, and `epoll_ctl` refuses it with `EPERM`.
    ///
    /// Polled with preemption off, so it takes spin locks at most.
    fn pollable(&self) -> Option<&event::Pollable> {
        None
    }

    /// How blocked reads (waiting for [`Events::READABLE`]) or writes ([`Events::WRITABLE`]) wait.
    fn wait_policy(&self, waits_for: Events) -> WaitPolicy {
        let _ = waits_for;
        WaitPolicy::default()
    }

    /// If true, a read of `len` bytes finds nothing until the file is ready for [`Events::READABLE`] or
    /// [`Events::ALWAYS`], so callers may poll instead of trying it.
    fn reads_when_ready(&self, len: usize) -> bool {
        let _ = len;
        false
    }

    /// How `net`, which is above this layer, finds the operations that only sockets have; `None` for any other file.
    fn as_socket(&self) -> Option<&dyn Any> {
        None
    }

    /// Whether the next call reports an error that is pending: a write that has begun then ends before it.
    fn has_pending_error(&self) -> bool {
        false
    }

    /// Begins the end of a file whose last descriptor close(2) frees; returns for how long that call waits for
    /// [`is_flushed`](Self::is_flushed), and for [`Events::WRITABLE`], at most: `SO_LINGER`.
    fn begin_lingering(&self) -> Option<Duration> {
        None
    }

    /// Whether the other end has received everything that was written.
    fn is_flushed(&self) -> bool {
        true
    }

    /// Whether the open file description keeps an offset for this file, which pread(2) and pwrite(2) can do
    /// without; streams answer `false` (`ESPIPE`).
    fn is_seekable(&self) -> bool {
        false
    }

    /// Where lseek(2) leads from `current`.
    ///
    /// # Errors
    /// `ESPIPE`: a stream. Those of [`seek::resolve`].
    ///
    /// [`seek::resolve`]: rules::core::seek::resolve
    fn seek(&self, current: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let _ = (current, offset, whence);
        Err(Errno::ESPIPE)
    }

    /// What fstat(2) tells of a file that no name led to. The default is Linux's inode of everything that has none of
    /// its own.
    fn stat(&self) -> Stat {
        Stat { links: 1, mode: 0o600, block_size: 4096, ..Stat::default() }
    }

    /// The contents for mmap(2).
    ///
    /// # Errors
    /// `ENODEV`: this kind of file cannot be mapped.
    fn pages(self: Arc<Self>) -> Result<Arc<dyn Pages>, Errno> {
        Err(Errno::ENODEV)
    }

    /// Hears of new file status flags before the description has them: `F_SETFL`.
    ///
    /// # Errors
    /// The description keeps its flags. `EINVAL`: `O_DIRECT`, which means nothing here.
    fn set_status(&self, status: OpenFlags) -> Result<(), Errno> {
        if status.contains(OpenFlags::DIRECT) { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// Bytes that could be read now: `FIONREAD`. `offset` is the description's.
    ///
    /// # Errors
    /// `ENOTTY`: this kind of file cannot tell.
    fn bytes_readable(&self, offset: u64) -> Result<usize, Errno> {
        let _ = offset;
        Err(Errno::ENOTTY)
    }

    /// A request that is peculiar to this kind of file: ioctl(2). `space` is the caller's, for what `argument`
    /// may point to. One that must wait, such as tcdrain(3), waits for [`Events::WRITABLE`].
    ///
    /// # Errors
    /// Nothing happened. `ENOTTY`: this kind of file knows no such request.
    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        let _ = (request, argument, space);
        Poll::Ready(Err(Errno::ENOTTY))
    }
}
