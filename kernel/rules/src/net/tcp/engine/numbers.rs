//! The sequence numbers of what was sent, and what the peer said of itself in its SYN.

use smoltcp::wire::{IPV4_HEADER_LEN, TcpOption, TcpPacket, TcpSeqNumber};

use super::Engine;
use crate::net::tcp::packet::Packet;

/// The sequence numbers in the last segment sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::net::tcp) struct Sent {
    /// The number after the last byte sent: SND.NXT.
    pub(in crate::net::tcp) next: u32,
    /// The number of the byte that is expected: RCV.NXT.
    pub(in crate::net::tcp) expected: u32,
}

impl Engine {
    /// Records the numbers of the last packet in `out`, and corrects its number if it carries no bytes.
    ///
    /// To retransmit, smoltcp goes back to the first unacknowledged byte, and numbers pure acknowledgments from there
    /// as well. The peer is further on, takes them for old and ignores them; if both ends have gone back, neither ever
    /// accepts the other's. So a segment without bytes leaves with the number after everything ever sent (RFC 9293:
    /// `SND.NXT`; `tcp_acceptable_seq`). Its checksum is computed later.
    pub(super) fn note(&mut self, out: &mut [Packet], first: usize) {
        if let Some(packet) = out.get_mut(first..).and_then(|sent| sent.last_mut()) {
            let mut tcp = TcpPacket::new_unchecked(&mut packet.ip_mut()[IPV4_HEADER_LEN..]);
            let len = tcp.segment_len();
            let next = tcp.seq_number() + len;
            let before = TcpSeqNumber(self.sent.next.cast_signed());
            // A window probe does not advance it: smoltcp goes on from before the probe's byte, and a peer without a
            // window accepts no other number.
            let is_probe = len == 1 && self.peer.window == 0 && !tcp.syn() && !tcp.fin();
            let is_new = tcp.syn() || (next > before && !is_probe);
            let expected = tcp.ack_number().0.cast_unsigned();
            // A retransmission does not move SND.NXT back.
            let next = if is_new { next } else { before };
            self.sent = Sent { next: next.0.cast_unsigned(), expected };
            (self.untold, self.unanswered) = (0, 0);
            if !is_new && len == 0 && !tcp.rst() {
                tcp.set_seq_number(before);
            }
        }
    }

    /// Reads the options of a SYN: MSS, window scale and selective acknowledgments.
    pub(super) fn note_request(&mut self, packet: &[u8]) {
        let Some(tcp) = packet.get(IPV4_HEADER_LEN..).and_then(|tcp| TcpPacket::new_checked(tcp).ok()) else {
            return;
        };
        let mut options = tcp.options();
        while let Ok((rest, option)) = TcpOption::parse(options) {
            match option {
                TcpOption::EndOfList => break,
                TcpOption::MaxSegmentSize(len) => self.peer_segment = usize::from(len).max(1),
                TcpOption::WindowScale(shift) => self.peer.window_scale = Some(shift),
                TcpOption::SackPermitted => self.peer.has_sack = true,
                _ => {}
            }
            if rest.is_empty() {
                break;
            }
            options = rest;
        }
    }

    /// Returns the sequence number of the next byte from the peer.
    pub(in crate::net::tcp) const fn expected(&self) -> u32 {
        self.sent.expected.wrapping_add(self.unanswered as u32)
    }
}
