//! accept(2), accept4(2).

use pollee::{Events, Recheck};
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::net::abi::socket::SocketFlags;

use super::socket::{self, Room};
use crate::core::syscall::blocking::Blocking;
use crate::core::syscall::caller::{Caller, SysResult};
use crate::net::file;
use crate::net::socket::SocketCaller;

/// Accepts the oldest connection, writes the address of its peer, and returns its descriptor.
///
/// # Errors
/// As [`accept4`].
pub(crate) fn accept(cx: &mut (impl Caller + SocketCaller), fd: Fd, address: Room) -> SysResult {
    accept4(cx, fd, address, 0)
}

/// Performs [`accept`] with the `flags` `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
///
/// # Errors
/// No connection was accepted. `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: an unknown flag, or it does not listen.
/// `EAGAIN`: there is no connection, and it has `O_NONBLOCK`. `EMFILE`: no number is free. `EFAULT`: the address
/// cannot be written. `EINTR`: a signal came first. `ENOMEM`.
pub(crate) fn accept4(cx: &mut (impl Caller + SocketCaller), fd: Fd, address: Room, flags: u32) -> SysResult {
    let file = cx.files().get(fd)?;
    let listener = file::socket(&file)?;
    let flags = SocketFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let flags = OpenFlags::from_bits_truncate(flags.bits());
    let number = cx.files().reserve(Fd::new(0), cx.file_limit())?;
    let limit = socket::limit(&file, listener.state().limits(Events::READABLE).time);
    // A listener is readable if and only if a connection can be accepted.
    let call = Blocking::new(cx, &file, Events::READABLE).timeout(limit).recheck(Recheck::Readiness);
    let accepted = call.run(|| listener.accept())?;
    if address.addr != 0 {
        socket::write_address(cx, address, accepted.peer()?)?;
    }
    let connection = accepted.open(flags, cx.identity().uid)?;
    Ok(number.commit(connection, OnExec::from_flags(flags)).index())
}
