//! The checksums of TCP segments: whether one is right, to complete it, and to leave that to a network card.
//!
//! The protocol machine leaves them out; whoever sends a packet over a link completes them. Words of eight bytes are added, in
//! the machine's own order: the sum is the same, with its bytes swapped.
//! Why: decision 0090.
//! Source: RFC 1071 section 2; RFC 9293 section 3.1.

use smoltcp::wire::{IpProtocol, Ipv4Packet};

/// Where a TCP header has the checksum.
pub const PLACE: usize = 16;

/// Where the header of a datagram has it.
const DATAGRAM_PLACE: usize = 6;

/// The protocol's number in a packet.
const TCP: u8 = 6;

/// Where a TCP segment is in a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place {
    start: usize,
    end: usize,
}

/// Finds the segment of a whole packet. `None`: there is none, or not all of it.
fn segment(packet: &[u8]) -> Option<Place> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    let is_whole = ip.next_header() == IpProtocol::Tcp && !ip.more_frags() && ip.frag_offset() == 0;
    let place = Place { start: ip.header_len().into(), end: ip.total_len().into() };
    (is_whole && place.start + PLACE + 2 <= place.end).then_some(place)
}

/// Whether the checksum of the TCP segment in `packet` is right.
#[must_use]
pub fn is_right(packet: &[u8]) -> bool {
    segment(packet).is_some_and(|Place { start, end }| {
        fold(add(pseudo_header(packet, end - start), &packet[start..end])) == u16::MAX
    })
}

/// Computes the checksum of the TCP segment in `packet`; nothing if there is none.
pub fn complete(packet: &mut [u8]) {
    if let Some(Place { start, end }) = segment(packet) {
        packet[start + PLACE..][..2].fill(0);
        let sum = !fold(add(pseudo_header(packet, end - start), &packet[start..end]));
        packet[start + PLACE..][..2].copy_from_slice(&sum.to_ne_bytes());
    }
}

/// Leaves the checksum of the TCP segment in `packet` to a card, which finds there what it cannot know. Where the segment
/// begins; `None`: there is none.
pub fn leave(packet: &mut [u8]) -> Option<usize> {
    let Place { start, end } = segment(packet)?;
    let sum = fold(pseudo_header(packet, end - start));
    packet[start + PLACE..][..2].copy_from_slice(&sum.to_ne_bytes());
    Some(start)
}

/// Says of a datagram in `packet` that it has no checksum: that was looked at, or is not complete.
pub fn waive(packet: &mut [u8]) {
    let Ok(ip) = Ipv4Packet::new_checked(&*packet) else { return };
    let place = usize::from(ip.header_len()) + DATAGRAM_PLACE;
    if ip.next_header() == IpProtocol::Udp && ip.frag_offset() == 0 && place + 2 <= ip.total_len().into() {
        packet[place..][..2].fill(0);
    }
}

/// The sum of what a segment's checksum covers beside it: both addresses, the protocol and the length.
fn pseudo_header(packet: &[u8], len: usize) -> u64 {
    let [high, low] = (len as u16).to_be_bytes();
    add(add(0, &packet[12..20]), &[0, TCP, high, low])
}

fn add(sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(sum, |sum, word| add_word(sum, u64::from_ne_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    add_word(sum, u64::from_ne_bytes(last))
}

/// Adds with the carry going round.
const fn add_word(sum: u64, word: u64) -> u64 {
    let (sum, carries) = sum.overflowing_add(word);
    sum + carries as u64
}

const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, SocketAddrV4};

    use smoltcp::wire::{IpAddress, TcpPacket};

    use super::*;
    use crate::net::socket::Options;
    use crate::net::tcp::Route;
    use crate::net::tcp::connection::Connection;
    use crate::net::tcp::packet::Burst;
    use crate::net::tcp::segment::Tuple;

    /// A SYN, with `len` bytes behind it.
    fn packet(len: usize) -> std::vec::Vec<u8> {
        let [local, remote] =
            [2, 15].map(|host| SocketAddrV4::new(Ipv4Addr::new(10, 200, 255, host), 40000 + u16::from(host)));
        let mut out = Burst::new();
        let now = core::time::Duration::from_secs(1);
        let route = Route::Link { mtu: 1500 };
        let mut client = Connection::connect(Tuple { local, remote }, route, 7, &Options::default(), now);
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
}
