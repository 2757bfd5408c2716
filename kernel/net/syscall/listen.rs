//! listen(2).

use rules::core::fd::Fd;

use super::socket;
use crate::linux::syscall::context::{Context, SysResult};

/// Lets `backlog` connections, and one more, wait to be accepted.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: it is connected. `EADDRINUSE`: another socket listens there. `EOPNOTSUPP`: datagrams.
pub(crate) fn listen(cx: &mut Context<'_>, fd: Fd, backlog: i32) -> SysResult {
    let file = socket::find(cx, fd)?;
    socket::of(&file)?.listen(backlog, socket::caller(cx)).map(|()| 0)
}
