//! The checksums of TCP segments: whether one is right, to complete it, and to leave that to a network card.
//!
//! The protocol machine leaves them out; whoever sends a packet over a link completes them. Words of eight bytes are added, in
//! the machine's own order: the sum is the same, with its bytes swapped.
//! Why: decision 0090.
//! Source: RFC 1071 section 2; RFC 9293 section 3.1.

use crate::net::wire::{IpProtocol, Ipv4Packet};

/// Where a TCP header has the checksum.
pub const PLACE: usize = 16;

/// Where the header of a datagram has it.
const DATAGRAM_PLACE: usize = 6;

/// The protocol's number in a packet.
const TCP: u8 = 6;

/// Where a TCP segment is in a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct SegmentRange {
    start: usize,
    end: usize,
}

/// Finds the segment of a whole packet. `None`: there is none, or not all of it.
fn segment(packet: &[u8]) -> Option<SegmentRange> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    let is_whole = ip.next_header() == IpProtocol::Tcp && !ip.more_frags() && ip.frag_offset() == 0;
    let place = SegmentRange { start: ip.header_len().into(), end: ip.total_len().into() };
    (is_whole && place.start + PLACE + 2 <= place.end).then_some(place)
}

/// Whether the checksum of the TCP segment in `packet` is right.
#[must_use]
pub fn is_right(packet: &[u8]) -> bool {
    segment(packet).is_some_and(|SegmentRange { start, end }| {
        fold(add(pseudo_header(packet, end - start), &packet[start..end])) == u16::MAX
    })
}

/// Computes the checksum of the TCP segment in `packet`; nothing if there is none.
pub fn complete(packet: &mut [u8]) {
    if let Some(SegmentRange { start, end }) = segment(packet) {
        packet[start + PLACE..][..2].fill(0);
        let sum = !fold(add(pseudo_header(packet, end - start), &packet[start..end]));
        packet[start + PLACE..][..2].copy_from_slice(&sum.to_ne_bytes());
    }
}

/// Leaves the checksum of the TCP segment in `packet` to a card, which finds there what it cannot know. Where the segment
/// begins; `None`: there is none.
pub fn leave(packet: &mut [u8]) -> Option<usize> {
    let SegmentRange { start, end } = segment(packet)?;
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
mod tests;
