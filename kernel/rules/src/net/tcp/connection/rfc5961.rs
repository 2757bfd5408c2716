//! What somebody may try who cannot see a connection: a RST or a SYN somewhere in its window.
//!
//! Neither reaches the protocol machine unless it is exactly right. Who has sent it is told where this end is; a peer that
//! means it, because it has lost the connection, answers that with a RST that is exact.
//! Why: decision 0089.
//! Source: RFC 5961 sections 3, 4 and 10; Linux 6.1 net/ipv4/tcp_input.c (`tcp_validate_incoming`).

use core::time::Duration;

use super::super::engine::Engine;
use super::super::packet::{Packet, PacketBatch};
use super::super::segment::{self, Segment};
use super::Connection;
use crate::net::tcp::TcpState;
use crate::net::wire::TcpControl;

/// No more than one answer in this time: `net.ipv4.tcp_invalid_ratelimit`.
const LEAST_PAUSE: Duration = Duration::from_millis(500);

/// What becomes of a RST or a SYN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Disposition {
    /// The protocol machine takes it.
    Taken,
    /// It is answered, and otherwise ignored.
    Challenged,
    /// It is ignored.
    Ignored,
}

impl Connection {
    /// Keeps `segment` from the protocol machine if it must not reach it. An answer goes to `out`.
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

    /// Says where this end is.
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
    // The peer's FIN has a number, too, and is acknowledged a little later.
    if distance == 0 || (distance == 1 && state.has_fin()) {
        Disposition::Taken
    } else if (distance as usize) < window(engine) {
        Disposition::Challenged
    } else {
        Disposition::Ignored
    }
}

/// Bytes that the peer may send.
fn window(engine: &Engine) -> usize {
    engine.room().saturating_sub(engine.received())
}
