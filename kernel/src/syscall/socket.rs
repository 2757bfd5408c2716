//! socket(2), and what all calls on sockets share: finding the socket, and addresses in user memory.
//!
//! Not here: what sockets do (`net`).
//! Source: Linux 6.1 net/socket.c, net/ipv4/af_inet.c (`inet_create`).

use alloc::sync::Arc;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use model::abi::errno::Errno;
use model::abi::open::OpenFlags;
use model::abi::socket::{IPPROTO_TCP, SockAddrIn, SocketFlags, family, kind};
use model::fd::{Fd, OnExec};
use ostd_pod::{FromZeros, IntoBytes};

use super::context::{Context, SysResult};
use crate::clock;
use crate::file::description::OpenFile;
use crate::file::many::Timeout;
use crate::memory::user::{UserPtr, UserSlice};
use crate::net::socket::{self, TcpSocket};
use crate::object::socketpair::End;

/// `struct sockaddr_storage`: no address is longer.
const ADDRESS_MAX: usize = 128;

/// Makes a socket and returns its number.
///
/// # Errors
/// `EINVAL`: an unknown flag, family or type. `EAFNOSUPPORT`: a family that is not here. `ESOCKTNOSUPPORT`,
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
    if family != u32::from(family::AF_INET) {
        return Err(Errno::EAFNOSUPPORT);
    }
    match (kind, protocol) {
        (kind::SOCK_STREAM, 0 | IPPROTO_TCP) => {}
        (kind::SOCK_STREAM, _) => return Err(Errno::EPROTONOSUPPORT),
        _ => return Err(Errno::ESOCKTNOSUPPORT),
    }
    let flags = open_flags(flags);
    let file = socket::create(flags)?;
    cx.files().open(file, OnExec::from_flags(flags), cx.file_limit()).map(Fd::index)
}

/// The flags as open(2) has them.
pub(super) fn open_flags(flags: SocketFlags) -> OpenFlags {
    OpenFlags::from_bits_truncate(flags.bits())
}

/// The description behind `fd`, which must be a socket's, or an end of a pair.
///
/// # Errors
/// `EBADF`: not open. `ENOTSOCK`: something else.
pub(super) fn find(cx: &Context<'_>, fd: Fd) -> Result<Arc<OpenFile>, Errno> {
    let file = cx.files().get(fd)?;
    if file.downcast::<End>().is_none() {
        of(&file)?;
    }
    Ok(file)
}

/// The socket behind a description.
///
/// # Errors
/// `ENOTSOCK`: it is something else.
pub(super) fn of(file: &OpenFile) -> Result<&TcpSocket, Errno> {
    file.downcast().ok_or(Errno::ENOTSOCK)
}

/// An address that a program passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Address {
    /// `AF_UNSPEC`, and what bind(2) takes it for.
    Unspecified(SocketAddrV4),
    /// `AF_INET`.
    Inet(SocketAddrV4),
    /// Any other family.
    Foreign,
}

/// Reads the `len` bytes of an address.
///
/// # Errors
/// `EINVAL`: too short, or longer than any. `EFAULT`: not readable.
pub(super) fn read_address(cx: &Context<'_>, addr: usize, len: u32) -> Result<Address, Errno> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > ADDRESS_MAX {
        return Err(Errno::EINVAL);
    }
    let mut bytes = [0; ADDRESS_MAX];
    UserSlice::new(cx.space(), addr, len)?.read_bytes(&mut bytes[..len])?;
    if len < size_of::<u16>() {
        return Err(Errno::EINVAL);
    }
    let mut address = SockAddrIn::new_zeroed();
    let known = size_of::<SockAddrIn>();
    address.as_mut_bytes().copy_from_slice(&bytes[..known]);
    match address.family {
        family::AF_UNSPEC => Ok(Address::Unspecified(address.address())),
        _ if len < known => Err(Errno::EINVAL),
        family::AF_INET => Ok(Address::Inet(address.address())),
        _ => Ok(Address::Foreign),
    }
}

impl Address {
    /// The address for bind(2): `AF_UNSPEC` with no address is any address.
    ///
    /// # Errors
    /// `EAFNOSUPPORT`: another family.
    pub(super) fn for_bind(self) -> Result<SocketAddrV4, Errno> {
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
pub(super) fn write_address(
    cx: &Context<'_>,
    addr: usize,
    len: usize,
    address: SocketAddrV4,
) -> Result<(), Errno> {
    let address = SockAddrIn::from(address);
    let bytes = address.as_bytes();
    let length = UserPtr::<i32>::new(cx.space(), len);
    let room = usize::try_from(length.read()?).map_err(|_| Errno::EINVAL)?;
    let written = room.min(bytes.len());
    UserSlice::new(cx.space(), addr, written)?.write_bytes(&bytes[..written])?;
    length.write(&(bytes.len() as i32))
}

/// How long an operation on a socket may wait: `O_NONBLOCK`, or its timeout, from now on.
pub(super) fn limit(file: &OpenFile, timeout: Option<Duration>) -> Timeout<Duration> {
    match timeout {
        _ if file.is_nonblocking() => Timeout::Now,
        Some(timeout) => Timeout::At(clock::now() + timeout),
        None => Timeout::Never,
    }
}
