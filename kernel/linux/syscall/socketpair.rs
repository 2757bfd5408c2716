//! socketpair(2).
//!
//! Not here: the pair (`net::unix`).
//! Source: Linux 6.1 net/socket.c (`__sys_socketpair`).

use rules::abi::errno::Errno;
use rules::core::fd::{Fd, OnExec};
use rules::net::abi::socket::{SocketFlags, family, kind};

use super::socket;
use crate::linux::syscall::context::{Caller, Context, SysResult};
use crate::linux::unix;
use crate::machine::memory::user::UserPtr;

/// Makes two connected sockets and writes their numbers to `to`.
///
/// # Errors
/// `EINVAL`: an unknown flag. `EAFNOSUPPORT`: a family that is not here. `EOPNOTSUPP`: one that knows no pairs.
/// `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`: a type or protocol that pairs have not. `EFAULT`: `to` is not writable.
/// `EMFILE`: no numbers are free. `ENOMEM`. There is no pair then.
pub(crate) fn socketpair(
    cx: &mut Context<'_>,
    family: u32,
    kind: u32,
    protocol: u32,
    to: usize,
) -> SysResult {
    let flags = SocketFlags::from_bits(kind & !kind::SOCK_TYPE_MASK).ok_or(Errno::EINVAL)?;
    let flags = socket::open_flags(flags);
    match u16::try_from(family) {
        Ok(family::AF_UNIX) => {}
        Ok(family::AF_INET | family::AF_NETLINK) => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::EAFNOSUPPORT),
    }
    let kind = socket::unix_kind(kind & kind::SOCK_TYPE_MASK, protocol)?;
    let ends = unix::create_pair(kind, flags, socket::caller(cx))?;
    let files = cx.files();
    let places = [files.reserve(Fd::new(0), cx.file_limit())?, files.reserve(Fd::new(0), cx.file_limit())?];
    let numbers = [places[0].fd().number(), places[1].fd().number()];
    UserPtr::<[u32; 2]>::new(cx.space(), to).write(&numbers)?;
    for (place, end) in places.into_iter().zip(ends) {
        place.commit(end, OnExec::from_flags(flags));
    }
    Ok(0)
}
