//! socket(2), and what all calls on sockets share: finding the socket, and addresses in user memory.
//!
//! Not here: what sockets do (`net`).
//! Source: Linux 6.1 net/socket.c, net/ipv4/af_inet.c (`inet_create`).

use alloc::sync::Arc;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use ostd_pod::{FromBytes, FromZeros, IntoBytes};
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::linux::capability::Capability;
use rules::linux::netlink::request::Privilege;
use rules::linux::unix::name::Given;
use rules::linux::unix::socket::Kind;
use rules::net::abi::socket::{
    IPPROTO_TCP, IPPROTO_UDP, NETLINK_ROUTE, SockAddrIn, SockAddrNl, SocketFlags, Ucred, family, kind,
};

use crate::core::file::description::OpenFile;
use crate::core::file::many::Timeout;
use crate::linux::netlink::{self, NetlinkSocket};
use crate::linux::syscall::context::{Caller, Context, SysResult};
use crate::linux::unix::{self, UnixSocket};
use crate::machine::clock;
use crate::machine::memory::user::{UserPtr, UserSlice};
use crate::net::socket::{Address, Socket};
use crate::net::tcp::{self, TcpSocket};
use crate::net::udp::{self, UdpSocket};

/// `struct sockaddr_storage`: no address is longer.
const ADDRESS_MAX: usize = 128;

/// How many protocols there may be: `IPPROTO_MAX`.
const PROTOCOLS: u32 = 263;

/// Makes a socket and returns its number.
///
/// # Errors
/// `EINVAL`: an unknown flag or type, or no number of a protocol. `EAFNOSUPPORT`: a family that is not here. `ESOCKTNOSUPPORT`,
/// `EPROTONOSUPPORT`: a type or protocol that the family has not. `EMFILE`: no number is free. `ENOMEM`.
pub(crate) fn socket(cx: &mut Context<'_>, family: u32, kind: u32, protocol: u32) -> SysResult {
    let flags = SocketFlags::from_bits(kind & !kind::SOCK_TYPE_MASK).ok_or(Errno::EINVAL)?;
    let kind = kind & kind::SOCK_TYPE_MASK;
    if family >= family::AF_MAX {
        return Err(Errno::EAFNOSUPPORT);
    }
    if kind >= kind::SOCK_MAX {
        return Err(Errno::EINVAL);
    }
    let (flags, uid) = (open_flags(flags), cx.credentials().uid());
    let file = match (u16::try_from(family), kind, protocol) {
        (Ok(family::AF_INET), _, PROTOCOLS..) => return Err(Errno::EINVAL),
        (Ok(family::AF_INET), kind::SOCK_STREAM, 0 | IPPROTO_TCP) => tcp::create(flags, uid)?,
        (Ok(family::AF_INET), kind::SOCK_STREAM, _) => return Err(Errno::EPROTONOSUPPORT),
        (Ok(family::AF_INET), kind::SOCK_DGRAM, 0 | IPPROTO_UDP) => udp::create(flags, uid)?,
        (Ok(family::AF_INET), kind::SOCK_DGRAM, _) | (Ok(family::AF_INET), kind::SOCK_RAW, 0) => {
            return Err(Errno::EPROTONOSUPPORT);
        }
        (Ok(family::AF_INET), ..) => return Err(Errno::ESOCKTNOSUPPORT),
        (Ok(family::AF_UNIX), ..) => unix::create(unix_kind(kind, protocol)?, flags, uid)?,
        (Ok(family::AF_NETLINK), kind::SOCK_RAW | kind::SOCK_DGRAM, NETLINK_ROUTE) => {
            let may_change = cx.credentials().can(Capability::NET_ADMIN);
            let privilege = if may_change { Privilege::Root } else { Privilege::None };
            netlink::create(kind, flags, caller(cx), privilege)?
        }
        (Ok(family::AF_NETLINK), kind::SOCK_RAW | kind::SOCK_DGRAM, _) => {
            return Err(Errno::EPROTONOSUPPORT);
        }
        (Ok(family::AF_NETLINK), ..) => return Err(Errno::ESOCKTNOSUPPORT),
        _ => return Err(Errno::EAFNOSUPPORT),
    };
    cx.files().open(file, OnExec::from_flags(flags), cx.file_limit()).map(Fd::index)
}

/// The flags as open(2) has them.
pub(crate) fn open_flags(flags: SocketFlags) -> OpenFlags {
    OpenFlags::from_bits_truncate(flags.bits())
}

/// What a local socket of type `kind` carries.
///
/// # Errors
/// `EPROTONOSUPPORT`: there is only one protocol. `ESOCKTNOSUPPORT`: there is no such type.
pub(crate) fn unix_kind(kind: u32, protocol: u32) -> Result<Kind, Errno> {
    if protocol != 0 && protocol != u32::from(family::AF_UNIX) {
        return Err(Errno::EPROTONOSUPPORT);
    }
    match kind {
        kind::SOCK_STREAM => Ok(Kind::Stream),
        kind::SOCK_SEQPACKET => Ok(Kind::SeqPacket),
        // Linux takes the one for the other.
        kind::SOCK_DGRAM | kind::SOCK_RAW => Ok(Kind::Datagram),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

/// The description behind `fd`, which must be a socket's.
///
/// # Errors
/// `EBADF`: not open. `ENOTSOCK`: something else.
pub(crate) fn find(cx: &Context<'_>, fd: Fd) -> Result<Arc<OpenFile>, Errno> {
    let file = cx.files().get(fd)?;
    of(&file)?;
    Ok(file)
}

/// The socket behind a description.
///
/// # Errors
/// `ENOTSOCK`: it is something else.
pub(crate) fn of(file: &OpenFile) -> Result<&dyn Socket, Errno> {
    if let Some(socket) = file.downcast::<TcpSocket>() {
        return Ok(socket);
    }
    if let Some(socket) = file.downcast::<UdpSocket>() {
        return Ok(socket);
    }
    if let Some(socket) = file.downcast::<UnixSocket>() {
        return Ok(socket);
    }
    let socket: &NetlinkSocket = file.downcast().ok_or(Errno::ENOTSOCK)?;
    Ok(socket)
}

/// Who calls, as the other end of a local socket sees it.
pub(crate) fn caller(cx: &Context<'_>) -> Ucred {
    let credentials = cx.credentials();
    Ucred { pid: cx.process().pid(), uid: credentials.uid(), gid: credentials.gid() }
}

/// An address that a program passed: its bytes.
pub(crate) struct RawAddress {
    bytes: [u8; ADDRESS_MAX],
    len: usize,
}

/// Reads the `len` bytes of an address.
///
/// # Errors
/// `EINVAL`: longer than any. `EFAULT`: not readable.
pub(crate) fn read_address(cx: &Context<'_>, addr: usize, len: u32) -> Result<RawAddress, Errno> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > ADDRESS_MAX {
        return Err(Errno::EINVAL);
    }
    let mut bytes = [0; ADDRESS_MAX];
    UserSlice::new(cx.space(), addr, len)?.read_bytes(&mut bytes[..len])?;
    Ok(RawAddress { bytes, len })
}

/// An address for an internet socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum InetAddress {
    /// `AF_UNSPEC`, and what bind(2) takes it for.
    Unspecified(SocketAddrV4),
    /// `AF_INET`.
    Inet(SocketAddrV4),
    /// Any other family.
    Foreign,
}

impl RawAddress {
    /// As an internet socket reads it.
    ///
    /// # Errors
    /// `EINVAL`: too short.
    pub(crate) fn inet(&self) -> Result<InetAddress, Errno> {
        if self.len < size_of::<u16>() {
            return Err(Errno::EINVAL);
        }
        let mut address = SockAddrIn::new_zeroed();
        let known = size_of::<SockAddrIn>();
        address.as_mut_bytes().copy_from_slice(&self.bytes[..known]);
        match address.family {
            family::AF_UNSPEC => Ok(InetAddress::Unspecified(address.address())),
            _ if self.len < known => Err(Errno::EINVAL),
            family::AF_INET => Ok(InetAddress::Inet(address.address())),
            _ => Ok(InetAddress::Foreign),
        }
    }

    /// As a datagram's destination.
    ///
    /// # Errors
    /// `EINVAL`: too short, or no port. `EAFNOSUPPORT`: another family.
    pub(crate) fn for_datagram(&self) -> Result<SocketAddrV4, Errno> {
        if self.len < size_of::<SockAddrIn>() {
            return Err(Errno::EINVAL);
        }
        match self.inet()? {
            InetAddress::Foreign => Err(Errno::EAFNOSUPPORT),
            // Linux takes no family for its own.
            InetAddress::Inet(to) | InetAddress::Unspecified(to) if to.port() != 0 => Ok(to),
            InetAddress::Inet(_) | InetAddress::Unspecified(_) => Err(Errno::EINVAL),
        }
    }

    /// Whether it is of no family at all.
    ///
    /// # Errors
    /// `EINVAL`: it is too short for a family.
    pub(crate) fn is_unspecified(&self) -> Result<bool, Errno> {
        let family = self.bytes[..self.len].first_chunk().ok_or(Errno::EINVAL)?;
        Ok(u16::from_ne_bytes(*family) == family::AF_UNSPEC)
    }

    /// As a netlink socket reads it.
    ///
    /// # Errors
    /// `EINVAL`: too short, or of another family.
    pub(crate) fn netlink(&self) -> Result<SockAddrNl, Errno> {
        let (address, _) =
            SockAddrNl::read_from_prefix(&self.bytes[..self.len]).map_err(|_| Errno::EINVAL)?;
        if address.family == family::AF_NETLINK { Ok(address) } else { Err(Errno::EINVAL) }
    }

    /// As a local socket reads it.
    ///
    /// # Errors
    /// Those of [`Given::parse`].
    pub(crate) fn unix(&self) -> Result<Given, Errno> {
        Given::parse(&self.bytes[..self.len])
    }
}

impl InetAddress {
    /// The address for bind(2): `AF_UNSPEC` with no address is any address.
    ///
    /// # Errors
    /// `EAFNOSUPPORT`: another family.
    pub(crate) fn for_bind(self) -> Result<SocketAddrV4, Errno> {
        match self {
            Self::Inet(address) => Ok(address),
            Self::Unspecified(address) if *address.ip() == Ipv4Addr::UNSPECIFIED => Ok(address),
            Self::Unspecified(_) | Self::Foreign => Err(Errno::EAFNOSUPPORT),
        }
    }
}

/// Writes `address` to where `addr` is and `*len` bytes of room are, and its whole length to `*len`.
///
/// # Errors
/// `EINVAL`: negative room. `EFAULT`: not writable.
pub(crate) fn write_address(
    cx: &Context<'_>,
    addr: usize,
    len: usize,
    address: &Address,
) -> Result<(), Errno> {
    let bytes = &address.to_bytes()[..];
    let length = UserPtr::<i32>::new(cx.space(), len);
    let room = usize::try_from(length.read()?).map_err(|_| Errno::EINVAL)?;
    let written = room.min(bytes.len());
    UserSlice::new(cx.space(), addr, written)?.write_bytes(&bytes[..written])?;
    length.write(&(bytes.len() as i32))
}

/// How long an operation on a socket may wait: `O_NONBLOCK`, or its timeout, from now on.
pub(crate) fn limit(file: &OpenFile, timeout: Option<Duration>) -> Timeout<Duration> {
    match timeout {
        _ if file.is_nonblocking() => Timeout::Now,
        Some(timeout) => Timeout::At(clock::now() + timeout),
        None => Timeout::Never,
    }
}
