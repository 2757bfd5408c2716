//! bind(2).

use rules::core::fd::Fd;

use super::socket::{self, Span};
use crate::core::syscall::caller::{Caller, SysResult};
use crate::net::file;
use crate::net::socket::SocketCaller;

/// Binds the socket to the address at `address`.
///
/// # Errors
/// Nothing changed. `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: it is bound, or the address is invalid. `EAFNOSUPPORT`:
/// another family. `EADDRNOTAVAIL`: no address of this machine. `EADDRINUSE`: taken. `EACCES`: a port below 1024
/// without `CAP_NET_BIND_SERVICE`. `EFAULT`: not readable. Those of mknod(2).
pub(crate) fn bind(cx: &mut (impl Caller + SocketCaller), fd: Fd, address: Span) -> SysResult {
    let file = cx.files().get(fd)?;
    let socket = file::socket(&file)?;
    let address = socket::read_address(cx, address)?;
    socket.bind(cx, &address).map(|()| 0)
}
