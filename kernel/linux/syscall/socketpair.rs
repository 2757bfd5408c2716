//! socketpair(2).
//!
//! Not here: the sockets (`unix`).
//! Source: Linux 6.1 net/socket.c (`__sys_socketpair`).

use rules::abi::errno::Errno;
use rules::core::fd::{Fd, OnExec};
use rules::net::abi::socket::family;

use super::context::{Caller, Context, SysResult};
use super::socket::Type;
use crate::linux::unix;
use crate::machine::memory::user::UserPtr;
use crate::net::socket::SocketCaller as _;

/// Creates two connected sockets and writes their descriptors to `to`.
///
/// # Errors
/// Nothing was created. `EINVAL`: an unknown flag. `EAFNOSUPPORT`: an unsupported family. `EOPNOTSUPP`: a family
/// without socket pairs. `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`: an unsupported type or protocol. `EFAULT`: `to` is not
/// writable. `EMFILE`: no descriptors are free. `ENOMEM`.
pub(crate) fn socketpair(
    cx: &mut Context<'_>,
    family: u32,
    kind: u32,
    protocol: u32,
    to: usize,
) -> SysResult {
    let kind = Type::parse(kind)?;
    match u16::try_from(family) {
        Ok(family::AF_UNIX) => {}
        Ok(family::AF_INET | family::AF_NETLINK) => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::EAFNOSUPPORT),
    }
    let ends = unix::create_pair(kind.local(protocol)?, kind.flags, cx.identity())?;
    let files = cx.files();
    let places = [files.reserve(Fd::new(0), cx.file_limit())?, files.reserve(Fd::new(0), cx.file_limit())?];
    let numbers = [places[0].fd().number(), places[1].fd().number()];
    UserPtr::<[u32; 2]>::new(cx.space(), to).write(&numbers)?;
    for (place, end) in places.into_iter().zip(ends) {
        place.commit(end, OnExec::from_flags(kind.flags));
    }
    Ok(0)
}
