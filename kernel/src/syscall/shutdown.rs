//! shutdown(2).

use model::abi::socket::How;
use model::fd::Fd;

use super::context::{Context, SysResult};
use super::socket;

/// Ends reading, writing, or both.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: not one of the three. `ENOTCONN`: it is not connected.
pub(crate) fn shutdown(cx: &mut Context<'_>, fd: Fd, how: u32) -> SysResult {
    let file = socket::find(cx, fd)?;
    socket::of(&file)?.shut_down(How::parse(how)?).map(|()| 0)
}
