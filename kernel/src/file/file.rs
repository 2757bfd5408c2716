//! The operations that every kind of file offers to the syscalls.
//!
//! Objects never sleep: an operation that would block returns `Poll::Pending`, and `event::wait` decides
//! what that means (sleep, or `EAGAIN` for `O_NONBLOCK`).

use core::any::Any;
use core::task::Poll;

use model::abi::errno::Errno;
use pollee::Events;

use crate::event;
use crate::memory::transfer::{Sink, Source};

/// A file behind an open file description.
pub trait File: Any + Send + Sync {
    /// Reads from `offset` (which streams ignore) and returns the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// `EBADF`/`EINVAL` where this kind of file has no reading; nothing was consumed.
    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        let _ = (offset, to);
        Poll::Ready(Err(Errno::EINVAL))
    }

    /// Writes at `offset` (which streams ignore) and returns the number of bytes taken from `from`.
    ///
    /// # Errors
    /// `EINVAL` where this kind of file has no writing; nothing was taken.
    fn write_at(&self, offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        let _ = (offset, from);
        Poll::Ready(Err(Errno::EINVAL))
    }

    /// What is ready, as far as `interest` asks. The default is a file that never blocks.
    ///
    /// Called with preemption off: it takes spin locks at most.
    fn poll(&self, interest: Events) -> Events {
        interest & (Events::READABLE | Events::WRITABLE)
    }

    /// What to register with to hear of changes, or `None` for a file that is always ready, which
    /// `epoll_ctl` refuses with `EPERM`.
    ///
    /// A file that is one end of an object lends something that masks out the other end's events.
    fn watch(&self) -> Option<&event::Watch> {
        None
    }

    /// Whether the open file description keeps an offset for this file; streams answer `false` (`ESPIPE`).
    fn is_seekable(&self) -> bool {
        false
    }
}
