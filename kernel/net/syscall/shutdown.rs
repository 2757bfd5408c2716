//! shutdown(2).

use rules::core::fd::Fd;
use rules::net::abi::socket::How;

use crate::core::syscall::caller::{Caller, SysResult};
use crate::net::file;

/// Ends reading, writing, or both.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: `how` is none of the three. `ENOTCONN`: it is not connected.
pub(crate) fn shutdown(cx: &mut impl Caller, fd: Fd, how: u32) -> SysResult {
    let file = cx.files().get(fd)?;
    file::socket(&file)?.shut_down(How::parse(how)?).map(|()| 0)
}
