//! Reads and writes the headers of TCP segments.
//!
//! [`Segment::parse`] refuses what no connection may see: fragments, broadcast and multicast, port 0. smoltcp would
//! answer some of them.
//! Source: RFC 9293 section 3.10.7.1; RFC 1122 section 3.2.1.3.

use core::net::{Ipv4Addr, SocketAddrV4};

use super::packet::Packet;
use super::path::PathKind;
use crate::net::wire::{
    IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

/// The addresses of a connection, as one end sees them.
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
    /// The receiver's view of both addresses.
    pub tuple: Tuple,
    /// The sequence number of its first byte.
    pub sequence: u32,
    /// The next byte that the sender expects; valid only if `has_ack`.
    pub acknowledgment: u32,
    /// The window, not scaled.
    pub window: u16,
    /// Bytes of data.
    pub len: usize,
    /// Where the data begins in the packet.
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
    /// Parses a packet. `None`: it is not a TCP segment that a connection may see.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let segment = parse_headers(packet)?;
        let Tuple { local, remote } = segment.tuple;
        let is_fine = is_unicast(*local.ip()) && is_unicast(*remote.ip());
        (is_fine && local.port() != 0 && remote.port() != 0).then_some(segment)
    }

    /// Returns whether it asks for a new connection: SYN alone.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        self.has_syn && !self.has_ack && !self.has_rst && !self.has_fin
    }

    /// Returns the sequence number after its last byte.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.sequence.wrapping_add(self.len as u32).wrapping_add(self.has_syn as u32 + self.has_fin as u32)
    }
}

/// Returns whether `address` can belong to one host.
#[must_use]
pub fn is_unicast(address: Ipv4Addr) -> bool {
    !(address.is_broadcast()
        || address.is_multicast()
        || address.is_unspecified()
        || address == Ipv4Addr::new(127, 255, 255, 255))
}

/// Parses the headers of a whole TCP segment, from any address.
#[inline]
pub(super) fn parse_headers(packet: &[u8]) -> Option<Segment> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    if ip.version() != 4 || ip.next_header() != IpProtocol::Tcp || ip.more_frags() || ip.frag_offset() != 0 {
        return None;
    }
    let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
    let local = SocketAddrV4::new(ip.dst_addr(), tcp.dst_port());
    let remote = SocketAddrV4::new(ip.src_addr(), tcp.src_port());
    Some(Segment {
        tuple: Tuple { local, remote },
        sequence: tcp.seq_number().0.cast_unsigned(),
        acknowledgment: tcp.ack_number().0.cast_unsigned(),
        window: tcp.window_len(),
        len: tcp.payload().len(),
        start: u16::from(ip.header_len()) + u16::from(tcp.header_len()),
        has_syn: tcp.syn(),
        has_ack: tcp.ack(),
        has_fin: tcp.fin(),
        has_rst: tcp.rst(),
    })
}

/// Makes a segment without data, options and ports; [`emit`] fills in the ports.
pub(super) const fn bare(
    control: TcpControl,
    sequence: u32,
    acknowledgment: Option<u32>,
    window: u16,
) -> TcpRepr<'static> {
    TcpRepr {
        src_port: 0,
        dst_port: 0,
        control,
        seq_number: TcpSeqNumber(sequence.cast_signed()),
        ack_number: match acknowledgment {
            Some(number) => Some(TcpSeqNumber(number.cast_signed())),
            None => None,
        },
        window_len: window,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    }
}

/// Makes a packet of a segment from `tuple.local` to `tuple.remote`.
pub(super) fn emit(tuple: Tuple, tcp: &TcpRepr<'_>, path: PathKind) -> Packet {
    let tcp = TcpRepr { src_port: tuple.local.port(), dst_port: tuple.remote.port(), ..*tcp };
    let ip = Ipv4Repr {
        src_addr: *tuple.local.ip(),
        dst_addr: *tuple.remote.ip(),
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let checksums = path.checksums();
    let mut packet = Packet::new(ip.buffer_len() + tcp.buffer_len());
    let (header, payload) = packet.ip_mut().split_at_mut(ip.buffer_len());
    let [source, destination] = [ip.src_addr, ip.dst_addr].map(IpAddress::Ipv4);
    tcp.emit(&mut TcpPacket::new_unchecked(payload), &source, &destination, &checksums);
    ip.emit(&mut Ipv4Packet::new_unchecked(header), &checksums);
    packet
}
