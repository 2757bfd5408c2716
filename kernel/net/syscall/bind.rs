//! bind(2).

use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::linux::capability::Capability;

use super::{socket, unix};
use crate::linux::netlink::NetlinkSocket;
use crate::linux::syscall::context::{Context, SysResult};
use crate::linux::unix::UnixSocket;
use crate::net::tcp::TcpSocket;
use crate::net::udp::UdpSocket;

/// The first port that everybody may bind: `ip_unprivileged_port_start`.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// Gives the socket the address at `addr`.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: no socket. `EINVAL`: it has an address, or this is none. `EAFNOSUPPORT`: another family.
/// `EADDRNOTAVAIL`: no address of this machine. `EADDRINUSE`: taken. `EACCES`: a port below 1024 without `CAP_NET_BIND_SERVICE`.
/// `EFAULT`: not readable. Those of [`unix::bind`].
pub(crate) fn bind(cx: &mut Context<'_>, fd: Fd, addr: usize, len: u32) -> SysResult {
    let file = socket::find(cx, fd)?;
    let address = socket::read_address(cx, addr, len)?;
    if let Some(socket) = file.downcast::<UnixSocket>() {
        return unix::bind(cx, socket, address.unix()?);
    }
    if let Some(socket) = file.downcast::<NetlinkSocket>() {
        return socket.bind(address.netlink()?, cx.process().pid()).map(|()| 0);
    }
    let address = address.inet()?.for_bind()?;
    let is_reserved = address.port() != 0 && address.port() < FIRST_UNPRIVILEGED;
    if is_reserved && !cx.credentials().can(Capability::NET_BIND_SERVICE) {
        return Err(Errno::EACCES);
    }
    if let Some(socket) = file.downcast::<UdpSocket>() {
        return socket.bind(address).map(|()| 0);
    }
    let socket: &TcpSocket = file.downcast().ok_or(Errno::EOPNOTSUPP)?;
    socket.bind(address).map(|()| 0)
}
