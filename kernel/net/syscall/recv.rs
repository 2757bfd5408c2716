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
use rules::net::tcp::connection::Taking;

use super::{cmsg, socket};
use crate::core::event::wait::Check;
use crate::core::file::description::OpenFile;
use crate::core::file::many::Timeout;
use crate::core::syscall::patience;
use crate::linux::syscall::context::{Caller, Context, SysResult};
use crate::machine::memory::transfer::Sink;
use crate::machine::memory::user::{UserPtr, UserSink, UserSlice};
use crate::net::socket::{Address, Incoming, Socket};

/// Reads at most `len` bytes to `buffer` and returns how many; 0 is the end. TCP tells no address.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `ENOTCONN`: not connected. `EAGAIN`: nothing is there, and it must not wait, or not
/// for longer. `EINTR`: a signal came before the first byte. `EFAULT`: not writable. `EINVAL`, `EOPNOTSUPP`: `MSG_OOB`.
/// What became of the connection.
pub(crate) fn recvfrom(
    cx: &mut Context<'_>,
    fd: Fd,
    (buffer, len): (usize, usize),
    flags: u32,
    (addr, addr_len): (usize, usize),
) -> SysResult {
    let file = socket::find(cx, fd)?;
    let mut to = UserSink::buffer(cx.space(), buffer, len)?;
    let flags = MessageFlags::from_bits_truncate(flags);
    let incoming = receive(cx, &file, &mut to, flags)?;
    if addr != 0 {
        match sender(socket::of(&file)?, &incoming) {
            Some(from) => socket::write_address(cx, addr, addr_len, &from)?,
            None => UserPtr::<i32>::new(cx.space(), addr_len).write(&0)?,
        }
    }
    Ok(told(&incoming, flags))
}

/// [`recvfrom`] to the buffers of the `struct msghdr` at `header`.
///
/// # Errors
/// As [`recvfrom`]. `EMSGSIZE`: more than `IOV_MAX` buffers.
pub(crate) fn recvmsg(cx: &mut Context<'_>, fd: Fd, header: usize, flags: u32) -> SysResult {
    let file = socket::find(cx, fd)?;
    let pointer = UserPtr::<MessageHeader>::new(cx.space(), header);
    let mut message = pointer.read()?;
    let (iov, count) = message.buffers()?;
    let mut to = UserSink::vector(cx.space(), iov, count)?;
    let flags = MessageFlags::from_bits_truncate(flags);
    let mut incoming = receive(cx, &file, &mut to, flags)?;
    message.flags = (flags & MessageFlags::CONTROL_CLOSE_ON_EXEC).bits();
    if incoming.len > incoming.count {
        message.flags |= MessageFlags::TRUNCATE.bits();
    }
    let room = message.name_len as usize;
    message.name_len = 0;
    if message.name != 0
        && let Some(from) = sender(socket::of(&file)?, &incoming)
    {
        let bytes = from.to_bytes();
        let written = room.min(bytes.len());
        UserSlice::new(cx.space(), message.name as usize, written)?.write_bytes(&bytes[..written])?;
        message.name_len = bytes.len() as u32;
    }
    cmsg::write_rights(cx, &mut message, core::mem::take(&mut incoming.rights), flags)?;
    pointer.write(&message)?;
    Ok(told(&incoming, flags))
}

/// Who sent it, as far as that is told: a local socket with a name, and whoever sent a datagram.
fn sender(socket: &dyn Socket, incoming: &Incoming) -> Option<Address> {
    if incoming.from.is_some() {
        return incoming.from.clone();
    }
    match socket.peer() {
        Ok(peer @ Address::Unix(Some(_))) => Some(peer),
        _ => None,
    }
}

/// What the call returns: how long the message really was, with `MSG_TRUNC`.
fn told(incoming: &Incoming, flags: MessageFlags) -> usize {
    if flags.contains(MessageFlags::TRUNCATE) { incoming.len } else { incoming.count }
}

fn receive(
    cx: &Context<'_>,
    file: &OpenFile,
    to: &mut UserSink<'_>,
    flags: MessageFlags,
) -> Result<Incoming, Errno> {
    let socket = socket::of(file)?;
    let nature = socket.nature();
    let is_tcp = nature.family == family::AF_INET && nature.kind == kind::SOCK_STREAM;
    if flags.contains(MessageFlags::OUT_OF_BAND) {
        return Err(if is_tcp { Errno::EINVAL } else { Errno::EOPNOTSUPP });
    }
    if flags.contains(MessageFlags::ERROR_QUEUE) && nature.family == family::AF_INET {
        return Err(Errno::EAGAIN);
    }
    let options = socket.options();
    let limit = if flags.contains(MessageFlags::DONT_WAIT) {
        Timeout::Now
    } else {
        socket::limit(file, options.receive_timeout)
    };
    let least = match nature.kind {
        kind::SOCK_STREAM if flags.contains(MessageFlags::WAIT_ALL) => usize::MAX,
        kind::SOCK_STREAM => options.low_water,
        _ => 0,
    };
    if flags.contains(MessageFlags::TRUNCATE) && is_tcp {
        let mut nowhere = Nowhere(to.remaining());
        return receive_to(cx, (file, socket), &mut nowhere, least, limit);
    }
    if flags.contains(MessageFlags::PEEK) {
        // Each try begins at the start.
        let check = patience::check_of_read(file, to.remaining());
        let start = to.position();
        return patience::within(cx, file, (Events::READABLE, check), limit, || {
            to.rewind(start);
            socket.receive(to, Taking::Peek)
        });
    }
    receive_to(cx, (file, socket), to, least, limit)
}

fn receive_to(
    cx: &Context<'_>,
    (file, socket): (&OpenFile, &dyn Socket),
    to: &mut dyn Sink,
    least: usize,
    limit: Timeout<Duration>,
) -> Result<Incoming, Errno> {
    let least = least.min(to.remaining());
    let mut all = Incoming::bytes(0);
    // Some bytes that are not yet enough do not make the socket readable.
    let len = if least > 1 { 0 } else { to.remaining() };
    let mut attempt = || match socket.receive(to, Taking::Consume) {
        Poll::Ready(Ok(part)) => {
            let is_whole = part.count == 0 || !part.rights.is_empty();
            all = Incoming { count: all.count + part.count, len: all.len + part.len, ..part };
            if is_whole || all.count >= least { Poll::Ready(Ok(())) } else { Poll::Pending }
        }
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Pending => Poll::Pending,
    };
    let first = if len > 0 && patience::is_vain(file, len) { Poll::Pending } else { attempt() };
    let result = match first {
        Poll::Ready(result) => result,
        Poll::Pending => {
            let check = if len > 0 { patience::check_of_read(file, len) } else { Check::Try };
            patience::within_after_a_try(cx, file, (Events::READABLE, check), limit, attempt)
        }
    };
    match result {
        Err(error) if all.count == 0 => Err(error),
        _ => Ok(all),
    }
}

/// Where bytes go that nobody wants: `MSG_TRUNC`.
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
