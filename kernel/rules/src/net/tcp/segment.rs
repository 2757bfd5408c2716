//! What of a packet is looked at before it reaches its connection.
//!
//! Refuses what no connection may see: fragments, packets from or to several, port 0. smoltcp answers some of them.
//! Source: RFC 9293 section 3.10.7.1; RFC 1122 section 3.2.1.3.

use core::net::{Ipv4Addr, SocketAddrV4};

use super::rst;

/// The two ends of a connection, as one of them sees it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Tuple {
    /// This end.
    pub local: SocketAddrV4,
    /// The other.
    pub remote: SocketAddrV4,
}

/// The header of a TCP segment that has arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment {
    /// For whom it is, and from whom.
    pub tuple: Tuple,
    /// The number of its first byte.
    pub sequence: u32,
    /// The number of the byte that the sender expects next; only if `has_ack`.
    pub acknowledgment: u32,
    /// The window, not scaled.
    pub window: u16,
    /// Bytes of data.
    pub len: usize,
    /// Where they begin in the packet.
    pub start: u16,
    /// `SYN`.
    pub has_syn: bool,
    /// `ACK`.
    pub has_ack: bool,
    /// `FIN`.
    pub has_fin: bool,
    /// `RST`.
    pub has_rst: bool,
}

impl Segment {
    /// Reads the headers of a packet; `None` if it is not a TCP segment that a connection may see.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let segment = rst::parse(packet)?;
        let Tuple { local, remote } = segment.tuple;
        let is_fine = is_unicast(*local.ip()) && is_unicast(*remote.ip());
        (is_fine && local.port() != 0 && remote.port() != 0).then_some(segment)
    }

    /// Whether it asks for a new connection.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        self.has_syn && !self.has_ack && !self.has_rst && !self.has_fin
    }

    /// The number after its last byte.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.sequence.wrapping_add(self.len as u32).wrapping_add(self.has_syn as u32 + self.has_fin as u32)
    }
}

/// Whether `address` belongs to one host.
#[must_use]
pub fn is_unicast(address: Ipv4Addr) -> bool {
    !(address.is_broadcast()
        || address.is_multicast()
        || address.is_unspecified()
        || address == Ipv4Addr::new(127, 255, 255, 255))
}
