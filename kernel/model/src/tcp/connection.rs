//! A connection as Linux's programs know it: the protocol machine, with errors, half closes and queues.
//!
//! Owns: what waits beyond the protocol's own buffers, which stay small.   Not here: which packets come here
//! (`segment`), when time passes (the caller says).
//! Invariant: bytes wait in `unsent` only while the machine's buffer is full, or because the program will add to them
//! (the last `held`); the FIN follows the last of them.
//! Source: Linux 6.1 net/ipv4/tcp.c (`tcp_sendmsg`, `tcp_recvmsg`, `tcp_close`), tcp_input.c (`tcp_reset`, `tcp_fin`).

use alloc::boxed::Box;
use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Readiness};

use super::engine::{ACKNOWLEDGMENT, BUFFER, DEFAULT_SEGMENT, Engine};
use super::packet::Burst;
use super::patience::{self, Due, Patience, Rules, Standing};
use super::phase::Phase;
use super::queue::Queue;
use super::readiness::{self, Shutdown, View};
use super::segment::{Segment, Tuple};
use super::time_wait::TimeWait;
use super::wire::Route;
use crate::abi::errno::Errno;
use crate::abi::socket::TcpInfo;
use crate::socket::Options;
use crate::transfer::{Sink, Source};

/// How long bytes are held that a program wants to add to.
const HOLD: Duration = Duration::from_millis(200);

/// How soon a machine that wants to go on at once is asked again: smoltcp may want that for ever.
const LEAST_PAUSE: Duration = Duration::from_millis(1);

/// What a reader's view of the bytes is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taking {
    /// They are gone then.
    Consume,
    /// They stay: `MSG_PEEK`.
    Peek,
}

/// What has to happen outside of a connection after a change.
#[derive(Debug, Default, Eq, PartialEq)]
#[must_use]
pub struct Outcome {
    /// New bytes can be read.
    pub has_arrived: bool,
    /// The handshake is complete.
    pub is_established: bool,
    /// The peer has acknowledged everything, and the FIN.
    pub is_flushed: bool,
    /// The connection needs no more packets.
    pub end: Option<End>,
    /// When [`Connection::settle`] is due again.
    pub wake_at: Option<Duration>,
}

/// What remains of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Nothing.
    Gone,
    /// Its tuple, for a minute.
    TimeWait(TimeWait),
}

/// A connection, from the first SYN on.
pub struct Connection {
    /// `None` once the protocol has come to its end.
    engine: Option<Box<Engine>>,
    tuple: Tuple,
    phase: Phase,
    shutdown: Shutdown,
    error: Option<Errno>,
    /// The peer's FIN has come: `SOCK_DONE`.
    is_done: bool,
    /// Nobody has it open.
    is_orphan: bool,
    has_sent_fin: bool,
    patience: Patience,
    /// When patience is to be asked.
    deadline: Option<Duration>,
    received: Queue,
    unsent: Queue,
    /// How many of the last bytes in `unsent` wait for more, and until when.
    held: usize,
    held_until: Option<Duration>,
    limits: Limits,
    counts: Counts,
}

/// What a program may ask for: `TCP_INFO`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Counts {
    segments_in: u32,
    segments_out: u32,
    received: u64,
    sent: u64,
}

/// How much may wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Limits {
    receive: usize,
    send: usize,
    low_water: usize,
    cork: bool,
    no_delay: bool,
}

/// Whether a write is all there is for now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// It is.
    Send,
    /// More will follow at once: `MSG_MORE`.
    Hold,
}

impl Connection {
    /// A connection that asks `tuple.remote` for a handshake.
    #[must_use]
    pub fn connect(tuple: Tuple, route: Route, seed: u64, options: &Options, now: Duration) -> Self {
        let mut engine = Engine::new(route, options.max_segment, seed, now);
        engine.connect(tuple);
        Self::new(engine, tuple, options, now)
    }

    /// A connection that waits for the SYN, which must be the next packet.
    #[must_use]
    pub fn accept(tuple: Tuple, route: Route, seed: u64, options: &Options, now: Duration) -> Self {
        let mut engine = Engine::new(route, options.max_segment, seed, now);
        engine.listen(tuple.local);
        Self::new(engine, tuple, options, now)
    }

    fn new(engine: Engine, tuple: Tuple, options: &Options, now: Duration) -> Self {
        let phase = engine.phase();
        let limits = Limits { receive: 0, send: 0, low_water: 1, cork: false, no_delay: false };
        let mut patience = Patience::new(Rules::new(options), now);
        patience.set_deadline(Some(now + patience::HANDSHAKE));
        let mut connection = Self {
            engine: Some(Box::new(engine)),
            tuple,
            phase,
            shutdown: Shutdown::empty(),
            error: None,
            is_done: false,
            is_orphan: false,
            has_sent_fin: false,
            patience,
            deadline: Some(now + patience::HANDSHAKE),
            received: Queue::default(),
            unsent: Queue::default(),
            held: 0,
            held_until: None,
            limits,
            counts: Counts::default(),
        };
        connection.set_options(options);
        connection
    }

    /// Both ends.
    #[must_use]
    pub const fn tuple(&self) -> Tuple {
        self.tuple
    }

    /// The state, as a program sees it: closed as soon as it needs no more packets.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether both directions have worked, or work.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        !self.phase.is_opening() && !matches!(self.phase, Phase::Closed)
    }

    /// Takes the error that waits to be told: `SO_ERROR`.
    pub const fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// Follows the socket's options.
    pub fn set_options(&mut self, options: &Options) {
        let before = self.limits;
        self.limits = Limits {
            receive: options.receive_buffer,
            send: options.send_buffer,
            low_water: options.low_water.max(1),
            cork: options.cork,
            no_delay: options.no_delay,
        };
        self.patience.set_rules(Rules::new(options));
        // To pull the cork out lets everything go, and so does to ask for no delay.
        if before.cork != options.cork || (options.no_delay && !before.no_delay) {
            self.held = 0;
        }
        if let Some(engine) = &mut self.engine {
            engine.set_no_delay(options.no_delay);
        }
    }

    /// Bytes that can be read now.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.received.len() + self.engine.as_ref().map_or(0, |engine| engine.received())
    }

    /// Bytes written that the peer has not acknowledged: `SIOCOUTQ`.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.unsent.len() + self.engine.as_ref().map_or(0, |engine| engine.unacknowledged())
    }

    /// Whether a reader would get as much as it wants, or the end.
    #[must_use]
    pub fn has_enough(&self) -> bool {
        self.is_done || self.unread() >= self.limits.low_water.min(self.limits.receive.max(1))
    }

    /// Whether everything that was written, and the FIN, has been acknowledged, or never will be.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.phase == Phase::Closed || (self.has_sent_fin && !self.phase.has_unacknowledged_fin())
    }

    /// What is known for `TCP_INFO`.
    #[must_use]
    pub fn info(&self) -> TcpInfo {
        let segment = self.segment_len() as u32;
        TcpInfo {
            state: self.phase.number(),
            snd_mss: segment,
            advmss: self.engine.as_ref().map_or(0, |engine| engine.own_segment_len() as u32),
            pmtu: self.engine.as_ref().map_or(0, |engine| engine.packet_len() as u32),
            bytes_acked: self.counts.sent.saturating_sub(self.queued() as u64),
            bytes_received: self.counts.received,
            segs_out: self.counts.segments_out,
            segs_in: self.counts.segments_in,
            notsent_bytes: self.unsent.len() as u32,
            bytes_sent: self.counts.sent.saturating_sub(self.unsent.len() as u64),
            ..TcpInfo::default()
        }
    }

    /// Bytes that a segment carries at most: `TCP_MAXSEG`.
    #[must_use]
    pub fn segment_len(&self) -> usize {
        self.engine.as_ref().map_or(DEFAULT_SEGMENT, |engine| engine.segment_len())
    }

    /// Gives bytes to `to`: 0 is the end.
    ///
    /// # Errors
    /// `EFAULT`: `to` is not writable. What became of the connection, once. `ENOTCONN`: it has been told already, and
    /// the peer had not ended the stream.
    pub fn receive(&mut self, to: &mut dyn Sink, taking: Taking) -> Poll<Result<usize, Errno>> {
        if self.phase.is_opening() {
            return Poll::Pending;
        }
        let has_bytes = self.unread() > 0;
        // To ask for nothing tells, too, that there is nothing.
        if to.remaining() == 0 && has_bytes {
            return Poll::Ready(Ok(0));
        }
        let count = match taking {
            Taking::Consume => self.consume(to),
            Taking::Peek => {
                self.gather(usize::MAX);
                self.received.peek(to)
            }
        };
        if count > 0 {
            return Poll::Ready(Ok(count));
        }
        if has_bytes {
            return Poll::Ready(Err(Errno::EFAULT));
        }
        if self.is_done {
            return Poll::Ready(Ok(0));
        }
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        if self.shutdown.contains(Shutdown::RECEIVE) {
            return Poll::Ready(Ok(0));
        }
        if self.phase == Phase::Closed { Poll::Ready(Err(Errno::ENOTCONN)) } else { Poll::Pending }
    }

    fn consume(&mut self, to: &mut dyn Sink) -> usize {
        let mut count = self.received.pop(to);
        if self.received.is_empty()
            && let Some(engine) = &mut self.engine
        {
            count += engine.receive(to);
        }
        count
    }

    /// Takes bytes from `from`: as many as the machine has room for, or else as many as may wait. When the machine has
    /// sent those, which does not take long within one's own computer, it may have room for more without any waiting.
    ///
    /// # Errors
    /// `EFAULT`: `from` is not readable. What became of the connection, once; `EPIPE` after that, and after writing was
    /// shut down.
    pub fn send(&mut self, from: &mut dyn Source, pace: Pace) -> Poll<Result<usize, Errno>> {
        if self.phase.is_opening() {
            return Poll::Pending;
        }
        let may_send = matches!(self.phase, Phase::Established | Phase::CloseWait);
        if !may_send || self.error.is_some() || self.shutdown.contains(Shutdown::SEND) {
            return Poll::Ready(Err(self.error.take().unwrap_or(Errno::EPIPE)));
        }
        if from.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        let queued = self.queued();
        let Some(room) = self.limits.send.checked_sub(queued).filter(|room| *room > 0) else {
            return Poll::Pending;
        };
        let holds = pace == Pace::Hold || self.limits.cork;
        let mut count = 0;
        if let Some(engine) = &mut self.engine
            && self.unsent.is_empty()
            && !holds
        {
            count += engine.send(from);
        }
        if count == 0 {
            count = self.unsent.push(from, room);
            let segment = self.engine.as_ref().map_or(1, |engine| engine.segment_len());
            self.held = if holds { (self.held + count) % segment } else { 0 };
        }
        self.counts.sent += count as u64;
        Poll::Ready(if count == 0 { Err(Errno::EFAULT) } else { Ok(count) })
    }

    /// Whether [`send`](Self::send) would take bytes.
    #[must_use]
    pub fn can_send(&self) -> bool {
        let may_send = matches!(self.phase, Phase::Established | Phase::CloseWait);
        let is_sound = self.error.is_none() && !self.shutdown.contains(Shutdown::SEND);
        may_send && is_sound && self.queued() < self.limits.send
    }

    /// Ends one direction, or both: shutdown(2).
    pub fn shut_down(&mut self, what: Shutdown) {
        self.shutdown |= what;
    }

    /// Ends it because nobody has it open any more. Bytes that nobody read tell the peer that it failed, as does
    /// `is_hard` (`SO_LINGER` with no time).
    pub fn close(&mut self, is_hard: Hardness, now: Duration) {
        self.is_orphan = true;
        self.shutdown = Shutdown::all();
        // Where both FINs are on their way there is nothing to cut short (`tcp_need_reset`).
        let is_ending = matches!(self.phase, Phase::Closing | Phase::LastAck) && self.unsent.is_empty();
        let is_cut = is_hard == Hardness::Reset && !is_ending;
        let is_failure = self.unread() > 0 || is_cut || self.phase.is_opening();
        if is_failure && self.phase != Phase::Closed {
            self.abort();
        }
        self.received = Queue::default();
        self.patience.set_deadline(Some(now + patience::ORPHAN));
    }

    fn abort(&mut self) {
        self.unsent = Queue::default();
        if let Some(engine) = &mut self.engine {
            engine.abort();
        }
    }

    /// Takes in a packet that is for this connection.
    pub fn process(&mut self, segment: &Segment, packet: &[u8], now: Duration, out: &mut Burst) -> Outcome {
        let refuses_bytes = self.refuses_bytes();
        let Some(engine) = &mut self.engine else {
            return Outcome::default();
        };
        let (before, waiting, packets) = (engine.received(), engine.unacknowledged(), out.len());
        if segment.has_syn {
            engine.note_request(packet);
        }
        engine.process(packet, now, out);
        let arrived = engine.received().saturating_sub(before);
        self.counts.received += arrived as u64;
        self.counts.segments_in = self.counts.segments_in.wrapping_add(1);
        self.counts.segments_out = self.counts.segments_out.wrapping_add((out.len() - packets) as u32);
        self.patience.hear(now);
        if engine.unacknowledged() < waiting {
            self.patience.progress();
        }
        let is_refused = arrived > 0 && refuses_bytes;
        if is_refused {
            self.refuse(before);
        }
        let failure = (segment.has_rst || is_refused).then_some(match self.phase {
            Phase::SynSent => Errno::ECONNREFUSED,
            Phase::CloseWait => Errno::EPIPE,
            _ => Errno::ECONNRESET,
        });
        let outcome = self.advance(failure, now, out);
        // Who waits for more than there is hears nothing (`tcp_data_ready`).
        Outcome { has_arrived: arrived > 0 && !is_refused && self.has_enough(), ..outcome }
    }

    /// Whether bytes that come now would be lost: both directions were shut down here (`tcp_rcv_state_process`).
    const fn refuses_bytes(&self) -> bool {
        matches!(self.phase, Phase::FinWait1 | Phase::FinWait2) && self.shutdown.contains(Shutdown::RECEIVE)
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

    /// Does what is due: after each change by the program, and when the time has come.
    pub fn settle(&mut self, now: Duration, out: &mut Burst) -> Outcome {
        let mut failure = None;
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            match self.patience.due(self.standing(), now) {
                Due::Nothing => {}
                Due::Probe => {
                    if let Some(engine) = &mut self.engine {
                        engine.probe();
                    }
                }
                Due::GiveUp => {
                    self.abort();
                    failure = Some(Errno::ETIMEDOUT);
                }
            }
        }
        self.advance(failure, now, out)
    }

    fn standing(&self) -> Standing {
        let Some(engine) = &self.engine else { return Standing::Over };
        if self.is_orphan || self.phase.is_opening() {
            Standing::Limited
        } else if engine.unacknowledged() > 0 || self.unsent.len() > self.held {
            Standing::Waiting
        } else {
            Standing::Idle
        }
    }

    /// Moves bytes on, sends what is due, and follows the machine's state. `failure` is why it closed, if it has.
    fn advance(&mut self, failure: Option<Errno>, now: Duration, out: &mut Burst) -> Outcome {
        self.gather(self.limits.receive);
        let Some(engine) = &mut self.engine else {
            return Outcome::default();
        };
        if !self.unsent.is_empty() {
            if self.shutdown.contains(Shutdown::SEND) || self.held_until.is_some_and(|until| until <= now) {
                self.held = 0;
            }
            self.unsent.drain(self.held, |bytes| engine.send(bytes));
            let until = self.held_until.unwrap_or(now + HOLD);
            self.held_until = (self.held > 0).then_some(until);
        }
        let wants_fin = self.shutdown.contains(Shutdown::SEND) && self.unsent.is_empty();
        if wants_fin && !self.has_sent_fin && !engine.phase().is_opening() {
            self.has_sent_fin = true;
            engine.close();
        }
        if self.is_orphan && engine.received() > 0 && engine.phase() != Phase::TimeWait {
            // Nobody will ever read it: the peer must know.
            engine.abort();
        }
        let packets = out.len();
        // The last acknowledgment has no bytes to wait for that it could ride on (`tcp_fin`).
        let pause = if engine.phase() == Phase::TimeWait { ACKNOWLEDGMENT } else { Duration::ZERO };
        let poll_at = engine.dispatch(now + pause, out);
        self.counts.segments_out = self.counts.segments_out.wrapping_add((out.len() - packets) as u32);
        let phase = engine.phase();
        let mut outcome = Outcome::default();
        self.follow(phase, failure, &mut outcome);
        if phase == Phase::TimeWait && poll_at.is_none_or(|at| at > now + Duration::from_secs(1)) {
            // The last acknowledgment is out.
            let sent = self.engine.as_ref().map(|engine| engine.sent()).unwrap_or_default();
            self.finish(None);
            outcome.end = Some(End::TimeWait(TimeWait::new(sent.next, sent.expected, now)));
        }
        if self.engine.is_some() {
            self.deadline = self.patience.next(self.standing(), now);
            let at = [poll_at.map(|at| at.max(now + LEAST_PAUSE)), self.deadline, self.held_until];
            outcome.wake_at = at.into_iter().flatten().min();
        }
        outcome
    }

    fn follow(&mut self, phase: Phase, failure: Option<Errno>, outcome: &mut Outcome) {
        let before = core::mem::replace(&mut self.phase, phase);
        let is_refused = before == Phase::SynReceived && phase == Phase::Listen;
        if phase == Phase::Closed || is_refused {
            // What comes in TIME_WAIT is no news for the socket.
            self.finish(failure.filter(|_| before != Phase::Closed));
            outcome.is_flushed = true;
            outcome.end = Some(End::Gone);
            return;
        }
        if before.is_opening() && !phase.is_opening() {
            self.patience.set_deadline(None);
            outcome.is_established = true;
        }
        // Who lingers in close(2) waits for this.
        outcome.is_flushed = before.has_unacknowledged_fin() && !phase.has_unacknowledged_fin();
        if phase.has_fin() && !self.is_done {
            self.is_done = true;
            self.shutdown |= Shutdown::RECEIVE;
        }
        if phase == Phase::TimeWait {
            // The last acknowledgment may not be out; the socket has nothing to do with it (`tcp_time_wait`).
            self.phase = Phase::Closed;
            self.shutdown = Shutdown::all();
        }
    }

    /// The end of the protocol; what has come can still be read.
    fn finish(&mut self, error: Option<Errno>) {
        if !self.is_orphan {
            self.gather(usize::MAX);
        }
        self.engine = None;
        self.unsent = Queue::default();
        self.phase = Phase::Closed;
        self.shutdown = Shutdown::all();
        self.error = error.or(self.error);
    }

    /// Takes bytes out of the machine, so that the peer can go on: when its buffer is half full, and as long as less
    /// than `limit` waits here.
    fn gather(&mut self, limit: usize) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        let len = engine.received();
        let is_due = limit == usize::MAX || len >= BUFFER / 2;
        if len > 0 && is_due && !self.is_orphan && self.received.len() < limit {
            self.received.push(&mut Received(engine), len);
        }
    }
}

/// How a connection is closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hardness {
    /// After everything has been sent.
    Orderly,
    /// At once, with a RST.
    Reset,
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

impl Readiness for Connection {
    fn readiness(&self) -> Events {
        let view = View {
            phase: self.phase,
            shutdown: self.shutdown,
            is_readable: self.has_enough(),
            is_writable: readiness::has_room(self.queued(), self.limits.send),
            has_error: self.error.is_some(),
        };
        view.events()
    }
}
