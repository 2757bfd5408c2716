//! The operations that every kind of file offers to the syscalls.
//!
//! Objects never sleep: an operation that would block returns `Poll::Pending`, and `event::wait` decides
//! what that means (sleep, or `EAGAIN` for `O_NONBLOCK`).

use core::any::Any;
use core::task::Poll;

use model::abi::errno::Errno;

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

    /// Whether the open file description keeps an offset for this file; streams answer `false` (`ESPIPE`).
    fn is_seekable(&self) -> bool {
        false
    }
}
