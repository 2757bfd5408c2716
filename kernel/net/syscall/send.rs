//! send(2): sendto(2), sendmsg(2).
//!
//! Source: Linux 6.1 net/socket.c, net/ipv4/tcp.c (`tcp_sendmsg_locked`), net/unix/af_unix.c.

use pollee::{Events, Recheck, WaitTarget, WakeMode};
use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::net::abi::socket::{MessageFlags, MessageHeader};
use rules::net::socket::ROOM_FOR_OTHERS;

use super::cmsg;
use super::socket::{self, Span};
use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::Timeout;
use crate::core::file::traits::WriteExtent;
use crate::core::syscall::blocking::{self, Blocking};
use crate::core::syscall::caller::{Caller, SysResult};
use crate::core::syscall::write;
use crate::machine::memory::user::{UserPtr, UserSource};
use crate::net::file;
use crate::net::socket::{Destination, Outgoing, Socket, SocketCaller};

/// Writes the bytes of `buffer`, or the first of them, and returns how many. TCP ignores the address: a stream has
/// one peer.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EPIPE`: not connected, or shut down; without `MSG_NOSIGNAL` the caller gets
/// SIGPIPE, too. `EAGAIN`: no room, and the call may not wait, or not for longer. `EINTR`: a signal came before the
/// first byte. `EFAULT`: not readable. `EOPNOTSUPP`: `MSG_OOB`, or an address for a local socket. `EISCONN`: the
/// same, and it is connected. `EMSGSIZE`: a message that is too long. The pending error of the connection.
pub(crate) fn sendto(
    cx: &mut (impl Caller + SocketCaller),
    fd: Fd,
    buffer: Span,
    flags: u32,
    address: Span,
) -> SysResult {
    let mut from = UserSource::buffer(cx.space(), buffer.addr, buffer.len)?;
    let file = cx.files().get(fd)?;
    let socket = file::socket(&file)?;
    let flags = MessageFlags::from_bits_truncate(flags);
    let to = read_destination(cx, socket, address, flags)?;
    send(cx, &file, socket, &mut from, Outgoing { flags, ..Outgoing::default() }, to)
}

/// Performs [`sendto`] with the buffers of the `struct msghdr` at `header`, and with its descriptors.
///
/// # Errors
/// As [`sendto`]. `EMSGSIZE`: more than `IOV_MAX` buffers. Those of [`cmsg::read_rights`].
pub(crate) fn sendmsg(cx: &mut (impl Caller + SocketCaller), fd: Fd, header: usize, flags: u32) -> SysResult {
    let file = cx.files().get(fd)?;
    let socket = file::socket(&file)?;
    let header = UserPtr::<MessageHeader>::new(cx.space(), header).read()?;
    let (iov, count) = header.buffers()?;
    let mut from = UserSource::vector(cx.space(), iov, count)?;
    let rights = cmsg::read_rights(cx, &header, socket.socket_type())?;
    let flags = MessageFlags::from_bits_truncate(flags);
    // An empty name is no address.
    let addr = if header.name_len == 0 { 0 } else { header.name as usize };
    let to = read_destination(cx, socket, Span { addr, len: header.name_len as usize }, flags)?;
    send(cx, &file, socket, &mut from, Outgoing { flags, rights, ..Outgoing::default() }, to)
}

/// Reads and resolves the destination of a message, if there is an address.
fn read_destination<'a>(
    cx: &(impl Caller + SocketCaller),
    socket: &'a dyn Socket,
    address: Span,
    flags: MessageFlags,
) -> Result<Option<Destination<'a>>, Errno> {
    if address.addr == 0 {
        return Ok(None);
    }
    let address = socket::read_address(cx, address)?;
    socket.destination(cx, &address, flags)
}

fn send(
    cx: &impl Caller,
    file: &OpenFile,
    socket: &dyn Socket,
    from: &mut UserSource<'_>,
    mut message: Outgoing,
    to: Option<Destination<'_>>,
) -> SysResult {
    if message.flags.contains(MessageFlags::OUT_OF_BAND) {
        return Err(Errno::EOPNOTSUPP);
    }
    let limit = if message.flags.contains(MessageFlags::DONT_WAIT) {
        Timeout::Now
    } else {
        socket::limit(file, socket.state().limits(Events::WRITABLE).time)
    };
    match to {
        None => {}
        Some(Destination::Address(address)) => message.to = Some(address),
        Some(Destination::Mailbox(to)) => {
            // The sender's own readiness says nothing about room in the other queue.
            let (interest, mode) = (ROOM_FOR_OTHERS, WakeMode::All);
            let room = WaitTarget { file: to.room(), interest, mode, recheck: Recheck::Try };
            return blocking::wait_for(cx, room, limit, || to.send(from, &mut message));
        }
    }
    let call = Blocking::new(cx, file, Events::WRITABLE).timeout(limit);
    if file.write_extent() == WriteExtent::Partial {
        return call.run(|| socket.send(from, &mut message));
    }
    let mut total = 0;
    let result = call.run(|| write::try_rest(file, from, &mut total, |from| socket.send(from, &mut message)));
    match result {
        Err(error) if total == 0 => {
            if !message.flags.contains(MessageFlags::NO_SIGNAL) {
                write::signal_broken_pipe(cx, error);
            }
            Err(error)
        }
        _ => Ok(total),
    }
}
