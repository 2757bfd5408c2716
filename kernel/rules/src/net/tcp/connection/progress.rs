//! Advances a connection: with a packet, with time, and after each call of the program.
//!
//! Owns: when the engine dispatches, and what follows from its state.   Not here: what programs do with a connection
//! (the parent, `transfer`).
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

/// How long bytes are held for a program that announced more.
const HOLD: Duration = Duration::from_millis(200);

/// The least time until the next dispatch: smoltcp may ask for an immediate one for ever.
const LEAST_PAUSE: Duration = Duration::from_millis(1);

impl Connection {
    /// Processes a packet for this connection, and may take its bytes out of it.
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
        // Unread bytes in the queue mean that the peer sends faster than the program reads.
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
        // A reader that waits for SO_RCVLOWAT bytes is not woken for fewer (`tcp_data_ready`).
        Outcome { has_arrived: arrived > 0 && !is_refused && self.has_enough(), ..outcome }
    }

    /// Queues a packet's buffer for readers, if the engine holds nothing but its bytes: that saves a copy.
    fn hand_over(&mut self, segment: &Segment, packet: &mut Packet) {
        let has_room = self.received.len() < self.limits.receive && !self.is_orphan;
        if has_room && let Some(engine) = &mut self.engine {
            self.received.append(packet.take_part(segment.start.into(), segment.len));
            engine.pass_over();
        }
    }

    /// Returns whether bytes that arrive now reset the connection: both directions were shut down here
    /// (`tcp_rcv_state_process`).
    const fn refuses_bytes(&self) -> bool {
        matches!(self.state, TcpState::FinWait1 | TcpState::FinWait2)
            && self.shutdown.contains(Shutdown::RECEIVE)
    }

    /// Resets the connection because bytes arrived after shutdown(2); the first `wanted` may still be read.
    fn refuse(&mut self, wanted: usize) {
        if let Some(engine) = &mut self.engine {
            if wanted > 0 {
                self.received.push(&mut Received(engine), wanted);
            }
            engine.discard();
        }
        self.abort();
    }

    /// Ends a handshake that this end began, because the destination is unreachable. An open connection goes on: the
    /// path may recover (`tcp_v4_err`).
    pub fn fail(&mut self, error: Errno) -> Outcome {
        if self.state != TcpState::SynSent {
            return Outcome::default();
        }
        self.finish(Some(error));
        Outcome { is_flushed: true, end: Some(End::Gone), ..Outcome::default() }
    }

    /// Does what is due, after each call of the program and when [`Outcome::wake_at`] has come.
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

    /// Returns whether [`settle`](Self::settle) would find nothing to do after a read. Timers are not looked at: they
    /// have their own call.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.unsent.is_empty()
            && self.engine.as_ref().is_none_or(|engine| engine.is_at_rest() && !Self::is_due(engine))
    }

    /// Returns whether the engine holds so much that bytes must be moved to the queue to open the window.
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

    /// Moves bytes between queues and engine, sends what is due, and follows the engine's state. `failure` is the error
    /// to report if it has closed.
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
            // No program can read it any more: the peer must know.
            engine.abort();
        }
        // The last ACK is not delayed: no data can carry it (`tcp_fin`).
        let pause = if engine.state() == TcpState::TimeWait { ACKNOWLEDGMENT } else { Duration::ZERO };
        let poll_at = engine.dispatch(now + pause, out);
        self.counts.segments_out = self.counts.segments_out.wrapping_add((out.len() - packets) as u32);
        let state = engine.state();
        let mut outcome = Outcome::default();
        self.follow(state, failure, &mut outcome);
        if state == TcpState::TimeWait && poll_at.is_none_or(|at| at > now + Duration::from_secs(1)) {
            // The last ACK has left.
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
            // An error in TIME_WAIT is none for the socket.
            self.finish(failure.filter(|_| before != TcpState::Closed));
            outcome.is_flushed = true;
            outcome.end = Some(End::Gone);
            return;
        }
        if before.is_opening() && !state.is_opening() {
            self.timeouts.set_deadline(None);
            outcome.is_established = true;
        }
        // close(2) with SO_LINGER waits for this.
        outcome.is_flushed = before.has_unacknowledged_fin() && !state.has_unacknowledged_fin();
        if state.has_fin() && !self.is_done {
            self.is_done = true;
            self.shutdown |= Shutdown::RECEIVE;
        }
        if state == TcpState::TimeWait {
            // The last ACK may not have left; for the socket the connection has ended (`tcp_time_wait`).
            self.state = TcpState::Closed;
            self.shutdown = Shutdown::all();
        }
    }

    /// Drops the engine; bytes received before can still be read.
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

    /// Moves bytes from the engine to the queue, to open the window: when the engine's buffer is half full, and as long
    /// as fewer than `limit` bytes are queued.
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

/// Returns the earlier of two times that may be missing.
#[inline]
fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The received bytes of an engine, as a source.
struct Received<'a>(&'a mut Engine);

impl Source for Received<'_> {
    fn remaining(&self) -> usize {
        self.0.received()
    }

    fn take(&mut self, mut space: &mut [u8]) -> usize {
        self.0.receive(&mut space)
    }
}
