//! The addresses of sockets, as programs pass them and as they are told.
//!
//! Not here: what the families above `net` read in them (linux/unix, linux/netlink).

use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};

use ostd_pod::{FromZeros, IntoBytes};
use rules::abi::errno::Errno;
use rules::net::abi::socket::{SockAddrIn, family};

use super::socket::SocketCaller;
use crate::core::syscall::caller::Right;

/// `struct sockaddr_storage`: no address is longer.
pub(crate) const ADDRESS_MAX: usize = 128;

/// The first port that everybody may bind: `ip_unprivileged_port_start`.
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
    /// The bytes that programs see.
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
    /// `AF_UNSPEC`, and what bind(2) takes it for.
    Unspecified(SocketAddrV4),
    /// `AF_INET`.
    Inet(SocketAddrV4),
    /// Any other family.
    Foreign,
}

impl RawAddress {
    /// The first `len` bytes of `bytes`.
    pub(crate) const fn new(bytes: [u8; ADDRESS_MAX], len: usize) -> Self {
        Self { bytes, len }
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Whether it is of no family at all.
    ///
    /// # Errors
    /// `EINVAL`: it is too short for a family.
    pub(crate) fn is_unspecified(&self) -> Result<bool, Errno> {
        let family = self.bytes().first_chunk().ok_or(Errno::EINVAL)?;
        Ok(u16::from_ne_bytes(*family) == family::AF_UNSPEC)
    }

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

    /// As bind(2) of an internet socket reads it: `AF_UNSPEC` with no address is any address.
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
}
