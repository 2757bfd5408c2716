//! Which packets come in, and the answer to a ping.

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
fn only_packets_for_us_from_a_unicast_address_are_admitted() {
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
        assert_eq!(admits(datagram(from, to).ip(), &NETWORK, Trust::Checksum), expected, "{from} to {to}");
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
