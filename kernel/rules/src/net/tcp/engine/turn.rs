//! When the machine has its turn: what is due now, and what is known about later without asking it.
//!
//! To ask smoltcp when it wants to be called again costs as much as half a segment. It is not asked where the answer can
//! only be "not for a while".
//!
//! Why: decision 0044.

use core::time::Duration;

use smoltcp::iface::PollResult;
use smoltcp::wire::{IPV4_HEADER_LEN, TcpPacket};

use super::{ACKNOWLEDGMENT, Engine, LONG, Patience, View};
use crate::net::tcp::packet::{Burst, Packet};
use crate::net::tcp::phase::Phase;
use crate::net::tcp::segment::Segment;
use crate::net::tcp::wire::{Route, Wire};

/// Segments that one call sends at most. More than both buffers hold in segments of a network; what is left goes with
/// the next call.
const BURST: usize = 64;

impl Engine {
    /// Sends what is due, and says when there will be more to do.
    pub(in crate::net::tcp) fn dispatch(&mut self, now: Duration, out: &mut Burst) -> Option<Duration> {
        if let Some(at) = self.next
            && at.is_none_or(|at| at > now)
            && !self.may_owe_window()
        {
            return at;
        }
        let first = out.len();
        let burst = if self.phase() == Phase::FinWait2 { 1 } else { BURST };
        let instant = self.clock.instant(now);
        // Bytes that were just written are due without a question.
        let has_written = core::mem::take(&mut self.has_written);
        let mut at =
            if has_written { Some(instant) } else { self.interface.poll_at(instant, &self.machine.set) };
        for _ in 0..burst {
            if at.is_none_or(|at| at > instant) {
                break;
            }
            let mut wire =
                Wire { packet: None, out: Some(out), route: self.route, packet_len: self.packet_len };
            let result = self.interface.poll_egress(instant, &mut wire, &mut self.machine.set);
            if has_written && self.is_all_out(&out[first..]) {
                // What comes next is a repetition, which is not due so soon: smoltcp is asked then.
                self.look();
                self.note(out, first);
                self.next = Some(Some(now + ACKNOWLEDGMENT));
                return now.checked_add(ACKNOWLEDGMENT);
            }
            at = self.interface.poll_at(instant, &self.machine.set);
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

    /// Whether there is nothing to send before the time that [`dispatch`](Self::dispatch) gave last.
    pub(in crate::net::tcp) fn is_at_rest(&self) -> bool {
        self.next.is_some() && !self.may_owe_window()
    }

    /// Whether the peer may have to hear that there is room again. smoltcp tells it when the window has doubled; to
    /// ask smoltcp costs as much as to send, and after most reads the answer is no.
    fn may_owe_window(&self) -> bool {
        self.untold * 4 >= self.machine.room - self.received()
    }

    /// Whether a segment that was expected, and is all taken, has left nothing to do before its acknowledgment is due:
    /// everything sent is acknowledged, and what came needs no answer at once.
    pub(super) fn foresees(&self, segment: &Segment, before: View) -> bool {
        self.is_quiet()
            && before.phase == Phase::Established
            && !segment.has_fin
            && self.unacknowledged() == 0
            && self.unanswered < LONG.min(self.peer_segment)
    }

    /// Whether nothing happens by itself sooner than after [`ACKNOWLEDGMENT`], as long as no bytes wait to be sent.
    fn is_quiet(&self) -> bool {
        self.route == Route::Local && self.phase() == Phase::Established && self.patience == Patience::Waits
    }

    /// Whether the first packet of `sent` took everything along that waited.
    fn is_all_out(&self, sent: &[Packet]) -> bool {
        let [packet] = sent else { return false };
        let tcp = TcpPacket::new_unchecked(&packet.ip()[IPV4_HEADER_LEN..]);
        self.is_quiet() && !tcp.fin() && tcp.payload().len() == self.unacknowledged()
    }
}
