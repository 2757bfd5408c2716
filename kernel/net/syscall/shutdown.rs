//! shutdown(2).

use rules::core::fd::Fd;
use rules::net::abi::socket::How;

use super::socket;
use crate::linux::syscall::context::{Context, SysResult};

/// Ends reading, writing, or both.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: not one of the three. `ENOTCONN`: it is not connected.
pub(crate) fn shutdown(cx: &mut Context<'_>, fd: Fd, how: u32) -> SysResult {
    let file = socket::find(cx, fd)?;
    socket::of(&file)?.shut_down(How::parse(how)?).map(|()| 0)
}
