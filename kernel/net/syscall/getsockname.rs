//! getsockname(2), getpeername(2).

use rules::core::fd::Fd;

use super::socket::{self, Room};
use crate::core::syscall::caller::{Caller, SysResult};
use crate::net::file;

/// Writes the local address.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: a negative length. `EFAULT`: not writable.
pub(crate) fn getsockname(cx: &mut impl Caller, fd: Fd, address: Room) -> SysResult {
    let file = cx.files().get(fd)?;
    socket::write_address(cx, address, file::socket(&file)?.local()).map(|()| 0)
}

/// Writes the address of the peer.
///
/// # Errors
/// As [`getsockname`]. `ENOTCONN`: not connected.
pub(crate) fn getpeername(cx: &mut impl Caller, fd: Fd, address: Room) -> SysResult {
    let file = cx.files().get(fd)?;
    socket::write_address(cx, address, file::socket(&file)?.peer()?).map(|()| 0)
}
