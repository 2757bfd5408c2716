//! Filters packets from a link before any protocol sees them, and answers pings.
//!
//! Drops packets that are damaged, whose source address is impossible, or that are for other hosts. Fragments pass: the
//! protocols drop them.
//! Source: RFC 1122 sections 3.2.1.1 to 3.2.1.3, 3.2.2.6.

use core::net::Ipv4Addr;

use crate::net::checksum;
use crate::net::network::Network;
use crate::net::tcp::packet::Packet;
use crate::net::tcp::segment;
use crate::net::virtio::prefix::Trust;
use crate::net::wire::{
    ChecksumCapabilities, IPV4_HEADER_LEN, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr,
};

/// Returns whether a packet from `network` may come in. If the card vouches for it, only the checksum of the IP header
/// is verified.
#[must_use]
pub fn admits(packet: &[u8], network: &Network, trust: Trust) -> bool {
    let Ok(ip) = Ipv4Packet::new_checked(packet) else { return false };
    let (from, to) = (ip.src_addr(), ip.dst_addr());
    let is_ours = to == network.address || to.is_broadcast() || network.is_broadcast(to);
    let comes_from_host = segment::is_unicast(from)
        && !from.is_loopback()
        && from != network.address
        && !network.is_broadcast(from);
    let is_for_one = to == network.address || ip.next_header() != IpProtocol::Tcp;
    let is_trusted = trust == Trust::Card && ip.version() == 4 && ip.verify_checksum();
    is_ours && comes_from_host && is_for_one && (is_trusted || is_intact(packet))
}

/// Returns whether the checksums of a packet are right: the IP header's and TCP's.
#[must_use]
pub fn is_intact(packet: &[u8]) -> bool {
    let Ok(ip) = Ipv4Packet::new_checked(packet) else { return false };
    if ip.version() != 4 || !ip.verify_checksum() {
        return false;
    }
    // UDP and ICMP verify theirs where they are parsed.
    if ip.next_header() != IpProtocol::Tcp {
        return true;
    }
    checksum::is_right(packet)
}

/// Makes the answer to a ping.
#[must_use]
pub fn pong(packet: &[u8], address: Ipv4Addr) -> Option<Packet> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    if ip.next_header() != IpProtocol::Icmp
        || ip.more_frags()
        || ip.frag_offset() != 0
        || ip.dst_addr() != address
    {
        return None;
    }
    let checksums = ChecksumCapabilities::default();
    let icmp = Icmpv4Repr::parse(&Icmpv4Packet::new_checked(ip.payload()).ok()?, &checksums).ok()?;
    let Icmpv4Repr::EchoRequest { ident, seq_no, data } = icmp else { return None };
    let icmp = Icmpv4Repr::EchoReply { ident, seq_no, data };
    let answer = Ipv4Repr {
        src_addr: address,
        dst_addr: ip.src_addr(),
        next_header: IpProtocol::Icmp,
        payload_len: icmp.buffer_len(),
        hop_limit: 64,
    };
    let mut packet = Packet::new(IPV4_HEADER_LEN + icmp.buffer_len());
    let (header, payload) = packet.ip_mut().split_at_mut(IPV4_HEADER_LEN);
    answer.emit(&mut Ipv4Packet::new_unchecked(header), &checksums);
    icmp.emit(&mut Icmpv4Packet::new_unchecked(payload), &checksums);
    Some(packet)
}

#[cfg(test)]
mod tests;
