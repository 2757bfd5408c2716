//! send(2): sendto(2), sendmsg(2).
//!
//! Source: Linux 6.1 net/socket.c, net/ipv4/tcp.c (`tcp_sendmsg_locked`), net/unix/af_unix.c.

use core::task::Poll;

use pollee::{Events, Share};
use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::linux::capability::Capability;
use rules::linux::unix::socket::Kind;
use rules::machine::transfer::Source as _;
use rules::net::abi::socket::{MessageFlags, MessageHeader, family, kind};

use super::{cmsg, socket, unix};
use crate::core::event::wait::Check;
use crate::core::file::description::OpenFile;
use crate::core::file::file::WriteExtent;
use crate::core::file::many::Timeout;
use crate::core::syscall::{patience, write};
use crate::linux::syscall::context::{Caller, Context, SysResult};
use crate::linux::unix::datagram::Stranger;
use crate::machine::memory::user::{UserPtr, UserSource};
use crate::net::socket::{Destination, Outgoing, Socket};

/// Writes the `len` bytes at `buffer`, or the first of them, and returns how many. A stream has one peer: TCP does not
/// look at an address.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EPIPE`: not connected, or shut down; without `MSG_NOSIGNAL` the caller gets SIGPIPE,
/// too. `EAGAIN`: no room, and it must not wait, or not for longer. `EINTR`: a signal came before the first byte.
/// `EFAULT`: not readable. `EOPNOTSUPP`: `MSG_OOB`, or an address for a local socket. `EISCONN`: the same, and it is
/// connected. `EMSGSIZE`: a message that is too long. What became of the connection.
pub(crate) fn sendto(
    cx: &mut Context<'_>,
    fd: Fd,
    (buffer, len): (usize, usize),
    flags: u32,
    (addr, addr_len): (usize, u32),
) -> SysResult {
    let mut from = UserSource::buffer(cx.space(), buffer, len)?;
    let file = socket::find(cx, fd)?;
    let mut message = Outgoing::default();
    if addr != 0 {
        message.to = read_destination(cx, socket::of(&file)?, (addr, addr_len), flags)?;
    }
    send(cx, &file, &mut from, &mut message, flags)
}

/// [`sendto`] from the buffers of the `struct msghdr` at `header`, with the descriptors that it names.
///
/// # Errors
/// As [`sendto`]. `EMSGSIZE`: more than `IOV_MAX` buffers. Those of [`cmsg::read_rights`].
pub(crate) fn sendmsg(cx: &mut Context<'_>, fd: Fd, header: usize, flags: u32) -> SysResult {
    let file = socket::find(cx, fd)?;
    let header = UserPtr::<MessageHeader>::new(cx.space(), header).read()?;
    let (iov, count) = header.buffers()?;
    let mut from = UserSource::vector(cx.space(), iov, count)?;
    let socket = socket::of(&file)?;
    let rights = cmsg::read_rights(cx, &header, socket.nature())?;
    let mut message = Outgoing { rights, ..Outgoing::default() };
    if header.name != 0 && header.name_len != 0 {
        message.to = read_destination(cx, socket, (header.name as usize, header.name_len), flags)?;
    }
    send(cx, &file, &mut from, &mut message, flags)
}

/// Reads where a message is to go, which streams do not need to know.
fn read_destination(
    cx: &Context<'_>,
    socket: &dyn Socket,
    (addr, len): (usize, u32),
    flags: u32,
) -> Result<Option<Destination>, Errno> {
    let nature = socket.nature();
    let address = socket::read_address(cx, addr, len)?;
    match (nature.family, nature.kind) {
        (family::AF_UNIX, kind::SOCK_STREAM) if socket.peer().is_ok() => Err(Errno::EISCONN),
        (family::AF_UNIX, kind::SOCK_STREAM) => Err(Errno::EOPNOTSUPP),
        (family::AF_UNIX, kind::SOCK_DGRAM) => {
            if MessageFlags::from_bits_truncate(flags).contains(MessageFlags::OUT_OF_BAND) {
                return Err(Errno::EOPNOTSUPP);
            }
            unix::find(cx, Kind::Datagram, address.unix()?).map(|to| Some(Destination::Local(to)))
        }
        (family::AF_INET, kind::SOCK_DGRAM) => address.for_datagram().map(|to| Some(Destination::Inet(to))),
        (family::AF_NETLINK, _) => {
            let to = address.netlink()?;
            if (to.port != 0 || to.groups != 0) && !cx.credentials().can(Capability::NET_ADMIN) {
                return Err(Errno::EPERM);
            }
            Ok(Some(Destination::Netlink(to.port)))
        }
        _ => Ok(None),
    }
}

fn send(
    cx: &Context<'_>,
    file: &OpenFile,
    from: &mut UserSource<'_>,
    message: &mut Outgoing,
    flags: u32,
) -> SysResult {
    let flags = MessageFlags::from_bits_truncate(flags);
    let socket = socket::of(file)?;
    if flags.contains(MessageFlags::OUT_OF_BAND) {
        return Err(Errno::EOPNOTSUPP);
    }
    message.flags = flags;
    let limit = if flags.contains(MessageFlags::DONT_WAIT) {
        Timeout::Now
    } else {
        socket::limit(file, socket.options().send_timeout)
    };
    if let Some(Destination::Local(to)) = &message.to {
        // Room is not the sender's to tell.
        let to = to.clone();
        let _stranger = Stranger::new(&to);
        let for_room = (crate::linux::unix::room(&to), Events::WRITABLE, Share::All);
        return patience::until_changed(cx, for_room, limit, || socket.send(from, message));
    }
    let is_stream = socket.write_extent() == WriteExtent::Everything;
    let mut total = 0;
    let result = patience::within(cx, file, (Events::WRITABLE, Check::Try), limit, || {
        if total > 0 && file.file().has_pending_error() {
            return Poll::Ready(Ok(()));
        }
        let before = from.remaining();
        match socket.send(from, message) {
            Poll::Ready(Ok(count)) => {
                total += count;
                let is_torn = before - from.remaining() != count;
                let is_over = !is_stream || is_torn || from.remaining() == 0;
                if is_over { Poll::Ready(Ok(())) } else { Poll::Pending }
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    });
    match result {
        Err(error) if total == 0 => {
            if is_stream && !flags.contains(MessageFlags::NO_SIGNAL) {
                write::signal_broken_pipe(cx, error);
            }
            Err(error)
        }
        _ => Ok(total),
    }
}
