//! send(2): sendto(2), sendmsg(2).
//!
//! Source: Linux 6.1 net/socket.c, net/ipv4/tcp.c (`tcp_sendmsg_locked`).

use core::task::Poll;

use model::abi::errno::Errno;
use model::abi::socket::{MessageFlags, MessageHeader};
use model::fd::Fd;
use model::transfer::Source as _;
use pollee::Events;

use super::context::{Context, SysResult};
use super::{patience, socket, socketpair, write};
use crate::file::description::OpenFile;
use crate::file::many::Timeout;
use crate::memory::user::{UserPtr, UserSource};
use crate::object::socketpair::End;

/// Writes the `len` bytes at `buffer`, or the first of them, and returns how many. A stream has one peer: an address
/// is not looked at.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EPIPE`: not connected, or shut down; without `MSG_NOSIGNAL` the caller gets SIGPIPE,
/// too. `EAGAIN`: no room, and it must not wait, or not for longer. `EINTR`: a signal came before the first byte.
/// `EFAULT`: not readable. `EOPNOTSUPP`: `MSG_OOB`. What became of the connection.
pub(crate) fn sendto(
    cx: &mut Context<'_>,
    fd: Fd,
    (buffer, len): (usize, usize),
    flags: u32,
    (addr, addr_len): (usize, u32),
) -> SysResult {
    let mut from = UserSource::buffer(cx.space(), buffer, len)?;
    let file = socket::find(cx, fd)?;
    if addr != 0 {
        socket::read_address(cx, addr, addr_len)?;
    }
    send(cx, &file, &mut from, flags)
}

/// [`sendto`] from the buffers of the `struct msghdr` at `header`.
///
/// # Errors
/// As [`sendto`]. `EMSGSIZE`: more than `IOV_MAX` buffers.
pub(crate) fn sendmsg(cx: &mut Context<'_>, fd: Fd, header: usize, flags: u32) -> SysResult {
    let file = socket::find(cx, fd)?;
    let message = UserPtr::<MessageHeader>::new(cx.space(), header).read()?;
    let (iov, count) = message.buffers()?;
    let mut from = UserSource::vector(cx.space(), iov, count)?;
    send(cx, &file, &mut from, flags)
}

fn send(cx: &Context<'_>, file: &OpenFile, from: &mut UserSource<'_>, flags: u32) -> SysResult {
    let flags = MessageFlags::from_bits_truncate(flags);
    if file.downcast::<End>().is_some() {
        return socketpair::send(cx, file, from, flags);
    }
    let socket = socket::of(file)?;
    if flags.contains(MessageFlags::OUT_OF_BAND) {
        return Err(Errno::EOPNOTSUPP);
    }
    let limit = if flags.contains(MessageFlags::DONT_WAIT) {
        Timeout::Now
    } else {
        socket::limit(file, socket.options().send_timeout)
    };
    let mut total = 0;
    let result = patience::within(cx, file, Events::WRITABLE, limit, || {
        let before = from.remaining();
        match socket.send(from) {
            Poll::Ready(Ok(count)) => {
                total += count;
                let is_torn = before - from.remaining() != count;
                if is_torn || from.remaining() == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    });
    if let Err(error) = result
        && !flags.contains(MessageFlags::NO_SIGNAL)
    {
        write::signal_broken_pipe(cx, error);
    }
    match result {
        Err(error) if total == 0 => Err(error),
        _ => Ok(total),
    }
}
