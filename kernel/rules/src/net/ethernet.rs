//! Ethernet frames and ARP packets.
//!
//! Source: RFC 894; RFC 826.

use core::net::Ipv4Addr;

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A hardware address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The broadcast address.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Returns whether it belongs to one card.
    #[must_use]
    pub const fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0
    }
}

/// The type of IPv4 packets.
pub const IPV4: u16 = 0x0800;

/// The type of ARP packets.
pub const ARP: u16 = 0x0806;

/// The length of a frame's header.
pub const HEADER: usize = size_of::<Header>();

/// The header of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// The destination.
    pub to: Mac,
    /// The source.
    pub from: Mac,
    kind: U16,
}

impl Header {
    /// Makes the header of a frame that carries `kind`.
    #[must_use]
    pub const fn new(to: Mac, from: Mac, kind: u16) -> Self {
        Self { to, from, kind: U16::new(kind) }
    }

    /// Returns the type of what it carries.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        self.kind.get()
    }
}

/// An ARP request or reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Arp {
    hardware: U16,
    protocol: U16,
    hardware_len: u8,
    protocol_len: u8,
    operation: U16,
    from: Mac,
    from_ip: [u8; 4],
    to: Mac,
    to_ip: [u8; 4],
}

impl Arp {
    /// Makes the request for `wanted`.
    #[must_use]
    pub const fn ask(from: Mac, from_ip: Ipv4Addr, wanted: Ipv4Addr) -> Self {
        Self {
            hardware: U16::new(1),
            protocol: U16::new(IPV4),
            hardware_len: 6,
            protocol_len: 4,
            operation: U16::new(1),
            from,
            from_ip: from_ip.octets(),
            to: Mac([0; 6]),
            to_ip: wanted.octets(),
        }
    }

    /// Makes the reply of the machine that has the requested address.
    #[must_use]
    pub const fn answer(&self, mac: Mac) -> Self {
        Self {
            operation: U16::new(2),
            from: mac,
            from_ip: self.to_ip,
            to: self.from,
            to_ip: self.from_ip,
            ..*self
        }
    }

    /// Parses a packet for Ethernet and IPv4 from a unicast address; more bytes may follow.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (arp, _) = Self::read_from_prefix(bytes).ok()?;
        let speaks_of_us = arp.hardware.get() == 1
            && arp.protocol.get() == IPV4
            && (arp.hardware_len, arp.protocol_len) == (6, 4)
            && arp.from.is_unicast();
        speaks_of_us.then_some(arp)
    }

    /// Returns whether it is a request.
    #[must_use]
    pub const fn is_question(&self) -> bool {
        self.operation.get() == 1
    }

    /// Returns the addresses of the sender.
    #[must_use]
    pub const fn sender(&self) -> (Ipv4Addr, Mac) {
        (ip(self.from_ip), self.from)
    }

    /// Returns the address that a request asks for, or that a reply goes to.
    #[must_use]
    pub const fn target(&self) -> Ipv4Addr {
        ip(self.to_ip)
    }
}

const fn ip(bytes: [u8; 4]) -> Ipv4Addr {
    let [a, b, c, d] = bytes;
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const THEM: Mac = Mac([2, 0, 0, 0, 0, 2]);

    #[test]
    fn a_question_is_answered_by_whom_it_is_for() {
        let [here, there] = [Ipv4Addr::new(10, 0, 2, 15), Ipv4Addr::new(10, 0, 2, 2)];
        let question = Arp::ask(US, here, there);
        assert_eq!(question.as_bytes()[..8], [0, 1, 8, 0, 6, 4, 0, 1]);
        assert!(question.is_question() && question.target() == there);
        let answer = question.answer(THEM);
        assert!(!answer.is_question());
        assert_eq!((answer.sender(), answer.target()), ((there, THEM), here));
        assert_eq!(Arp::parse(answer.as_bytes()), Some(answer));
    }

    #[test]
    fn what_is_short_or_of_another_kind_is_none() {
        let good = Arp::ask(US, Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
        for len in 0..good.as_bytes().len() {
            assert_eq!(Arp::parse(&good.as_bytes()[..len]), None);
        }
        let everybody = Arp { from: Mac::BROADCAST, ..good };
        assert_eq!(Arp::parse(everybody.as_bytes()), None);
        assert_eq!(HEADER, 14);
    }
}
