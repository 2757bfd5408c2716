//! recv(2): recvfrom(2), recvmsg(2).
//!
//! Source: Linux 6.1 net/socket.c, net/ipv4/tcp.c (`tcp_recvmsg_locked`).

use core::task::Poll;

use model::abi::errno::Errno;
use model::abi::socket::{MessageFlags, MessageHeader};
use model::fd::Fd;
use model::tcp::connection::Taking;
use model::transfer::Sink as _;
use pollee::Events;

use super::context::{Context, SysResult};
use super::{patience, socket, socketpair};
use crate::file::description::OpenFile;
use crate::file::many::Timeout;
use crate::memory::transfer::Sink;
use crate::memory::user::{UserPtr, UserSink};
use crate::object::socketpair::End;

/// Reads at most `len` bytes to `buffer` and returns how many; 0 is the end. A stream tells no address.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `ENOTCONN`: not connected. `EAGAIN`: nothing is there, and it must not wait, or not
/// for longer. `EINTR`: a signal came before the first byte. `EFAULT`: not writable. `EINVAL`: `MSG_OOB`. What became
/// of the connection.
pub(crate) fn recvfrom(
    cx: &mut Context<'_>,
    fd: Fd,
    (buffer, len): (usize, usize),
    flags: u32,
    (_addr, addr_len): (usize, usize),
) -> SysResult {
    let file = socket::find(cx, fd)?;
    let mut to = UserSink::buffer(cx.space(), buffer, len)?;
    let count = receive(cx, &file, &mut to, flags)?;
    if addr_len != 0 {
        UserPtr::<i32>::new(cx.space(), addr_len).write(&0)?;
    }
    Ok(count)
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
    let count = receive(cx, &file, &mut to, flags)?;
    message.name_len = 0;
    message.control_len = 0;
    message.flags = 0;
    pointer.write(&message)?;
    Ok(count)
}

fn receive(cx: &Context<'_>, file: &OpenFile, to: &mut UserSink<'_>, flags: u32) -> SysResult {
    let flags = MessageFlags::from_bits_truncate(flags);
    if file.downcast::<End>().is_some() {
        return socketpair::receive(cx, file, to, flags);
    }
    let socket = socket::of(file)?;
    if flags.contains(MessageFlags::OUT_OF_BAND) {
        return Err(Errno::EINVAL);
    }
    if flags.contains(MessageFlags::ERROR_QUEUE) {
        return Err(Errno::EAGAIN);
    }
    let limit = if flags.contains(MessageFlags::DONT_WAIT) {
        Timeout::Now
    } else {
        socket::limit(file, socket.options().receive_timeout)
    };
    if flags.contains(MessageFlags::TRUNCATE) {
        let mut nowhere = Nowhere(to.remaining());
        return receive_to(cx, file, &mut nowhere, flags, limit);
    }
    if flags.contains(MessageFlags::PEEK) {
        // Each try begins at the start.
        return patience::within(cx, file, Events::READABLE, limit, || {
            socket.receive(&mut to.clone(), Taking::Peek)
        });
    }
    receive_to(cx, file, to, flags, limit)
}

fn receive_to(
    cx: &Context<'_>,
    file: &OpenFile,
    to: &mut dyn Sink,
    flags: MessageFlags,
    limit: Timeout<core::time::Duration>,
) -> SysResult {
    let socket = socket::of(file)?;
    let wants_all = flags.contains(MessageFlags::WAIT_ALL);
    let mut total = 0;
    let result =
        patience::within(cx, file, Events::READABLE, limit, || match socket.receive(to, Taking::Consume) {
            Poll::Ready(Ok(count)) => {
                total += count;
                let goes_on = wants_all && count > 0 && to.remaining() > 0;
                if goes_on { Poll::Pending } else { Poll::Ready(Ok(())) }
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        });
    match result {
        Err(error) if total == 0 => Err(error),
        _ => Ok(total),
    }
}

/// Where bytes go that nobody wants: `MSG_TRUNC`.
struct Nowhere(usize);

impl model::transfer::Sink for Nowhere {
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
