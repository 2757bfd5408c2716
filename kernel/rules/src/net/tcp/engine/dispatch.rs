//! Sends what is due, and predicts when more will be, without asking smoltcp where possible.
//!
//! Asking smoltcp when to call it again costs as much as half a segment. It is not asked where the answer can only be
//! "not for a while".
//! Why: decision 0044.

use core::time::Duration;

use smoltcp::iface::PollResult;
use smoltcp::wire::{IPV4_HEADER_LEN, TcpPacket};

use super::device::PacketDevice;
use super::{ACKNOWLEDGMENT, AckPolicy, Engine, LONG, SocketSnapshot};
use crate::net::tcp::packet::{Packet, PacketBatch};
use crate::net::tcp::path::PathKind;
use crate::net::tcp::segment::Segment;
use crate::net::tcp::state::TcpState;

/// How many segments one call sends at most: more than both buffers hold in segments of a network. The next call
/// sends the rest.
const BURST: usize = 64;

impl Engine {
    /// Sends what is due and returns when it has to be called again.
    pub(in crate::net::tcp) fn dispatch(&mut self, now: Duration, out: &mut PacketBatch) -> Option<Duration> {
        if let Some(at) = self.next
            && at.is_none_or(|at| at > now)
            && !self.may_owe_window()
        {
            return at;
        }
        let first = out.len();
        let burst = if self.state() == TcpState::FinWait2 { 1 } else { BURST };
        let instant = self.clock.instant(now);
        // Bytes that were just written are due; smoltcp need not be asked.
        let has_written = core::mem::take(&mut self.has_written);
        let mut at =
            if has_written { Some(instant) } else { self.interface.poll_at(instant, &self.smoltcp.set) };
        for _ in 0..burst {
            if at.is_none_or(|at| at > instant) {
                break;
            }
            let mut device =
                PacketDevice { packet: None, out: Some(out), path: self.path, packet_len: self.packet_len };
            let result = self.interface.poll_egress(instant, &mut device, &mut self.smoltcp.set);
            if has_written && self.is_all_out(&out[first..]) {
                // Next comes a retransmission, which is not due so soon: smoltcp is asked then.
                self.look();
                self.note(out, first);
                self.next = Some(Some(now + ACKNOWLEDGMENT));
                return now.checked_add(ACKNOWLEDGMENT);
            }
            at = self.interface.poll_at(instant, &self.smoltcp.set);
            match result {
                PollResult::None => break,
                PollResult::SocketStateChanged => {}
            }
        }
        self.look();
        self.note(out, first);
        let at = at.map(|at| self.clock.when(at));
        self.next = Some(at);
        at
    }

    /// Returns whether nothing is to be sent before the time that [`dispatch`](Self::dispatch) returned last.
    pub(in crate::net::tcp) fn is_at_rest(&self) -> bool {
        self.next.is_some() && !self.may_owe_window()
    }

    /// Returns whether a window update may be due. smoltcp sends one when the window has doubled; asking it costs as
    /// much as sending, and after most reads the answer is no.
    fn may_owe_window(&self) -> bool {
        self.untold * 4 >= self.smoltcp.room - self.received()
    }

    /// Returns whether `segment`, which came in order and was accepted whole, leaves nothing to do before its delayed
    /// acknowledgment: everything sent is acknowledged, and nothing needs an answer at once.
    pub(super) fn foresees(&self, segment: &Segment, before: SocketSnapshot) -> bool {
        self.is_quiet()
            && before.state == TcpState::Established
            && !segment.has_fin
            && self.unacknowledged() == 0
            && self.unanswered < LONG.min(self.peer_segment)
    }

    /// Returns whether no timer of smoltcp's fires sooner than after [`ACKNOWLEDGMENT`], as long as no bytes wait to be
    /// sent.
    fn is_quiet(&self) -> bool {
        self.path == PathKind::Local
            && self.state() == TcpState::Established
            && self.ack_policy == AckPolicy::Delayed
    }

    /// Returns whether `sent` is one packet that carries everything that waited.
    fn is_all_out(&self, sent: &[Packet]) -> bool {
        let [packet] = sent else { return false };
        let tcp = TcpPacket::new_unchecked(&packet.ip()[IPV4_HEADER_LEN..]);
        self.is_quiet() && !tcp.fin() && tcp.payload().len() == self.unacknowledged()
    }
}
