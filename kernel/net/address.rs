//! The addresses of sockets: parsing them, and the bytes that programs see.
//!
//! Not here: the addresses of the families above `net` (`linux/unix`, `linux/netlink`).

use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};

use ostd_pod::{FromZeros, IntoBytes};
use rules::abi::errno::Errno;
use rules::net::abi::socket::{SockAddrIn, family};

use super::socket::SocketCaller;
use crate::core::syscall::caller::Right;

/// The size of `struct sockaddr_storage`, the longest address.
pub(crate) const ADDRESS_MAX: usize = 128;

/// The first port that needs no capability: `ip_unprivileged_port_start`.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// The address of a socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Address {
    /// `AF_INET`.
    Inet(SocketAddrV4),
    /// Any other family: the bytes that programs see.
    Other(Vec<u8>),
}

impl Address {
    /// Returns the bytes that programs see.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Inet(address) => SockAddrIn::from(address).as_bytes().to_vec(),
            Self::Other(bytes) => bytes,
        }
    }
}

/// An address that a program passed: its bytes.
pub(crate) struct RawAddress {
    bytes: [u8; ADDRESS_MAX],
    len: usize,
}

/// An address for an internet socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum InetAddress {
    /// `AF_UNSPEC`, with the address that bind(2) reads in it.
    Unspecified(SocketAddrV4),
    /// `AF_INET`.
    Inet(SocketAddrV4),
    /// Any other family.
    Foreign,
}

impl RawAddress {
    /// Wraps the first `len` bytes of `bytes`.
    pub(crate) const fn new(bytes: [u8; ADDRESS_MAX], len: usize) -> Self {
        Self { bytes, len }
    }

    /// Returns its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Returns whether the family is `AF_UNSPEC`.
    ///
    /// # Errors
    /// `EINVAL`: too short for a family.
    pub(crate) fn is_unspecified(&self) -> Result<bool, Errno> {
        let family = self.bytes().first_chunk().ok_or(Errno::EINVAL)?;
        Ok(u16::from_ne_bytes(*family) == family::AF_UNSPEC)
    }

    /// Parses the address for an internet socket.
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

    /// Parses the address for bind(2) of an internet socket: `AF_UNSPEC` with address 0 stands for any address.
    ///
    /// # Errors
    /// `EINVAL`: too short. `EAFNOSUPPORT`: another family. `EACCES`: a port below 1024, which `caller` may not bind.
    pub(crate) fn for_bind(&self, caller: &dyn SocketCaller) -> Result<SocketAddrV4, Errno> {
        let address = match self.inet()? {
            InetAddress::Inet(address) => address,
            InetAddress::Unspecified(address) if *address.ip() == Ipv4Addr::UNSPECIFIED => address,
            InetAddress::Unspecified(_) | InetAddress::Foreign => return Err(Errno::EAFNOSUPPORT),
        };
        let is_reserved = address.port() != 0 && address.port() < FIRST_UNPRIVILEGED;
        if is_reserved && !caller.may(Right::BindReservedPort) {
            return Err(Errno::EACCES);
        }
        Ok(address)
    }

    /// Parses the address as the destination of a datagram.
    ///
    /// # Errors
    /// `EINVAL`: too short, or no port. `EAFNOSUPPORT`: another family.
    pub(crate) fn for_datagram(&self) -> Result<SocketAddrV4, Errno> {
        if self.len < size_of::<SockAddrIn>() {
            return Err(Errno::EINVAL);
        }
        match self.inet()? {
            InetAddress::Foreign => Err(Errno::EAFNOSUPPORT),
            // Linux takes `AF_UNSPEC` for `AF_INET`.
            InetAddress::Inet(to) | InetAddress::Unspecified(to) if to.port() != 0 => Ok(to),
            InetAddress::Inet(_) | InetAddress::Unspecified(_) => Err(Errno::EINVAL),
        }
    }
}
