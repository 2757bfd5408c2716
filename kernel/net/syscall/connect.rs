//! connect(2).
//!
//! Source: Linux 6.1 net/ipv4/af_inet.c (`__inet_stream_connect`).

use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::linux::capability::Capability;
use rules::linux::unix::socket::Kind;
use rules::net::tcp::socket::Attempt;

use super::socket::{InetAddress, RawAddress};
use super::{socket, unix};
use crate::core::event::wait::Check;
use crate::core::file::many::Timeout;
use crate::core::syscall::patience;
use crate::linux::netlink::NetlinkSocket;
use crate::linux::syscall::context::{Context, SysResult};
use crate::linux::unix::UnixSocket;
use crate::net::socket::Socket as _;
use crate::net::tcp::TcpSocket;
use crate::net::udp::UdpSocket;

/// Connects the socket with the address at `addr`; `AF_UNSPEC` undoes that.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: no address. `EFAULT`: not readable. `EAFNOSUPPORT`: another family.
/// `EISCONN`: connected already. `EINPROGRESS`: it has begun, and the socket has `O_NONBLOCK` or the time is up.
/// `EALREADY`: it had begun before. `ECONNREFUSED`, `ETIMEDOUT`, `ECONNRESET`: how it went. `ENETUNREACH`: no way leads
/// there. `EPERM`: only root speaks to others than the kernel. `EADDRNOTAVAIL`: no port is free. `EINTR`: a signal came first; the connection goes on. `ENOBUFS`: no memory.
/// Those of [`unix::connect`].
pub(crate) fn connect(cx: &mut Context<'_>, fd: Fd, addr: usize, len: u32) -> SysResult {
    let file = socket::find(cx, fd)?;
    let address = socket::read_address(cx, addr, len)?;
    if let Some(socket) = file.downcast::<UnixSocket>() {
        if socket.kind() == Kind::Datagram && address.is_unspecified()? {
            return socket.associate(None).map(|()| 0);
        }
        return unix::connect(cx, &file, socket, address.unix()?);
    }
    if let Some(socket) = file.downcast::<UdpSocket>() {
        return connect_datagrams(socket, address.inet()?);
    }
    if let Some(socket) = file.downcast::<NetlinkSocket>() {
        return connect_to_kernel(cx, socket, &address);
    }
    let socket: &TcpSocket = file.downcast().ok_or(Errno::EOPNOTSUPP)?;
    let remote = match address.inet()? {
        InetAddress::Inet(remote) => remote,
        InetAddress::Foreign => return Err(Errno::EAFNOSUPPORT),
        InetAddress::Unspecified(_) => {
            socket.disconnect();
            return Ok(0);
        }
    };
    let attempt = socket.connect(remote)?;
    let limit = socket::limit(&file, socket.options().send_timeout);
    let is_first = attempt == Attempt::First;
    let going_on = if is_first { Errno::EINPROGRESS } else { Errno::EALREADY };
    // Linux has seen no answer by then, not even from this machine.
    if is_first && limit == Timeout::Now {
        return Err(going_on);
    }
    let mut is_over = false;
    let result = patience::within(cx, &file, (Events::WRITABLE, Check::Try), limit, || {
        let result = socket.connecting();
        is_over = matches!(result, Poll::Ready(_));
        result
    });
    match result {
        Err(Errno::EAGAIN) if !is_over => Err(going_on),
        result => result.map(|()| 0),
    }
}

/// Lets a datagram socket hear one peer only, or everybody again.
fn connect_datagrams(socket: &UdpSocket, address: InetAddress) -> SysResult {
    match address {
        InetAddress::Inet(remote) => socket.connect(remote)?,
        InetAddress::Foreign => return Err(Errno::EAFNOSUPPORT),
        InetAddress::Unspecified(_) => socket.disconnect(),
    }
    Ok(0)
}

/// Notes whom the messages of a netlink socket are for.
fn connect_to_kernel(cx: &Context<'_>, socket: &NetlinkSocket, address: &RawAddress) -> SysResult {
    let peer = if address.is_unspecified()? { None } else { Some(address.netlink()?) };
    if peer.is_some_and(|peer| peer.port != 0 || peer.groups != 0)
        && !cx.credentials().can(Capability::NET_ADMIN)
    {
        return Err(Errno::EPERM);
    }
    socket.connect(peer, cx.process().pid());
    Ok(0)
}
