//! Parses a program's requests, one message after the other, and refuses those that are not supported.
//!
//! Interfaces are configured on the kernel's command line: changes fail with `EOPNOTSUPP`, as those of ioctl(2) do.
//! Missing: neighbours, rules, the route to one address (`EOPNOTSUPP`); filters of dumps
//! (`NETLINK_GET_STRICT_CHK`).
//! Source: rtnetlink(7); Linux 6.1 net/netlink/af_netlink.c (`netlink_rcv_skb`), net/core/rtnetlink.c
//! (`rtnetlink_rcv_msg`, `rtnl_getlink`).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use zerocopy::FromBytes;

use super::dump::{self, Facts};
use super::message::{self, FIRST_KIND, HEADER, NetlinkFlags, NetlinkHeader, Recipient};
use crate::abi::errno::Errno;
use crate::net::abi::netdevice::Interface;

/// `RTM_GETLINK`, and what is told of each: `RTM_NEWLINK`.
const GET_LINK: u16 = 18;
/// `RTM_GETADDR`.
const GET_ADDRESS: u16 = 22;
/// `RTM_GETROUTE`.
const GET_ROUTE: u16 = 26;
/// `RTM_MAX`.
const LAST_KIND: u16 = 123;

/// `IFLA_IFNAME` and `IFLA_ALT_IFNAME`.
const NAMES: [u16; 2] = [3, 53];
/// `IFNAMSIZ`, with the zero.
const NAME_MAX: usize = 16;

/// Bytes of a `struct ifinfomsg`.
const LINK_HEADER: usize = 16;

/// Whether the program may change what belongs to all (`CAP_NET_ADMIN`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Privilege {
    /// It may.
    Root,
    /// It may not.
    None,
}

/// A message from a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NetlinkRequest<'a> {
    /// Its header.
    pub header: NetlinkHeader,
    /// All of it.
    pub bytes: &'a [u8],
}

/// What a request leads to.
#[derive(Debug, Eq, PartialEq)]
pub enum NetlinkReply {
    /// Nothing but perhaps an acknowledgment.
    Nothing,
    /// A message.
    Message(Vec<u8>),
    /// A list in several datagrams, which is never acknowledged.
    List(VecDeque<Vec<u8>>),
}

/// Returns the messages of a datagram, up to one that is cut short.
pub fn requests(mut datagram: &[u8]) -> impl Iterator<Item = NetlinkRequest<'_>> {
    core::iter::from_fn(move || {
        let (header, _) = NetlinkHeader::read_from_prefix(datagram).ok()?;
        let len = usize::try_from(header.len).ok()?;
        let bytes = datagram.get(..len).filter(|bytes| bytes.len() >= HEADER)?;
        datagram = datagram.get(message::aligned(len)..).unwrap_or(&[]);
        Some(NetlinkRequest { header, bytes })
    })
}

impl NetlinkRequest<'_> {
    /// Returns the flags that mean something.
    #[must_use]
    pub const fn flags(&self) -> NetlinkFlags {
        NetlinkFlags::from_bits_truncate(self.header.flags)
    }

    /// Answers it, for the socket `port`.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: no such request here. `EPERM`: the program may not change that. `EINVAL`: too short, or no
    /// interface is named. `ERANGE`: no name is so long. `ENODEV`: there is no such interface.
    pub fn answer(&self, privilege: Privilege, port: u32, facts: &Facts) -> Result<NetlinkReply, Errno> {
        if !self.flags().contains(NetlinkFlags::REQUEST) || self.header.kind < FIRST_KIND {
            return Ok(NetlinkReply::Nothing);
        }
        if self.header.kind > LAST_KIND {
            return Err(Errno::EOPNOTSUPP);
        }
        let body = &self.bytes[HEADER..];
        if body.is_empty() {
            return Ok(NetlinkReply::Nothing);
        }
        // Of four kinds in a row the third asks; the others change something.
        if self.header.kind % 4 != GET_LINK % 4 {
            return Err(if privilege == Privilege::Root { Errno::EOPNOTSUPP } else { Errno::EPERM });
        }
        let to = Recipient { sequence: self.header.sequence, port };
        let is_list = self.flags().intersects(NetlinkFlags::DUMP);
        match self.header.kind {
            GET_LINK if is_list => Ok(NetlinkReply::List(dump::links(facts, to))),
            GET_ADDRESS if is_list => Ok(NetlinkReply::List(dump::addresses(facts, to))),
            GET_ROUTE if is_list => Ok(NetlinkReply::List(dump::routes(facts, to))),
            GET_LINK => {
                let is_meant = wanted(body)?;
                let found = facts.interfaces.iter().find(|(interface, _)| is_meant.is(interface));
                let (interface, traffic) = found.ok_or(Errno::ENODEV)?;
                Ok(NetlinkReply::Message(dump::link(interface, traffic, NetlinkFlags::empty(), to)))
            }
            _ => Err(Errno::EOPNOTSUPP),
        }
    }
}

/// Which interface is meant.
enum Wanted<'a> {
    Index(u32),
    Name(&'a [u8]),
}

impl Wanted<'_> {
    fn is(&self, interface: &Interface) -> bool {
        match *self {
            Self::Index(index) => interface.index == index,
            Self::Name(name) => interface.name.as_bytes() == name,
        }
    }
}

fn wanted(body: &[u8]) -> Result<Wanted<'_>, Errno> {
    let (header, rest) = body.split_first_chunk::<LINK_HEADER>().ok_or(Errno::EINVAL)?;
    let mut name = None;
    for (kind, value) in message::attributes(rest).filter(|(kind, _)| NAMES.contains(kind)) {
        let value = value.strip_suffix(&[0]).unwrap_or(value);
        if value.len() >= NAME_MAX {
            return Err(Errno::ERANGE);
        }
        // The first of the two kinds goes before the other.
        if kind == NAMES[0] || name.is_none() {
            name = Some(value);
        }
    }
    let [_, _, _, _, a, b, c, d, ..] = *header;
    match i32::from_ne_bytes([a, b, c, d]) {
        index @ 1.. => Ok(Wanted::Index(index.unsigned_abs())),
        _ => name.map(Wanted::Name).ok_or(Errno::EINVAL),
    }
}
