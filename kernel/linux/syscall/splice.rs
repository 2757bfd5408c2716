//! splice(2), tee(2), vmsplice(2), which move pages between pipes and files without copying.
//!
//! Pipes here cannot lend their pages. The answer is the one that Linux gives for a file that cannot splice, `EINVAL`,
//! on which programs fall back to read(2) and write(2); bad descriptors are told first.
//! Source: Linux 6.1 fs/splice.c.

use rules::abi::errno::Errno;
use rules::core::fd::Fd;

use super::context::{Caller, Context, SysResult};

/// Moves `len` bytes from `from` to `to`, of which one is a pipe.
///
/// # Errors
/// Nothing was moved. `EBADF`: not open, or not for this. `EINVAL`: the files cannot splice.
pub(crate) fn splice(cx: &mut Context<'_>, from: Fd, to: Fd, len: usize) -> SysResult {
    refuse(cx, from, to, len)
}

/// Copies `len` bytes from one pipe to another.
///
/// # Errors
/// Nothing was copied. `EBADF`: not open, or not for this. `EINVAL`: the pipes cannot splice.
pub(crate) fn tee(cx: &mut Context<'_>, from: Fd, to: Fd, len: usize) -> SysResult {
    refuse(cx, from, to, len)
}

/// Lends the caller's pages to a pipe.
///
/// # Errors
/// Nothing was lent. `EBADF`: not open. `EINVAL`: the pipe cannot take them.
pub(crate) fn vmsplice(cx: &mut Context<'_>, fd: Fd, count: usize) -> SysResult {
    cx.files().get(fd)?;
    if count == 0 { Ok(0) } else { Err(Errno::EINVAL) }
}

fn refuse(cx: &Context<'_>, from: Fd, to: Fd, len: usize) -> SysResult {
    if len == 0 {
        return Ok(0);
    }
    let files = cx.files();
    let (from, to) = (files.get(from)?, files.get(to)?);
    from.require_read()?;
    to.require_write()?;
    Err(Errno::EINVAL)
}
