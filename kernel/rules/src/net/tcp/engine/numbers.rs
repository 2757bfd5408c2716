//! The sequence numbers of what was sent, and what the peer said of itself in its SYN.

use smoltcp::wire::{IPV4_HEADER_LEN, TcpOption, TcpPacket, TcpSeqNumber};

use super::Engine;
use crate::net::tcp::packet::Packet;

/// Where the segments that were sent leave off.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::net::tcp) struct Sent {
    /// The number after the last byte sent.
    pub(in crate::net::tcp) next: u32,
    /// The number of the byte that is expected.
    pub(in crate::net::tcp) expected: u32,
}

impl Engine {
    /// What follows the numbers of what was sent.
    ///
    /// To send bytes again smoltcp goes back to the first that was not acknowledged, and from there it numbers
    /// acknowledgments as well. Its peer has got further, takes them for old and ignores them; where both ends have gone
    /// back, neither ever hears the other. So a segment without bytes leaves with the number after all that was ever
    /// sent (RFC 9293: `SND.NXT`; `tcp_acceptable_seq`). Its checksum is not made here.
    pub(super) fn note(&mut self, out: &mut [Packet], first: usize) {
        if let Some(packet) = out.get_mut(first..).and_then(|sent| sent.last_mut()) {
            let mut tcp = TcpPacket::new_unchecked(&mut packet.ip_mut()[IPV4_HEADER_LEN..]);
            let len = tcp.segment_len();
            let next = tcp.seq_number() + len;
            let before = TcpSeqNumber(self.sent.next.cast_signed());
            // Not the byte that asks whether a closed window is still closed: smoltcp goes on from before it, and a peer
            // without a window takes no other number.
            let is_probe = len == 1 && self.peer.window == 0 && !tcp.syn() && !tcp.fin();
            let is_new = tcp.syn() || (next > before && !is_probe);
            let expected = tcp.ack_number().0.cast_unsigned();
            // What is sent again is not the last.
            let next = if is_new { next } else { before };
            self.sent = Sent { next: next.0.cast_unsigned(), expected };
            (self.untold, self.unanswered) = (0, 0);
            if !is_new && len == 0 && !tcp.rst() {
                tcp.set_seq_number(before);
            }
        }
    }

    /// Takes from a packet with a SYN what the peer says of itself.
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

    /// Number of the byte that is to come next.
    pub(in crate::net::tcp) const fn expected(&self) -> u32 {
        self.sent.expected.wrapping_add(self.unanswered as u32)
    }
}
