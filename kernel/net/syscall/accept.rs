//! accept(2), accept4(2).

use pollee::{Events, Recheck};
use rules::abi::errno::Errno;
use rules::core::fd::{Fd, OnExec};
use rules::net::abi::socket::SocketFlags;

use super::socket;
use crate::core::syscall::patience;
use crate::linux::syscall::context::{Caller, Context, SysResult};

/// Takes the connection that has waited longest, tells the address of its other end, and returns its number.
///
/// # Errors
/// As [`accept4`].
pub(crate) fn accept(cx: &mut Context<'_>, fd: Fd, addr: usize, len: usize) -> SysResult {
    accept4(cx, fd, addr, len, 0)
}

/// [`accept`] with `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
///
/// # Errors
/// No connection was taken. `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: an unknown flag, or it does not listen. `EAGAIN`:
/// nobody waits, and it has `O_NONBLOCK`. `EMFILE`: no number is free. `EFAULT`: the address cannot be written.
/// `EINTR`: a signal came first. `ENOMEM`.
pub(crate) fn accept4(cx: &mut Context<'_>, fd: Fd, addr: usize, len: usize, flags: u32) -> SysResult {
    let file = socket::find(cx, fd)?;
    let flags = socket::open_flags(SocketFlags::from_bits(flags).ok_or(Errno::EINVAL)?);
    let listener = socket::of(&file)?;
    let number = cx.files().reserve(Fd::new(0), cx.file_limit())?;
    let limit = socket::limit(&file, listener.options().receive_timeout);
    // A listener is readable exactly while there is a connection to be accepted.
    let how = (Events::READABLE, Recheck::Readiness);
    let accepted = patience::within(cx, &file, how, limit, || listener.accept())?;
    if addr != 0 {
        socket::write_address(cx, addr, len, &accepted.peer()?)?;
    }
    let connection = accepted.open(flags, cx.credentials().uid())?;
    Ok(number.commit(connection, OnExec::from_flags(flags)).index())
}
