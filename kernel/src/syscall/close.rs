//! close(2), close_range(2).

use alloc::sync::Arc;

use bitflags::bitflags;
use model::abi::errno::Errno;
use model::fd::Fd;

use super::context::{Context, SysResult};

bitflags! {
    /// How close_range(2) goes about it.
    struct CloseRangeFlags: u32 {
        /// `CLOSE_RANGE_UNSHARE`: in a table of the caller's own.
        const UNSHARE = 1 << 1;
        /// `CLOSE_RANGE_CLOEXEC`: not now, but at execve(2).
        const CLOSE_ON_EXEC = 1 << 2;
    }
}

/// Frees `fd`.
///
/// # Errors
/// `EBADF`: not open.
pub(crate) fn close(cx: &mut Context<'_>, fd: Fd) -> SysResult {
    let file = cx.files().close(fd)?;
    drop(file);
    Ok(0)
}

/// Frees all descriptors from `first` to `last`, or marks them.
///
/// # Errors
/// Nothing was closed. `EINVAL`: an unknown flag, or `first` is above `last`. `ENOMEM`: no table of its own.
pub(crate) fn close_range(cx: &mut Context<'_>, first: Fd, last: Fd, flags: u32) -> SysResult {
    let flags = CloseRangeFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if first > last {
        return Err(Errno::EINVAL);
    }
    let mut files = cx.files().clone();
    if flags.contains(CloseRangeFlags::UNSHARE) {
        files = Arc::new(files.try_clone()?);
        drop(cx.process().replace_files(files.clone()));
        cx.renew();
    }
    if flags.contains(CloseRangeFlags::CLOSE_ON_EXEC) {
        files.set_close_on_exec(first, last);
    } else {
        files.close_range(first, last);
    }
    Ok(0)
}
