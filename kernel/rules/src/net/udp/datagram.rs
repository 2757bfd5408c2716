//! Reads and writes datagrams, and the ICMP errors about them.
//!
//! Refuses packets that no socket may see: fragments, damaged ones, ones from a broadcast or multicast address.
//! Source: RFC 768; RFC 792; RFC 1122 sections 3.2.2.1 and 4.1.3.

use core::net::SocketAddrV4;

use crate::abi::errno::Errno;
use crate::machine::transfer::Source;
use crate::net::tcp::PathKind;
use crate::net::tcp::packet::Packet;
use crate::net::tcp::segment;
use crate::net::wire::{
    Checksum, ChecksumCapabilities, IPV4_HEADER_LEN, Icmpv4DstUnreachable, Icmpv4Message, Icmpv4Packet,
    Icmpv4Repr, IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, UDP_HEADER_LEN, UdpPacket, UdpRepr,
};

/// The largest datagram, in bytes.
pub const MOST: usize = 65_535 - IPV4_HEADER_LEN - UDP_HEADER_LEN;

/// The hop limit: `net.ipv4.ip_default_ttl`.
const HOPS: u8 = 64;

/// A datagram that has arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram<'a> {
    /// The sender.
    pub from: SocketAddrV4,
    /// The receiver.
    pub to: SocketAddrV4,
    /// The payload.
    pub bytes: &'a [u8],
}

/// What a packet is, if a UDP socket can receive it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival<'a> {
    /// A datagram.
    Datagram(Datagram<'a>),
    /// An ICMP error about a datagram: its sender, its receiver, and the errno.
    Failure(SocketAddrV4, SocketAddrV4, Errno),
}

/// Parses a packet. `None`: no UDP socket can receive it.
#[must_use]
pub fn parse(packet: &[u8]) -> Option<Arrival<'_>> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    if ip.version() != 4 || ip.more_frags() || ip.frag_offset() != 0 || !segment::is_unicast(ip.src_addr()) {
        return None;
    }
    match ip.next_header() {
        IpProtocol::Udp => parse_datagram(&ip).map(Arrival::Datagram),
        IpProtocol::Icmp => parse_failure(ip.payload()),
        _ => None,
    }
}

fn parse_datagram<'a>(ip: &Ipv4Packet<&'a [u8]>) -> Option<Datagram<'a>> {
    let udp = UdpPacket::new_checked(ip.payload()).ok()?;
    let [source, destination] = [ip.src_addr(), ip.dst_addr()].map(IpAddress::Ipv4);
    // A checksum of zero is none, and good.
    if udp.dst_port() == 0 || !udp.verify_checksum(&source, &destination) {
        return None;
    }
    Some(Datagram {
        from: SocketAddrV4::new(ip.src_addr(), udp.src_port()),
        to: SocketAddrV4::new(ip.dst_addr(), udp.dst_port()),
        bytes: udp.payload(),
    })
}

fn parse_failure(icmp: &[u8]) -> Option<Arrival<'_>> {
    let icmp = Icmpv4Packet::new_checked(icmp).ok()?;
    if icmp.msg_type() != Icmpv4Message::DstUnreachable || !icmp.verify_checksum() {
        return None;
    }
    // The start of the packet that it is about, of which there need not be more than this.
    let quoted = icmp.data();
    if quoted.len() < IPV4_HEADER_LEN {
        return None;
    }
    let header = Ipv4Packet::new_unchecked(quoted);
    let [a, b, c, d] = *quoted.get(usize::from(header.header_len())..)?.first_chunk()?;
    if header.version() != 4 || header.next_header() != IpProtocol::Udp {
        return None;
    }
    let error = match Icmpv4DstUnreachable::from(icmp.msg_code()) {
        Icmpv4DstUnreachable::PortUnreachable => Errno::ECONNREFUSED,
        Icmpv4DstUnreachable::ProtoUnreachable => Errno::ENOPROTOOPT,
        Icmpv4DstUnreachable::FragRequired => Errno::EMSGSIZE,
        Icmpv4DstUnreachable::NetUnreachable => Errno::ENETUNREACH,
        _ => Errno::EHOSTUNREACH,
    };
    let from = SocketAddrV4::new(header.src_addr(), u16::from_be_bytes([a, b]));
    let to = SocketAddrV4::new(header.dst_addr(), u16::from_be_bytes([c, d]));
    Some(Arrival::Failure(from, to, error))
}

/// Makes a packet of a datagram that carries all of `bytes`.
///
/// # Errors
/// `EMSGSIZE`: too many for a datagram, or for the path's MTU; packets are not fragmented. `EFAULT`: `bytes` is not
/// readable. `ENOBUFS`: no memory.
pub fn make(
    from: SocketAddrV4,
    to: SocketAddrV4,
    bytes: &mut dyn Source,
    route: PathKind,
) -> Result<Packet, Errno> {
    let len = bytes.remaining();
    let room = match route {
        PathKind::Local => MOST,
        PathKind::Link { mtu } => usize::from(mtu).saturating_sub(IPV4_HEADER_LEN + UDP_HEADER_LEN),
    };
    if len > room {
        return Err(Errno::EMSGSIZE);
    }
    let udp = UdpRepr { src_port: from.port(), dst_port: to.port() };
    let ip = Ipv4Repr {
        src_addr: *from.ip(),
        dst_addr: *to.ip(),
        next_header: IpProtocol::Udp,
        payload_len: UDP_HEADER_LEN + len,
        hop_limit: HOPS,
    };
    let mut checksums = ChecksumCapabilities::default();
    if route == PathKind::Local {
        // Nothing damages it on the way.
        checksums.udp = Checksum::None;
    }
    let packet = Packet::try_new(IPV4_HEADER_LEN + UDP_HEADER_LEN + len);
    let mut packet = packet.ok_or(Errno::ENOBUFS)?;
    let (header, payload) = packet.ip_mut().split_at_mut(IPV4_HEADER_LEN);
    ip.emit(&mut Ipv4Packet::new_unchecked(header), &checksums);
    let mut taken = 0;
    let [source, destination] = [ip.src_addr, ip.dst_addr].map(IpAddress::Ipv4);
    let mut datagram = UdpPacket::new_unchecked(payload);
    udp.emit(&mut datagram, &source, &destination, len, |space| taken = bytes.take(space), &checksums);
    if taken < len { Err(Errno::EFAULT) } else { Ok(packet) }
}

/// Makes the port-unreachable error for the datagram in `packet`. `None`: it was a broadcast or multicast.
#[must_use]
pub fn refuse(packet: &[u8]) -> Option<Packet> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    if !segment::is_unicast(ip.dst_addr()) || !segment::is_unicast(ip.src_addr()) {
        return None;
    }
    let header = Ipv4Repr::parse(&ip, &ChecksumCapabilities::ignored()).ok()?;
    let icmp = Icmpv4Repr::DstUnreachable {
        reason: Icmpv4DstUnreachable::PortUnreachable,
        header,
        data: ip.payload().get(..UDP_HEADER_LEN)?,
    };
    let answer = Ipv4Repr {
        src_addr: ip.dst_addr(),
        dst_addr: ip.src_addr(),
        next_header: IpProtocol::Icmp,
        payload_len: icmp.buffer_len(),
        hop_limit: HOPS,
    };
    let checksums = ChecksumCapabilities::default();
    let mut packet = Packet::new(IPV4_HEADER_LEN + icmp.buffer_len());
    let (header, payload) = packet.ip_mut().split_at_mut(IPV4_HEADER_LEN);
    answer.emit(&mut Ipv4Packet::new_unchecked(header), &checksums);
    icmp.emit(&mut Icmpv4Packet::new_unchecked(payload), &checksums);
    Some(packet)
}
