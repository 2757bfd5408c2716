//! How a connection goes on: with a packet, with time, and after each change by the program.
//!
//! Owns: when the protocol machine is asked, what follows from its state.   Not here: what programs do with a connection
//! (the parent).
//! Source: Linux 6.1 net/ipv4/tcp_input.c (`tcp_reset`, `tcp_fin`), tcp_timer.c.

use core::time::Duration;

use super::super::engine::{self, ACKNOWLEDGMENT, Engine, LONG};
use super::super::packet::{Packet, PacketBatch};
use super::super::queue::ByteQueue;
use super::super::readiness::Shutdown;
use super::super::segment::Segment;
use super::super::state::TcpState;
use super::super::time_wait::TimeWait;
use super::super::timeouts::{RunningTimer, TimeoutAction};
use super::{Connection, End, Outcome};
use crate::abi::errno::Errno;
use crate::machine::transfer::Source;

/// How long bytes are held that a program wants to add to.
const HOLD: Duration = Duration::from_millis(200);

/// How soon a machine that wants to go on at once is asked again: smoltcp may want that for ever.
const LEAST_PAUSE: Duration = Duration::from_millis(1);

impl Connection {
    /// Takes in a packet that is for this connection, and may keep its bytes.
    pub fn process(
        &mut self,
        segment: &Segment,
        packet: &mut Packet,
        now: Duration,
        out: &mut PacketBatch,
    ) -> Outcome {
        if (segment.has_rst || segment.has_syn) && self.parries(segment, now, out) {
            self.counts.segments_in = self.counts.segments_in.wrapping_add(1);
            return Outcome::default();
        }
        let refuses_bytes = self.refuses_bytes();
        let Some(engine) = &mut self.engine else {
            return Outcome::default();
        };
        let (before, waiting, packets) = (engine.received(), engine.unacknowledged(), out.len());
        let expected = engine.expected();
        // Bytes that pile up are from a writer who sends as fast as it can.
        let is_long = segment.len >= LONG;
        let piles_up = segment.len > 0 && !self.received.is_empty();
        engine.set_ack_policy(if is_long {
            engine::AckPolicy::Immediate
        } else {
            engine::AckPolicy::Delayed
        });
        let arrived = engine.process(segment, packet.ip(), now, out);
        self.is_crowded |= engine.is_crowded();
        self.counts.received += arrived as u64;
        self.counts.segments_in = self.counts.segments_in.wrapping_add(1);
        self.counts.segments_out = self.counts.segments_out.wrapping_add((out.len() - packets) as u32);
        self.timeouts.hear(now);
        if engine.unacknowledged() < waiting {
            self.timeouts.progress();
        }
        let is_refused = arrived > 0 && refuses_bytes;
        if is_refused {
            self.refuse(before);
        } else if (is_long || piles_up)
            && before == 0
            && arrived == segment.len
            && segment.sequence == expected
        {
            self.hand_over(segment, packet);
        }
        let failure = (segment.has_rst || is_refused).then_some(match self.state {
            TcpState::SynSent => Errno::ECONNREFUSED,
            TcpState::CloseWait => Errno::EPIPE,
            _ => Errno::ECONNRESET,
        });
        let outcome = self.advance(failure, now, out);
        // Who waits for more than there is hears nothing (`tcp_data_ready`).
        Outcome { has_arrived: arrived > 0 && !is_refused && self.has_enough(), ..outcome }
    }

    /// Keeps a packet for readers whose bytes are all that there is in the machine: that saves a copy.
    fn hand_over(&mut self, segment: &Segment, packet: &mut Packet) {
        let has_room = self.received.len() < self.limits.receive && !self.is_orphan;
        if has_room && let Some(engine) = &mut self.engine {
            self.received.append(packet.take_part(segment.start.into(), segment.len));
            engine.pass_over();
        }
    }

    /// Whether bytes that come now would be lost: both directions were shut down here (`tcp_rcv_state_process`).
    const fn refuses_bytes(&self) -> bool {
        matches!(self.state, TcpState::FinWait1 | TcpState::FinWait2)
            && self.shutdown.contains(Shutdown::RECEIVE)
    }

    /// Resets the connection, because bytes came that nobody wants, after `wanted` that may still be read.
    fn refuse(&mut self, wanted: usize) {
        if let Some(engine) = &mut self.engine {
            if wanted > 0 {
                self.received.push(&mut Received(engine), wanted);
            }
            engine.discard();
        }
        self.abort();
    }

    /// Ends a handshake that this end began, because no packet gets there. A connection that is open goes on: packets may
    /// get there again (`tcp_v4_err`).
    pub fn fail(&mut self, error: Errno) -> Outcome {
        if self.state != TcpState::SynSent {
            return Outcome::default();
        }
        self.finish(Some(error));
        Outcome { is_flushed: true, end: Some(End::Gone), ..Outcome::default() }
    }

    /// Does what is due: after each change by the program, and when the time has come.
    pub fn settle(&mut self, now: Duration, out: &mut PacketBatch) -> Outcome {
        let mut failure = None;
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            match self.timeouts.due(self.running_timer(), now) {
                TimeoutAction::Nothing => {}
                TimeoutAction::Probe => {
                    if let Some(engine) = &mut self.engine {
                        engine.probe();
                    }
                }
                TimeoutAction::Abort => {
                    self.abort();
                    failure = Some(Errno::ETIMEDOUT);
                }
            }
        }
        self.advance(failure, now, out)
    }

    /// Whether [`settle`](Self::settle) would find nothing to do, after bytes were taken out. What is to be done at its
    /// time is done then.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.unsent.is_empty()
            && self.engine.as_ref().is_none_or(|engine| engine.is_at_rest() && !Self::is_due(engine))
    }

    /// Whether so much is in the machine that it has to be taken out for its peer to go on.
    fn is_due(engine: &Engine) -> bool {
        engine.received() >= engine.room() / 2
    }

    fn running_timer(&self) -> RunningTimer {
        let Some(engine) = &self.engine else { return RunningTimer::Off };
        if self.is_orphan || self.state.is_opening() {
            RunningTimer::Deadline
        } else if engine.unacknowledged() > 0 || self.unsent.len() > self.held {
            RunningTimer::Retransmission
        } else {
            RunningTimer::KeepAlive
        }
    }

    /// Moves bytes on, sends what is due, and follows the machine's state. `failure` is why it closed, if it has.
    fn advance(&mut self, failure: Option<Errno>, now: Duration, out: &mut PacketBatch) -> Outcome {
        self.gather(self.limits.receive);
        let Some(engine) = &mut self.engine else {
            return Outcome::default();
        };
        let packets = out.len();
        if self.is_crowded && engine.can_grow() {
            engine.grow(now, out);
        }
        if !self.unsent.is_empty() {
            if self.shutdown.contains(Shutdown::SEND) || self.held_until.is_some_and(|until| until <= now) {
                self.held = 0;
            }
            self.unsent.drain(self.held, |bytes| engine.send(bytes));
            let until = self.held_until.unwrap_or(now + HOLD);
            self.held_until = (self.held > 0).then_some(until);
        }
        let wants_fin = self.shutdown.contains(Shutdown::SEND) && self.unsent.is_empty();
        if wants_fin && !self.has_sent_fin && !engine.state().is_opening() {
            self.has_sent_fin = true;
            engine.close();
        }
        if self.is_orphan && engine.received() > 0 && engine.state() != TcpState::TimeWait {
            // Nobody will ever read it: the peer must know.
            engine.abort();
        }
        // The last acknowledgment has no bytes to wait for that it could ride on (`tcp_fin`).
        let pause = if engine.state() == TcpState::TimeWait { ACKNOWLEDGMENT } else { Duration::ZERO };
        let poll_at = engine.dispatch(now + pause, out);
        self.counts.segments_out = self.counts.segments_out.wrapping_add((out.len() - packets) as u32);
        let state = engine.state();
        let mut outcome = Outcome::default();
        self.follow(state, failure, &mut outcome);
        if state == TcpState::TimeWait && poll_at.is_none_or(|at| at > now + Duration::from_secs(1)) {
            // The last acknowledgment is out.
            let sent = self.engine.as_ref().map(|engine| engine.sent()).unwrap_or_default();
            self.finish(None);
            outcome.end = Some(End::TimeWait(TimeWait::new(sent.next, sent.expected, now)));
        }
        if self.engine.is_some() {
            self.deadline = self.timeouts.next(self.running_timer(), now);
            let at = poll_at.map(|at| at.max(now + LEAST_PAUSE));
            outcome.wake_at = sooner(sooner(at, self.deadline), self.held_until);
        }
        outcome
    }

    fn follow(&mut self, state: TcpState, failure: Option<Errno>, outcome: &mut Outcome) {
        let before = core::mem::replace(&mut self.state, state);
        let is_refused = before == TcpState::SynReceived && state == TcpState::Listen;
        if state == TcpState::Closed || is_refused {
            // What comes in TIME_WAIT is no news for the socket.
            self.finish(failure.filter(|_| before != TcpState::Closed));
            outcome.is_flushed = true;
            outcome.end = Some(End::Gone);
            return;
        }
        if before.is_opening() && !state.is_opening() {
            self.timeouts.set_deadline(None);
            outcome.is_established = true;
        }
        // Who lingers in close(2) waits for this.
        outcome.is_flushed = before.has_unacknowledged_fin() && !state.has_unacknowledged_fin();
        if state.has_fin() && !self.is_done {
            self.is_done = true;
            self.shutdown |= Shutdown::RECEIVE;
        }
        if state == TcpState::TimeWait {
            // The last acknowledgment may not be out; the socket has nothing to do with it (`tcp_time_wait`).
            self.state = TcpState::Closed;
            self.shutdown = Shutdown::all();
        }
    }

    /// The end of the protocol; what has come can still be read.
    fn finish(&mut self, error: Option<Errno>) {
        if !self.is_orphan {
            self.gather(usize::MAX);
        }
        self.engine = None;
        self.unsent = ByteQueue::default();
        self.state = TcpState::Closed;
        self.shutdown = Shutdown::all();
        self.error = error.or(self.error);
    }

    /// Takes bytes out of the machine, so that the peer can go on: when its buffer is half full, and as long as less
    /// than `limit` waits here.
    pub(super) fn gather(&mut self, limit: usize) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        let len = engine.received();
        let is_due = limit == usize::MAX || Self::is_due(engine);
        if len > 0 && is_due && !self.is_orphan && self.received.len() < limit {
            self.received.push(&mut Received(engine), len);
        }
    }
}

/// The first of two times, of which each may be none.
#[inline]
fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The bytes in a machine, as a source.
struct Received<'a>(&'a mut Engine);

impl Source for Received<'_> {
    fn remaining(&self) -> usize {
        self.0.received()
    }

    fn take(&mut self, mut space: &mut [u8]) -> usize {
        self.0.receive(&mut space)
    }
}
