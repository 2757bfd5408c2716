//! What somebody may try who cannot see a connection: a RST or a SYN somewhere in its window.
//!
//! Neither reaches the protocol machine unless it is exactly right. Who has sent it is told where this end is; a peer that
//! means it, because it has lost the connection, answers that with a RST that is exact.
//! Why: decision 0089.
//! Source: RFC 5961 sections 3, 4 and 10; Linux 6.1 net/ipv4/tcp_input.c (`tcp_validate_incoming`).

use core::time::Duration;

use smoltcp::wire::{TcpControl, TcpRepr, TcpSeqNumber};

use super::super::engine::Engine;
use super::super::packet::{Burst, Packet};
use super::super::segment::Segment;
use super::super::stray;
use super::Connection;
use crate::net::tcp::Phase;

/// No more than one answer in this time: `net.ipv4.tcp_invalid_ratelimit`.
const LEAST_PAUSE: Duration = Duration::from_millis(500);

/// What becomes of a RST or a SYN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    /// The protocol machine takes it.
    Taken,
    /// It is answered, and otherwise ignored.
    Challenged,
    /// It is ignored.
    Ignored,
}

impl Connection {
    /// Keeps `segment` from the protocol machine if it must not reach it. An answer goes to `out`.
    pub(super) fn parries(&mut self, segment: &Segment, now: Duration, out: &mut Burst) -> bool {
        let Some(engine) = &self.engine else { return false };
        let fate = fate(engine, segment);
        let may_answer = self.challenged_at.is_none_or(|last| now >= last + LEAST_PAUSE);
        if fate == Fate::Challenged && may_answer {
            out.push(self.challenge(engine));
            self.challenged_at = Some(now);
            self.counts.segments_out = self.counts.segments_out.wrapping_add(1);
        }
        fate != Fate::Taken
    }

    /// Says where this end is.
    fn challenge(&self, engine: &Engine) -> Packet {
        let tcp = TcpRepr {
            src_port: 0,
            dst_port: 0,
            control: TcpControl::None,
            seq_number: TcpSeqNumber(engine.sent().next.cast_signed()),
            ack_number: Some(TcpSeqNumber(engine.expected().cast_signed())),
            window_len: u16::try_from(window(engine)).unwrap_or(u16::MAX),
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        stray::packet(self.tuple, &tcp, engine.route())
    }
}

fn fate(engine: &Engine, segment: &Segment) -> Fate {
    let phase = engine.phase();
    if phase.is_opening() || matches!(phase, Phase::Closed | Phase::TimeWait) {
        return Fate::Taken;
    }
    if !segment.has_rst {
        return if segment.has_syn { Fate::Challenged } else { Fate::Taken };
    }
    let distance = segment.sequence.wrapping_sub(engine.expected());
    // The peer's FIN has a number, too, and is acknowledged a little later.
    if distance == 0 || (distance == 1 && phase.has_fin()) {
        Fate::Taken
    } else if (distance as usize) < window(engine) {
        Fate::Challenged
    } else {
        Fate::Ignored
    }
}

/// Bytes that the peer may send.
fn window(engine: &Engine) -> usize {
    engine.room().saturating_sub(engine.received())
}
