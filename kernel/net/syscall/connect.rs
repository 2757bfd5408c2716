//! connect(2).
//!
//! Source: Linux 6.1 net/ipv4/af_inet.c (`__inet_stream_connect`).

use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Recheck, WaitTarget, WakeMode};
use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::net::socket::ROOM_FOR_OTHERS;
use rules::net::tcp::socket::ConnectAttempt;

use super::socket::{self, Span};
use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::Timeout;
use crate::core::syscall::blocking::{self, Blocking};
use crate::core::syscall::caller::{Caller, SysResult};
use crate::net::file;
use crate::net::socket::{Connect, Socket, SocketCaller};

/// Connects the socket to the address at `address`; `AF_UNSPEC` disconnects it.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: the address is invalid. `EFAULT`: not readable. `EAFNOSUPPORT`: another
/// family. `EISCONN`: connected already. `EINPROGRESS`: it has begun, and the socket has `O_NONBLOCK` or the time is
/// up. `EALREADY`: it had begun before. `ECONNREFUSED`, `ETIMEDOUT`, `ECONNRESET`: the handshake failed.
/// `ENETUNREACH`: there is no route. `EPERM`: a netlink peer other than the kernel, without the capability.
/// `EADDRNOTAVAIL`: no port is free. `EINTR`: a signal came first; a handshake goes on. `ENOBUFS`: no memory.
/// `EAGAIN`: the backlog is full, and the call may not wait, or not for longer. `EPROTOTYPE`: a socket of another
/// type. `EACCES`, `ENOENT` and the like: the path.
pub(crate) fn connect(cx: &mut (impl Caller + SocketCaller), fd: Fd, address: Span) -> SysResult {
    let file = cx.files().get(fd)?;
    let socket = file::socket(&file)?;
    let address = socket::read_address(cx, address)?;
    let begun = socket.connect(cx, &address)?;
    let limit = || socket::limit(&file, socket.state().limits(Events::WRITABLE).time);
    match begun {
        Connect::Done => {}
        Connect::Handshake(attempt) => finish(cx, &file, socket, attempt, limit())?,
        Connect::Backlog(backlog) => {
            let (interest, mode) = (ROOM_FOR_OTHERS, WakeMode::All);
            let room = WaitTarget { file: backlog.room(), interest, mode, recheck: Recheck::Try };
            blocking::wait_for(cx, room, limit(), || backlog.enter())?;
        }
    }
    Ok(0)
}

/// Waits for the end of a handshake.
///
/// # Errors
/// `EINPROGRESS`, `EALREADY`: it goes on. `EINTR`: a signal came first. Why it failed.
fn finish(
    cx: &impl Caller,
    file: &OpenFile,
    socket: &dyn Socket,
    attempt: ConnectAttempt,
    limit: Timeout<Duration>,
) -> Result<(), Errno> {
    let is_first = attempt == ConnectAttempt::First;
    let going_on = if is_first { Errno::EINPROGRESS } else { Errno::EALREADY };
    // On Linux, no answer has arrived by then, not even from this machine.
    if is_first && limit == Timeout::Now {
        return Err(going_on);
    }
    let mut is_over = false;
    let result = Blocking::new(cx, file, Events::WRITABLE).timeout(limit).run(|| {
        let result = socket.connecting();
        is_over = matches!(result, Poll::Ready(_));
        result
    });
    match result {
        Err(Errno::EAGAIN) if !is_over => Err(going_on),
        result => result,
    }
}
