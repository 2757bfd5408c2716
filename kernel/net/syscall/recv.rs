//! recv(2): recvfrom(2), recvmsg(2).
//!
//! Source: Linux 6.1 net/socket.c, net/ipv4/tcp.c (`tcp_recvmsg_locked`), net/unix/af_unix.c.

use core::task::Poll;
use core::time::Duration;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::machine::transfer::Sink as _;
use rules::net::abi::socket::{MessageFlags, MessageHeader, family, kind};
use rules::net::tcp::connection::RecvMode;

use super::cmsg;
use super::socket::{self, Room, Span};
use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::Timeout;
use crate::core::syscall::blocking::Blocking;
use crate::core::syscall::caller::{Caller, SysResult};
use crate::machine::memory::transfer::Sink;
use crate::machine::memory::user::{UserPtr, UserSink, UserSlice};
use crate::net::address::Address;
use crate::net::file;
use crate::net::socket::{Incoming, Socket};

/// Reads at most `len` bytes to `buffer` and returns how many; 0 is the end. TCP writes no address.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `ENOTCONN`: not connected. `EAGAIN`: there is nothing to read, and the call may
/// not wait, or not for longer. `EINTR`: a signal came before the first byte. `EFAULT`: not writable. `EINVAL`,
/// `EOPNOTSUPP`: `MSG_OOB`. The pending error of the connection.
pub(crate) fn recvfrom(cx: &mut impl Caller, fd: Fd, buffer: Span, flags: u32, address: Room) -> SysResult {
    let file = cx.files().get(fd)?;
    let socket = file::socket(&file)?;
    let mut to = UserSink::buffer(cx.space(), buffer.addr, buffer.len)?;
    let flags = MessageFlags::from_bits_truncate(flags);
    let mut incoming = receive(cx, &file, socket, &mut to, flags)?;
    if address.addr != 0 {
        match sender(socket, &mut incoming) {
            Some(from) => socket::write_address(cx, address, from)?,
            None => UserPtr::<i32>::new(cx.space(), address.len_addr).write(&0)?,
        }
    }
    Ok(told(&incoming, flags))
}

/// Performs [`recvfrom`] with the buffers of the `struct msghdr` at `header`.
///
/// # Errors
/// As [`recvfrom`]. `EMSGSIZE`: more than `IOV_MAX` buffers.
pub(crate) fn recvmsg(cx: &mut impl Caller, fd: Fd, header: usize, flags: u32) -> SysResult {
    let file = cx.files().get(fd)?;
    let socket = file::socket(&file)?;
    let pointer = UserPtr::<MessageHeader>::new(cx.space(), header);
    let mut message = pointer.read()?;
    let (iov, count) = message.buffers()?;
    let mut to = UserSink::vector(cx.space(), iov, count)?;
    let flags = MessageFlags::from_bits_truncate(flags);
    let mut incoming = receive(cx, &file, socket, &mut to, flags)?;
    message.flags = (flags & MessageFlags::CONTROL_CLOSE_ON_EXEC).bits();
    if incoming.len > incoming.count {
        message.flags |= MessageFlags::TRUNCATE.bits();
    }
    let room = message.name_len as usize;
    message.name_len = 0;
    if message.name != 0
        && let Some(from) = sender(socket, &mut incoming)
    {
        let bytes = from.into_bytes();
        let written = room.min(bytes.len());
        UserSlice::new(cx.space(), message.name as usize, written)?.write_bytes(&bytes[..written])?;
        message.name_len = bytes.len() as u32;
    }
    cmsg::write_rights(cx, &mut message, core::mem::take(&mut incoming.rights), flags)?;
    pointer.write(&message)?;
    Ok(told(&incoming, flags))
}

/// Returns the sender's address, for datagrams and local sockets with a name.
fn sender(socket: &dyn Socket, incoming: &mut Incoming) -> Option<Address> {
    incoming.from.take().or_else(|| match socket.peer() {
        Ok(Address::Other(peer)) if peer.len() > size_of::<u16>() => Some(Address::Other(peer)),
        _ => None,
    })
}

/// Returns what the call returns: the bytes copied or, with `MSG_TRUNC`, the length of the message.
fn told(incoming: &Incoming, flags: MessageFlags) -> usize {
    if flags.contains(MessageFlags::TRUNCATE) { incoming.len } else { incoming.count }
}

fn receive(
    cx: &impl Caller,
    file: &OpenFile,
    socket: &dyn Socket,
    to: &mut UserSink<'_>,
    flags: MessageFlags,
) -> Result<Incoming, Errno> {
    let socket_type = socket.socket_type();
    let is_tcp = socket_type.family == family::AF_INET && socket_type.kind == kind::SOCK_STREAM;
    if flags.contains(MessageFlags::OUT_OF_BAND) {
        return Err(if is_tcp { Errno::EINVAL } else { Errno::EOPNOTSUPP });
    }
    if flags.contains(MessageFlags::ERROR_QUEUE) && socket_type.family == family::AF_INET {
        return Err(Errno::EAGAIN);
    }
    let limits = socket.state().limits(Events::READABLE);
    let limit =
        if flags.contains(MessageFlags::DONT_WAIT) { Timeout::Now } else { socket::limit(file, limits.time) };
    let least = match socket_type.kind {
        kind::SOCK_STREAM if flags.contains(MessageFlags::WAIT_ALL) => usize::MAX,
        kind::SOCK_STREAM => limits.low_water,
        _ => 0,
    };
    if flags.contains(MessageFlags::TRUNCATE) && is_tcp {
        let mut nowhere = Nowhere(to.remaining());
        let request = Request { file, socket, least, limit };
        return request.receive(cx, &mut nowhere);
    }
    if flags.contains(MessageFlags::PEEK) {
        // Each try starts over.
        let start = to.position();
        return Blocking::read(cx, file, to.remaining()).timeout(limit).run(|| {
            to.rewind(start);
            socket.receive(to, RecvMode::Peek)
        });
    }
    Request { file, socket, least, limit }.receive(cx, to)
}

/// A receive call on a socket, with its limits.
struct Request<'a> {
    file: &'a OpenFile,
    socket: &'a dyn Socket,
    /// The fewest bytes to wait for; the end, descriptors and the timeout return fewer.
    least: usize,
    limit: Timeout<Duration>,
}

impl Request<'_> {
    fn receive(self, cx: &impl Caller, to: &mut dyn Sink) -> Result<Incoming, Errno> {
        let Self { file, socket, limit, .. } = self;
        let least = self.least.min(to.remaining());
        let mut all = Incoming::bytes(0);
        // With fewer bytes than wanted, readiness says nothing about the next try.
        let len = if least > 1 { 0 } else { to.remaining() };
        let result = Blocking::read(cx, file, len).timeout(limit).run(|| {
            let Poll::Ready(part) = socket.receive(to, RecvMode::Consume)? else { return Poll::Pending };
            let is_whole = part.count == 0 || !part.rights.is_empty();
            all = Incoming { count: all.count + part.count, len: all.len + part.len, ..part };
            if is_whole || all.count >= least { Poll::Ready(Ok(())) } else { Poll::Pending }
        });
        match result {
            Err(error) if all.count == 0 => Err(error),
            _ => Ok(all),
        }
    }
}

/// A sink that discards bytes: `MSG_TRUNC` on TCP.
struct Nowhere(usize);

impl rules::machine::transfer::Sink for Nowhere {
    fn remaining(&self) -> usize {
        self.0
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.0);
        self.0 -= count;
        count
    }
}

impl Sink for Nowhere {
    fn put_from(&mut self, from: &mut ostd::mm::VmReader<'_, ostd::mm::Infallible>) -> usize {
        let count = from.remain().min(self.0);
        from.skip(count);
        self.0 -= count;
        count
    }
}
