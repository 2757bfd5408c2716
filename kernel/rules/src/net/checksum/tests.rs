//! Checksums against smoltcp's, and each damaged bit.

use core::net::{Ipv4Addr, SocketAddrV4};

use super::*;
use crate::net::socket::Options;
use crate::net::tcp::connection::Connection;
use crate::net::tcp::packet::PacketBatch;
use crate::net::tcp::segment::Tuple;
use crate::net::tcp::{PathKind, Resources};
use crate::net::wire::{IpAddress, TcpPacket};

/// A SYN, with `len` bytes behind it.
fn packet(len: usize) -> std::vec::Vec<u8> {
    let [local, remote] =
        [2, 15].map(|host| SocketAddrV4::new(Ipv4Addr::new(10, 200, 255, host), 40000 + u16::from(host)));
    let mut out = PacketBatch::new();
    let now = core::time::Duration::from_secs(1);
    let route = PathKind::Link { mtu: 1500 };
    let mut client = Connection::connect(
        Tuple { local, remote },
        route,
        Resources::unlimited(7),
        &Options::default(),
        now,
    );
    let _ = client.settle(now, &mut out);
    let mut bytes = out[0].ip().to_vec();
    bytes.extend((0..len).map(|at| (at * at + 251) as u8));
    let mut ip = Ipv4Packet::new_unchecked(&mut bytes);
    let total = ip.total_len() + len as u16;
    ip.set_total_len(total);
    ip.fill_checksum();
    bytes
}

fn is_right_for_others(packet: &[u8]) -> bool {
    let ip = Ipv4Packet::new_checked(packet).unwrap();
    let [from, to] = [ip.src_addr(), ip.dst_addr()].map(IpAddress::Ipv4);
    TcpPacket::new_checked(ip.payload()).unwrap().verify_checksum(&from, &to)
}

#[test]
fn it_is_what_others_compute_and_sees_each_bit() {
    for len in [0, 1, 2, 3, 7, 8, 9, 100, 1459, 1460] {
        let mut packet = packet(len);
        complete(&mut packet);
        assert!(is_right(&packet) && is_right_for_others(&packet), "{len}");
        // Time to live and the header's own checksum are not covered.
        for byte in (12..packet.len()).filter(|byte| *byte != 20 + 12) {
            packet[byte] ^= 1 << (byte % 8);
            assert!(!is_right(&packet), "{len}, {byte}");
            packet[byte] ^= 1 << (byte % 8);
        }
    }
}

#[test]
fn a_card_can_do_the_rest() {
    let mut packet = packet(33);
    let start = leave(&mut packet).unwrap();
    assert!(!is_right(&packet));
    let sum = !fold(add(0, &packet[start..]));
    packet[start + PLACE..][..2].copy_from_slice(&sum.to_ne_bytes());
    assert!(is_right(&packet));
}

#[test]
fn what_is_no_segment_is_left_alone() {
    let mut packet = packet(8);
    packet[9] = 17;
    let mut before = packet.clone();
    complete(&mut packet);
    assert_eq!((leave(&mut packet), is_right(&packet)), (None, false));
    assert_eq!(packet, before);
    before[20 + DATAGRAM_PLACE..][..2].fill(0);
    waive(&mut packet);
    assert_eq!(packet, before);
    for len in 0..40 {
        assert!(!is_right(&before[..len]));
    }
}
