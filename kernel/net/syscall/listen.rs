//! listen(2).

use rules::core::fd::Fd;

use crate::core::syscall::caller::{Caller, SysResult};
use crate::net::file;
use crate::net::socket::SocketCaller;

/// Listens, with room for `backlog` connections and one more.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: it is connected. `EADDRINUSE`: another socket listens there.
/// `EOPNOTSUPP`: a socket without connections.
pub(crate) fn listen(cx: &mut (impl Caller + SocketCaller), fd: Fd, backlog: i32) -> SysResult {
    let file = cx.files().get(fd)?;
    file::socket(&file)?.listen(backlog, cx.identity()).map(|()| 0)
}
