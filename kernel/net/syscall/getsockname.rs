//! getsockname(2), getpeername(2).

use rules::core::fd::Fd;

use super::socket::{self, Room};
use crate::core::syscall::caller::{Caller, SysResult};
use crate::net::file;

/// Tells the address of this end.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: negative room. `EFAULT`: not writable.
pub(crate) fn getsockname(cx: &mut impl Caller, fd: Fd, address: Room) -> SysResult {
    let file = cx.files().get(fd)?;
    socket::write_address(cx, address, file::socket(&file)?.local()).map(|()| 0)
}

/// Tells the address of the other end.
///
/// # Errors
/// As [`getsockname`]. `ENOTCONN`: there is none.
pub(crate) fn getpeername(cx: &mut impl Caller, fd: Fd, address: Room) -> SysResult {
    let file = cx.files().get(fd)?;
    socket::write_address(cx, address, file::socket(&file)?.peer()?).map(|()| 0)
}
