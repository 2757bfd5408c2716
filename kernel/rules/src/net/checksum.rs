//! The checksums of TCP segments: verified, computed, or left to a network card.
//!
//! The engine leaves them out; the link that sends a packet completes them. Words of eight bytes are added, in the
//! machine's own byte order: the sum is the same, with its bytes swapped.
//! Why: decision 0090.
//! Source: RFC 1071 section 2; RFC 9293 section 3.1.

use crate::net::wire::{IpProtocol, Ipv4Packet};

/// The offset of the checksum in a TCP header.
pub const PLACE: usize = 16;

/// The offset of the checksum in a UDP header.
const DATAGRAM_PLACE: usize = 6;

/// TCP's number in an IP header.
const TCP: u8 = 6;

/// Where a TCP segment is in a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct SegmentRange {
    start: usize,
    end: usize,
}

/// Finds the TCP segment of a whole packet. `None`: there is none, or it is incomplete.
fn segment(packet: &[u8]) -> Option<SegmentRange> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    let is_whole = ip.next_header() == IpProtocol::Tcp && !ip.more_frags() && ip.frag_offset() == 0;
    let place = SegmentRange { start: ip.header_len().into(), end: ip.total_len().into() };
    (is_whole && place.start + PLACE + 2 <= place.end).then_some(place)
}

/// Returns whether the checksum of the TCP segment in `packet` is right.
#[must_use]
pub fn is_right(packet: &[u8]) -> bool {
    segment(packet).is_some_and(|SegmentRange { start, end }| {
        fold(add(pseudo_header(packet, end - start), &packet[start..end])) == u16::MAX
    })
}

/// Fills in the checksum of the TCP segment in `packet`, if there is one.
pub fn complete(packet: &mut [u8]) {
    if let Some(SegmentRange { start, end }) = segment(packet) {
        packet[start + PLACE..][..2].fill(0);
        let sum = !fold(add(pseudo_header(packet, end - start), &packet[start..end]));
        packet[start + PLACE..][..2].copy_from_slice(&sum.to_ne_bytes());
    }
}

/// Fills in the sum of the pseudo-header, from which a card completes the checksum of the TCP segment in `packet`.
/// Returns where the segment begins; `None`: there is none.
pub fn leave(packet: &mut [u8]) -> Option<usize> {
    let SegmentRange { start, end } = segment(packet)?;
    let sum = fold(pseudo_header(packet, end - start));
    packet[start + PLACE..][..2].copy_from_slice(&sum.to_ne_bytes());
    Some(start)
}

/// Clears the checksum of a UDP datagram in `packet`, because the card has verified it or it is not complete.
pub fn waive(packet: &mut [u8]) {
    let Ok(ip) = Ipv4Packet::new_checked(&*packet) else { return };
    let place = usize::from(ip.header_len()) + DATAGRAM_PLACE;
    if ip.next_header() == IpProtocol::Udp && ip.frag_offset() == 0 && place + 2 <= ip.total_len().into() {
        packet[place..][..2].fill(0);
    }
}

/// Adds up the pseudo-header: both addresses, the protocol and the length.
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

/// Adds with end-around carry.
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
mod tests;
