//! splice(2), tee(2), vmsplice(2), which move pages between pipes and files without copying.
//!
//! Pipes cannot lend their pages here. The calls fail with `EINVAL`, as on Linux for a file that does not support
//! splice, and programs fall back to read(2) and write(2). Bad descriptors are reported first.
//! Source: Linux 6.1 fs/splice.c.

use rules::abi::errno::Errno;
use rules::core::fd::Fd;

use super::context::{Caller, Context, SysResult};

/// splice(2): moves `len` bytes from `from` to `to`, one of which is a pipe.
///
/// # Errors
/// Nothing was moved. `EBADF`: not open, or not for this access. `EINVAL`: the files do not support it.
pub(crate) fn splice(cx: &mut Context<'_>, from: Fd, to: Fd, len: usize) -> SysResult {
    refuse(cx, from, to, len)
}

/// tee(2): copies `len` bytes from one pipe to another.
///
/// # Errors
/// Nothing was copied. `EBADF`: not open, or not for this access. `EINVAL`: the pipes do not support it.
pub(crate) fn tee(cx: &mut Context<'_>, from: Fd, to: Fd, len: usize) -> SysResult {
    refuse(cx, from, to, len)
}

/// vmsplice(2): lends the caller's pages to a pipe.
///
/// # Errors
/// Nothing was lent. `EBADF`: not open. `EINVAL`: the pipe does not support it.
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
