//! A connection with the meaning that Linux gives it: the engine, with errors, half closes and queues.
//!
//! Owns: the bytes beyond the engine's own buffers, which stay small.   Not here: finding the connection of a packet
//! (the kernel's `net/demux`), the clock (the caller passes the time), processing and timers (`progress`).
//! Invariant: bytes wait in `unsent` only while the engine's buffer is full, or because the program will add to them
//! (the last `held`); the FIN follows the last of them.
//! Source: Linux 6.1 net/ipv4/tcp.c (`tcp_sendmsg`, `tcp_recvmsg`, `tcp_close`), tcp_input.c (`tcp_reset`, `tcp_fin`).

mod progress;
mod rfc5961;
mod transfer;

use alloc::boxed::Box;
use core::time::Duration;

use pollee::{Events, Readiness};

use super::engine::{DEFAULT_SEGMENT, Engine, Resources};
use super::path::PathKind;
use super::queue::ByteQueue;
use super::readiness::{self, ReadinessInputs, Shutdown};
use super::segment::Tuple;
use super::state::TcpState;
use super::time_wait::TimeWait;
use super::timeouts::{self, TimeoutOptions, Timeouts};
use crate::abi::errno::Errno;
use crate::net::abi::socket::TcpInfo;
use crate::net::socket::Options;

/// What recv(2) does with the bytes that it returns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecvMode {
    /// It removes them.
    Consume,
    /// It leaves them: `MSG_PEEK`.
    Peek,
}

/// What the caller must do after a change of a connection.
#[derive(Debug, Default, Eq, PartialEq)]
#[must_use]
pub struct Outcome {
    /// Readers are to be told of new bytes.
    pub has_arrived: bool,
    /// The handshake is complete.
    pub is_established: bool,
    /// The peer has acknowledged everything, and the FIN.
    pub is_flushed: bool,
    /// The connection has ended and needs no more packets.
    pub end: Option<End>,
    /// When [`Connection::settle`] is due again.
    pub wake_at: Option<Duration>,
}

/// What remains of a connection that has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Nothing.
    Gone,
    /// TIME-WAIT.
    TimeWait(TimeWait),
}

/// A connection, from the first SYN on.
pub struct Connection {
    /// `None` once the protocol has ended.
    engine: Option<Box<Engine>>,
    tuple: Tuple,
    state: TcpState,
    shutdown: Shutdown,
    error: Option<Errno>,
    /// The peer's FIN has arrived: `SOCK_DONE`.
    is_done: bool,
    /// No descriptor refers to it.
    is_orphan: bool,
    has_sent_fin: bool,
    /// The engine's buffers have been too small.
    is_crowded: bool,
    /// When the last challenge ACK left.
    challenged_at: Option<Duration>,
    timeouts: Timeouts,
    /// When the running timer expires.
    deadline: Option<Duration>,
    received: ByteQueue,
    unsent: ByteQueue,
    /// How many of the last bytes in `unsent` wait for more, and until when.
    held: usize,
    held_until: Option<Duration>,
    limits: Limits,
    counts: Counts,
}

/// The counters in `TCP_INFO`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Counts {
    segments_in: u32,
    segments_out: u32,
    received: u64,
    sent: u64,
}

/// The socket options that limit queues and delay segments.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Limits {
    receive: usize,
    send: usize,
    low_water: usize,
    cork: bool,
    no_delay: bool,
}

/// Whether a write may leave at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// It may.
    Send,
    /// It waits for more: `MSG_MORE`.
    Hold,
}

impl Connection {
    /// Creates a connection that sends a SYN to `tuple.remote`.
    #[must_use]
    pub fn connect(
        tuple: Tuple,
        path: PathKind,
        resources: Resources,
        options: &Options,
        now: Duration,
    ) -> Self {
        let mut engine = Engine::new(path, options.max_segment, resources, now);
        let has_begun = engine.connect(tuple);
        let mut connection = Self::new(engine, tuple, options, now, timeouts::handshake(options.syn_count));
        if !has_begun {
            // Nothing listens on port 0.
            connection.error = Some(Errno::ECONNREFUSED);
        }
        connection
    }

    /// Creates a connection that waits for the SYN, which must be the next packet.
    #[must_use]
    pub fn accept(
        tuple: Tuple,
        path: PathKind,
        resources: Resources,
        options: &Options,
        now: Duration,
    ) -> Self {
        let mut engine = Engine::new(path, options.max_segment, resources, now);
        engine.listen(tuple);
        Self::new(engine, tuple, options, now, timeouts::REQUEST)
    }

    fn new(engine: Engine, tuple: Tuple, options: &Options, now: Duration, limit: Duration) -> Self {
        let state = engine.state();
        let limits = Limits { receive: 0, send: 0, low_water: 1, cork: false, no_delay: false };
        let mut timeouts = Timeouts::new(TimeoutOptions::new(options), now);
        timeouts.set_deadline(Some(now + limit));
        let mut connection = Self {
            engine: Some(Box::new(engine)),
            tuple,
            state,
            shutdown: Shutdown::empty(),
            error: None,
            is_done: false,
            is_orphan: false,
            has_sent_fin: false,
            is_crowded: false,
            challenged_at: None,
            timeouts,
            deadline: Some(now + limit),
            received: ByteQueue::default(),
            unsent: ByteQueue::default(),
            held: 0,
            held_until: None,
            limits,
            counts: Counts::default(),
        };
        connection.set_options(options);
        connection
    }

    /// Returns both addresses.
    #[must_use]
    pub const fn tuple(&self) -> Tuple {
        self.tuple
    }

    /// Returns the state as programs see it: closed as soon as the connection needs no more packets.
    #[must_use]
    pub const fn state(&self) -> TcpState {
        self.state
    }

    /// Returns whether the handshake is complete and the connection not closed.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        !self.state.is_opening() && !matches!(self.state, TcpState::Closed)
    }

    /// Takes the pending error: `SO_ERROR`.
    pub const fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// Sets the pending error, for the next call.
    pub const fn put_error(&mut self, error: Errno) {
        self.error = Some(error);
    }

    /// Applies the socket's options.
    pub fn set_options(&mut self, options: &Options) {
        let before = self.limits;
        self.limits = Limits {
            receive: options.receive_buffer,
            send: options.send_buffer,
            low_water: options.low_water.max(1),
            cork: options.cork,
            no_delay: options.no_delay,
        };
        self.timeouts.set_options(TimeoutOptions::new(options));
        // Removing TCP_CORK sends everything that was held, and so does setting TCP_NODELAY.
        if before.cork != options.cork || (options.no_delay && !before.no_delay) {
            self.held = 0;
        }
        if let Some(engine) = &mut self.engine {
            engine.set_no_delay(options.no_delay);
        }
    }

    /// Returns how many bytes can be read.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.received.len() + self.engine.as_ref().map_or(0, |engine| engine.received())
    }

    /// Returns how many written bytes the peer has not acknowledged: `SIOCOUTQ`.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.unsent.len() + self.engine.as_ref().map_or(0, |engine| engine.unacknowledged())
    }

    /// Returns whether `SO_RCVLOWAT` bytes or the end of the stream can be read.
    #[must_use]
    pub fn has_enough(&self) -> bool {
        self.is_done || self.unread() >= self.limits.low_water.min(self.limits.receive.max(1))
    }

    /// Returns whether everything written, and the FIN, has been acknowledged or never will be.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.state == TcpState::Closed || (self.has_sent_fin && !self.state.has_unacknowledged_fin())
    }

    /// Fills in `TCP_INFO`.
    #[must_use]
    pub fn info(&self) -> TcpInfo {
        let segment = self.segment_len() as u32;
        TcpInfo {
            state: self.state.number(),
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

    /// Returns the largest segment that is sent: `TCP_MAXSEG`.
    #[must_use]
    pub fn segment_len(&self) -> usize {
        self.engine.as_ref().map_or(DEFAULT_SEGMENT, |engine| engine.segment_len())
    }

    /// Ends one or both directions: shutdown(2).
    pub fn shut_down(&mut self, what: Shutdown) {
        self.shutdown |= what;
    }

    /// Ends the connection after its last descriptor was closed. The peer gets a RST if bytes are unread, or if `mode`
    /// says so (`SO_LINGER` with no time).
    pub fn close(&mut self, is_hard: CloseMode, now: Duration) {
        self.is_orphan = true;
        self.shutdown = Shutdown::all();
        // With both FINs sent there is nothing left to abort (`tcp_need_reset`).
        let is_ending = matches!(self.state, TcpState::Closing | TcpState::LastAck) && self.unsent.is_empty();
        let is_cut = is_hard == CloseMode::Reset && !is_ending;
        let is_failure = self.unread() > 0 || is_cut || self.state.is_opening();
        if is_failure && self.state != TcpState::Closed {
            self.abort();
        }
        self.received = ByteQueue::default();
        self.timeouts.set_deadline(Some(now + timeouts::ORPHAN));
    }

    fn abort(&mut self) {
        self.unsent = ByteQueue::default();
        if let Some(engine) = &mut self.engine {
            engine.abort();
        }
    }
}

/// How a connection is closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseMode {
    /// With a FIN, after everything has been sent.
    Orderly,
    /// At once, with a RST.
    Reset,
}

impl Readiness for Connection {
    fn readiness(&self) -> Events {
        let view = ReadinessInputs {
            state: self.state,
            shutdown: self.shutdown,
            is_readable: self.has_enough(),
            is_writable: readiness::has_room(self.queued(), self.limits.send),
            has_error: self.error.is_some(),
        };
        view.events()
    }
}
