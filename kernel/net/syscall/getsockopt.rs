//! getsockopt(2), setsockopt(2).
//!
//! Not here: the options and their values (`net/option`).
//! Source: socket(7); Linux 6.1 net/socket.c (`__sys_getsockopt`, `__sys_setsockopt`).

use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::net::abi::socket::SOL_SOCKET;

use super::socket::{Room, Span};
use crate::core::syscall::caller::{Caller, SysResult};
use crate::net::file;
use crate::net::option::{self, OptionInput, OptionOutput};
use crate::net::socket::SocketCaller;

/// Writes the value of the option `name` of `level`.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EOPNOTSUPP`: no such level. `ENOPROTOOPT`: no such option. `EINVAL`: a negative
/// length. `EFAULT`: not writable.
pub(crate) fn getsockopt(cx: &mut impl Caller, fd: Fd, level: u32, name: u32, to: Room) -> SysResult {
    let file = cx.files().get(fd)?;
    let socket = file::socket(&file)?;
    let output = OptionOutput { space: cx.space(), value: to.addr, len_addr: to.len_addr };
    match level {
        SOL_SOCKET => option::socket::get(socket, name, &output),
        _ => socket.option(level, name, &output),
    }?;
    Ok(0)
}

/// Sets the option `name` of `level`.
///
/// # Errors
/// Nothing changed. `EBADF`, `ENOTSOCK`: no socket. `ENOPROTOOPT`: no such option. `EINVAL`: too short, or not
/// allowed. `EDOM`: no valid time. `EOPNOTSUPP`: not of this family. `EPERM`, `EACCES`: without the capability.
/// `EFAULT`: not readable.
pub(crate) fn setsockopt(
    cx: &mut (impl Caller + SocketCaller),
    fd: Fd,
    level: u32,
    name: u32,
    value: Span,
) -> SysResult {
    let file = cx.files().get(fd)?;
    let socket = file::socket(&file)?;
    // The register holds an `int`.
    let len = usize::try_from(value.len as i32).map_err(|_| Errno::EINVAL)?;
    let input = OptionInput { caller: cx, space: cx.space(), value: value.addr, len };
    match level {
        SOL_SOCKET => option::socket::set(socket, name, &input),
        _ => socket.set_option(level, name, &input),
    }?;
    Ok(0)
}
