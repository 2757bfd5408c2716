//! Protects a connection from blind attacks: a forged RST or SYN somewhere in its window.
//!
//! Neither reaches the engine unless its sequence number is exactly right. Otherwise the sender gets a challenge ACK. A
//! peer that has really lost the connection answers that with a RST of the right number.
//! Why: decision 0089.
//! Source: RFC 5961 sections 3, 4 and 10; Linux 6.1 net/ipv4/tcp_input.c (`tcp_validate_incoming`).

use core::time::Duration;

use super::super::engine::Engine;
use super::super::packet::{Packet, PacketBatch};
use super::super::segment::{self, Segment};
use super::Connection;
use crate::net::tcp::TcpState;
use crate::net::wire::TcpControl;

/// The least time between two challenge ACKs: `net.ipv4.tcp_invalid_ratelimit`.
const LEAST_PAUSE: Duration = Duration::from_millis(500);

/// What happens to a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Disposition {
    /// The engine processes it.
    Taken,
    /// It is dropped, and answered with a challenge ACK.
    Challenged,
    /// It is dropped.
    Ignored,
}

impl Connection {
    /// Returns whether `segment` must not reach the engine. A challenge ACK goes to `out`.
    pub(super) fn parries(&mut self, segment: &Segment, now: Duration, out: &mut PacketBatch) -> bool {
        let Some(engine) = &self.engine else { return false };
        let disposition = disposition(engine, segment);
        let may_answer = self.challenged_at.is_none_or(|last| now >= last + LEAST_PAUSE);
        if disposition == Disposition::Challenged && may_answer {
            out.push(self.challenge(engine));
            self.challenged_at = Some(now);
            self.counts.segments_out = self.counts.segments_out.wrapping_add(1);
        }
        disposition != Disposition::Taken
    }

    /// Makes a challenge ACK.
    fn challenge(&self, engine: &Engine) -> Packet {
        let window = u16::try_from(window(engine)).unwrap_or(u16::MAX);
        let tcp = segment::bare(TcpControl::None, engine.sent().next, Some(engine.expected()), window);
        segment::emit(self.tuple, &tcp, engine.path())
    }
}

fn disposition(engine: &Engine, segment: &Segment) -> Disposition {
    let state = engine.state();
    if state.is_opening() || matches!(state, TcpState::Closed | TcpState::TimeWait) {
        return Disposition::Taken;
    }
    if !segment.has_rst {
        return if segment.has_syn { Disposition::Challenged } else { Disposition::Taken };
    }
    let distance = segment.sequence.wrapping_sub(engine.expected());
    // The peer's FIN has a number, too, which is acknowledged a little later.
    if distance == 0 || (distance == 1 && state.has_fin()) {
        Disposition::Taken
    } else if (distance as usize) < window(engine) {
        Disposition::Challenged
    } else {
        Disposition::Ignored
    }
}

/// Returns the receive window in bytes.
fn window(engine: &Engine) -> usize {
    engine.room().saturating_sub(engine.received())
}
