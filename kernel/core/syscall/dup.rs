//! dup(2), dup2(2), dup3(2).
//!
//! Source: Linux 6.1 fs/file.c (`ksys_dup3`, `do_dup2`).

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};

use super::caller::{Caller, SysResult};

/// Duplicates `fd` at the lowest free number.
///
/// # Errors
/// `EBADF`: not open. `EMFILE`: no number is free. `ENOMEM`: the table cannot grow.
pub(crate) fn dup(cx: &mut impl Caller, fd: Fd) -> SysResult {
    let files = cx.files();
    let file = files.get_any(fd)?;
    files.open(file, OnExec::Keep, cx.file_limit()).map(Fd::index)
}

/// Makes `to` a duplicate of `from`, and closes what `to` was. Does nothing if both are the same open descriptor.
///
/// # Errors
/// Nothing changed. `EBADF`: `from` is not open, or `to` is not below `RLIMIT_NOFILE`. `EBUSY`: another thread is about
/// to open `to`. `ENOMEM`: the table cannot grow.
pub(crate) fn dup2(cx: &mut impl Caller, from: Fd, to: Fd) -> SysResult {
    if from == to {
        cx.files().get_any(from)?;
    } else {
        cx.files().duplicate(from, to, cx.file_limit(), OnExec::Keep)?;
    }
    Ok(to.index())
}

/// Performs [`dup2`] of two different numbers, with `O_CLOEXEC` in `flags` or without.
///
/// # Errors
/// As [`dup2`]. `EINVAL`: another flag, or one number twice.
pub(crate) fn dup3(cx: &mut impl Caller, from: Fd, to: Fd, flags: u32) -> SysResult {
    let flags = OpenFlags::from_bits_retain(flags);
    if !(flags - OpenFlags::CLOSE_ON_EXEC).is_empty() || from == to {
        return Err(Errno::EINVAL);
    }
    cx.files().duplicate(from, to, cx.file_limit(), OnExec::from_flags(flags))?;
    Ok(to.index())
}
