//! close(2), close_range(2).

use alloc::sync::Arc;
use core::task::Poll;
use core::time::Duration;

use bitflags::bitflags;
use pollee::Events;
use rules::abi::errno::Errno;
use rules::core::fd::Fd;

use super::blocking::Blocking;
use super::caller::{Caller, SysResult};
use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::Timeout;
use crate::machine::clock;

bitflags! {
    /// The flags of close_range(2).
    struct CloseRangeFlags: u32 {
        /// `CLOSE_RANGE_UNSHARE`: give the caller a table of its own first.
        const UNSHARE = 1 << 1;
        /// `CLOSE_RANGE_CLOEXEC`: close at execve(2), not now.
        const CLOSE_ON_EXEC = 1 << 2;
    }
}

/// Closes `fd`.
///
/// # Errors
/// `EBADF`: not open.
pub(crate) fn close(cx: &mut impl Caller, fd: Fd) -> SysResult {
    let file = cx.files().close(fd)?;
    // With another reference, a descriptor or a call keeps the file open.
    if Arc::strong_count(&file) == 1
        && let Some(time) = file.file().begin_lingering()
    {
        linger(cx, &file, time);
    }
    drop(file);
    Ok(0)
}

/// Waits until the peer has received everything, for at most `time`. A signal ends the wait.
#[cold]
fn linger(cx: &impl Caller, file: &OpenFile, time: Duration) {
    let until = Timeout::At(clock::now() + time);
    let flush = Blocking::new(cx, file, Events::WRITABLE).timeout(until);
    let _ = flush.run(|| if file.file().is_flushed() { Poll::Ready(Ok(())) } else { Poll::Pending });
}

/// Closes all descriptors from `first` to `last`, or marks them close-on-exec.
///
/// # Errors
/// Nothing was closed. `EINVAL`: an unknown flag, or `first` is above `last`. `ENOMEM`: no memory for a table of its
/// own.
pub(crate) fn close_range(cx: &mut impl Caller, first: Fd, last: Fd, flags: u32) -> SysResult {
    let flags = CloseRangeFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if first > last {
        return Err(Errno::EINVAL);
    }
    let mut files = cx.files().clone();
    if flags.contains(CloseRangeFlags::UNSHARE) {
        files = Arc::new(files.try_clone()?);
        cx.replace_files(files.clone());
    }
    if flags.contains(CloseRangeFlags::CLOSE_ON_EXEC) {
        files.set_close_on_exec(first, last);
    } else {
        files.close_range(first, last);
    }
    Ok(0)
}
