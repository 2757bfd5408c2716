//! What a packet from a link must be before anybody looks at it, and what is answered to pings.
//!
//! Refuses what was damaged, what a sender cannot be, and what is for others. Fragments pass: whoever takes a packet
//! refuses them.
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

/// Whether a packet that has come from `network` may come in. Checksums of what `trust` answers for are not looked at,
/// except that of the header.
#[must_use]
pub fn admits(packet: &[u8], network: &Network, trust: Trust) -> bool {
    let Ok(ip) = Ipv4Packet::new_checked(packet) else { return false };
    let (from, to) = (ip.src_addr(), ip.dst_addr());
    let is_ours = to == network.address || to.is_broadcast() || network.is_broadcast(to);
    let is_somebody = segment::is_unicast(from)
        && !from.is_loopback()
        && from != network.address
        && !network.is_broadcast(from);
    let is_for_one = to == network.address || ip.next_header() != IpProtocol::Tcp;
    let is_trusted = trust == Trust::Card && ip.version() == 4 && ip.verify_checksum();
    is_ours && is_somebody && is_for_one && (is_trusted || is_intact(packet))
}

/// Whether a packet is as it was sent, as far as its checksums say.
#[must_use]
pub fn is_intact(packet: &[u8]) -> bool {
    let Ok(ip) = Ipv4Packet::new_checked(packet) else { return false };
    if ip.version() != 4 || !ip.verify_checksum() {
        return false;
    }
    // Those of datagrams are looked at where they are read.
    if ip.next_header() != IpProtocol::Tcp {
        return true;
    }
    checksum::is_right(packet)
}

/// The answer to a ping.
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
mod tests {
    use core::net::SocketAddrV4;

    use super::*;
    use crate::net::tcp::PathKind;
    use crate::net::udp::datagram;

    const NETWORK: Network = Network::QEMU_USER;
    const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

    fn datagram(from: Ipv4Addr, to: Ipv4Addr) -> Packet {
        let [from, to] = [from, to].map(|ip| SocketAddrV4::new(ip, 9));
        datagram::make(from, to, &mut &b"hello"[..], PathKind::Link { mtu: 1500 }).expect("a small datagram")
    }

    #[test]
    fn only_what_is_for_us_and_from_somebody_comes_in() {
        let us = NETWORK.address;
        for (from, to, expected) in [
            (PEER, us, true),
            (Ipv4Addr::new(1, 1, 1, 1), us, true),
            (PEER, Ipv4Addr::new(10, 0, 2, 255), true),
            (PEER, Ipv4Addr::new(10, 0, 2, 16), false),
            (PEER, Ipv4Addr::LOCALHOST, false),
            (Ipv4Addr::LOCALHOST, us, false),
            (us, us, false),
            (Ipv4Addr::BROADCAST, us, false),
            (Ipv4Addr::new(10, 0, 2, 255), us, false),
        ] {
            assert_eq!(
                admits(datagram(from, to).ip(), &NETWORK, Trust::Checksum),
                expected,
                "{from} to {to}"
            );
        }
    }

    #[test]
    fn damage_to_a_header_is_seen() {
        let good = datagram(PEER, NETWORK.address);
        for byte in 0..IPV4_HEADER_LEN {
            let mut bad = good.clone();
            bad.ip_mut()[byte] ^= 1;
            assert!(!admits(bad.ip(), &NETWORK, Trust::Checksum), "{byte}");
        }
        for len in 0..good.ip().len() {
            assert!(!admits(&good.ip()[..len], &NETWORK, Trust::Checksum), "{len}");
        }
    }

    #[test]
    fn a_ping_is_answered_with_what_it_said() {
        let question = Icmpv4Repr::EchoRequest { ident: 7, seq_no: 8, data: b"abc" };
        let ip = Ipv4Repr {
            src_addr: PEER,
            dst_addr: NETWORK.address,
            next_header: IpProtocol::Icmp,
            payload_len: question.buffer_len(),
            hop_limit: 3,
        };
        let checksums = ChecksumCapabilities::default();
        let mut packet = Packet::new(IPV4_HEADER_LEN + question.buffer_len());
        let (header, payload) = packet.ip_mut().split_at_mut(IPV4_HEADER_LEN);
        ip.emit(&mut Ipv4Packet::new_unchecked(header), &checksums);
        question.emit(&mut Icmpv4Packet::new_unchecked(payload), &checksums);
        let answer = pong(packet.ip(), NETWORK.address).expect("an answer");
        assert_eq!(answer.destination(), Some(PEER));
        let ip = Ipv4Packet::new_checked(answer.ip()).expect("a packet");
        let icmp = Icmpv4Packet::new_checked(ip.payload()).expect("a message");
        let said = Icmpv4Repr::parse(&icmp, &checksums).expect("a good one");
        assert_eq!(said, Icmpv4Repr::EchoReply { ident: 7, seq_no: 8, data: b"abc" });
        assert_eq!(pong(answer.ip(), PEER), None);
    }
}
