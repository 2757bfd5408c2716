//! getsockname(2), getpeername(2).

use rules::core::fd::Fd;

use super::socket;
use crate::linux::syscall::context::{Context, SysResult};

/// Tells the address of this end.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: negative room. `EFAULT`: not writable.
pub(crate) fn getsockname(cx: &mut Context<'_>, fd: Fd, addr: usize, len: usize) -> SysResult {
    let file = socket::find(cx, fd)?;
    socket::write_address(cx, addr, len, &socket::of(&file)?.local()).map(|()| 0)
}

/// Tells the address of the other end.
///
/// # Errors
/// As [`getsockname`]. `ENOTCONN`: there is none.
pub(crate) fn getpeername(cx: &mut Context<'_>, fd: Fd, addr: usize, len: usize) -> SysResult {
    let file = socket::find(cx, fd)?;
    socket::write_address(cx, addr, len, &socket::of(&file)?.peer()?).map(|()| 0)
}
