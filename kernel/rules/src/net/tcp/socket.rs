//! The states of a TCP socket, and which call is an error in which.
//!
//! Not here: ports and tuples (`port`, `segment`), of which a socket only knows its own.
//! Source: socket(7), tcp(7); Linux 6.1 net/ipv4/af_inet.c, net/ipv4/tcp.c.

use alloc::boxed::Box;
use core::net::SocketAddrV4;
use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Readiness};

use super::connection::{Connection, Hardness, Outcome, Pace, Taking};
use super::engine::DEFAULT_SEGMENT;
use super::listener::Listener;
use super::packet::Burst;
use super::phase::Phase;
use super::readiness::{Shutdown, View};
use super::segment::Tuple;
use crate::abi::errno::Errno;
use crate::machine::transfer::{Sink, Source};
use crate::net::abi::socket::{How, TcpInfo};
use crate::net::socket::Options;

/// A socket; `C` is a connection that waits to be accepted.
pub struct Socket<C> {
    state: State<C>,
    options: Options,
    /// Where it was bound to, or connects from.
    local: Option<SocketAddrV4>,
    /// Whether the program chose the port: bind(2).
    is_bound: bool,
    error: Option<Errno>,
    shutdown: Shutdown,
}

enum State<C> {
    Unconnected,
    Listening(Listener<C>),
    Connected { connection: Box<Connection>, progress: Progress },
}

/// What connect(2) has told of a connection: Linux's state of the socket, which is not that of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Progress {
    /// That it has begun: `SS_CONNECTING`.
    Begun,
    /// How it went, or there was nothing to tell: `SS_CONNECTED`.
    Told,
    /// Nothing, and it will not, because shutdown(2) came after the end: `SS_DISCONNECTING`.
    Never,
}

/// Whether connect(2) begins something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attempt {
    /// It does.
    First,
    /// It asks how the one before goes.
    Again,
}

impl<C> Socket<C> {
    /// A socket that is nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Unconnected,
            options: Options::default(),
            local: None,
            is_bound: false,
            error: None,
            shutdown: Shutdown::empty(),
        }
    }

    /// The socket of a connection that somebody else asked for.
    #[must_use]
    pub fn of_request(connection: Connection, options: Options) -> Self {
        let local = connection.tuple().local;
        let state = State::Connected { connection: Box::new(connection), progress: Progress::Told };
        Self { state, options, local: Some(local), ..Self::new() }
    }

    /// The options.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Changes options.
    pub fn update_options(&mut self, change: impl FnOnce(&mut Options)) {
        change(&mut self.options);
        if let State::Connected { connection, .. } = &mut self.state {
            connection.set_options(&self.options);
        }
    }

    /// The address of this end.
    #[must_use]
    pub const fn local(&self) -> Option<SocketAddrV4> {
        self.local
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `ENOTCONN`: there is none.
    pub fn peer(&self) -> Result<SocketAddrV4, Errno> {
        match &self.state {
            State::Connected { connection, .. }
                if connection.is_connected() || connection.phase() == Phase::SynReceived =>
            {
                Ok(connection.tuple().remote)
            }
            _ => Err(Errno::ENOTCONN),
        }
    }

    /// Whether it listens: `SO_ACCEPTCONN`.
    #[must_use]
    pub const fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening(_))
    }

    /// Its backlog, if it listens.
    pub const fn listener(&mut self) -> Option<&mut Listener<C>> {
        match &mut self.state {
            State::Listening(listener) => Some(listener),
            _ => None,
        }
    }

    /// Its connection, if it has one.
    pub fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.state {
            State::Connected { connection, .. } => Some(connection),
            _ => None,
        }
    }

    /// The state's number in `TCP_INFO`.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match &self.state {
            State::Unconnected => Phase::Closed,
            State::Listening(_) => Phase::Listen,
            State::Connected { connection, .. } => connection.phase(),
        }
    }

    /// Checks that bind(2) is possible.
    ///
    /// # Errors
    /// `EINVAL`: it has an address already.
    pub fn require_unbound(&self) -> Result<(), Errno> {
        let is_fresh = matches!(self.state, State::Unconnected) && self.local.is_none();
        if is_fresh { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Has got `address`, from the program or from listen(2).
    pub const fn bind(&mut self, address: SocketAddrV4) {
        self.local = Some(address);
        self.is_bound = true;
    }

    /// The port that it holds as its own.
    #[must_use]
    pub fn bound_port(&self) -> Option<u16> {
        self.local.filter(|_| self.is_bound).map(|address| address.port())
    }

    /// Checks that listen(2) is possible.
    ///
    /// # Errors
    /// `EINVAL`: it is connected, or about to be.
    pub const fn require_listenable(&self) -> Result<(), Errno> {
        if matches!(self.state, State::Connected { .. }) { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// Listens from now on, or takes another backlog.
    pub fn listen(&mut self, backlog: i32) {
        match &mut self.state {
            State::Listening(listener) => listener.set_backlog(backlog),
            State::Unconnected | State::Connected { .. } => {
                self.state = State::Listening(Listener::new(backlog));
                self.shutdown = Shutdown::empty();
            }
        }
    }

    /// Takes the connection that has waited longest.
    ///
    /// # Errors
    /// `EINVAL`: it does not listen.
    pub fn accept(&mut self) -> Poll<Result<C, Errno>> {
        match &mut self.state {
            State::Listening(listener) => {
                listener.accept().map_or(Poll::Pending, |child| Poll::Ready(Ok(child)))
            }
            _ => Poll::Ready(Err(Errno::EINVAL)),
        }
    }

    /// What a connect(2) is about.
    ///
    /// # Errors
    /// `EISCONN`: it is connected, or listens. `EINVAL`: it was shut down after its end, before connect(2) told that.
    pub const fn require_connectable(&self) -> Result<Attempt, Errno> {
        match self.state {
            State::Unconnected => Ok(Attempt::First),
            State::Connected { progress: Progress::Begun, .. } => Ok(Attempt::Again),
            State::Connected { progress: Progress::Never, .. } => Err(Errno::EINVAL),
            _ => Err(Errno::EISCONN),
        }
    }

    /// Begins a connection.
    pub fn connect(&mut self, connection: Connection) {
        self.local = Some(connection.tuple().local);
        self.error = None;
        self.shutdown = Shutdown::empty();
        self.state = State::Connected { connection: Box::new(connection), progress: Progress::Begun };
    }

    /// How the connection that was begun goes.
    ///
    /// # Errors
    /// Why it failed; the socket is as before then. `ECONNABORTED`: that has been told already.
    pub fn connecting(&mut self) -> Poll<Result<(), Errno>> {
        let State::Connected { connection, progress } = &mut self.state else {
            return Poll::Ready(Err(Errno::ECONNABORTED));
        };
        match connection.phase() {
            Phase::Closed => {
                let error = connection.take_error().unwrap_or(Errno::ECONNABORTED);
                self.disconnect();
                Poll::Ready(Err(error))
            }
            phase if phase.is_opening() => Poll::Pending,
            _ => {
                *progress = Progress::Told;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Has no connection, and does not listen. What was there is returned, for the caller to end.
    pub fn disconnect(&mut self) -> Option<Listener<C>> {
        let state = core::mem::replace(&mut self.state, State::Unconnected);
        if !self.is_bound {
            self.local = None;
        }
        self.error = None;
        self.shutdown = Shutdown::empty();
        match state {
            State::Listening(listener) => Some(listener),
            _ => None,
        }
    }

    /// Ends reading, writing or both. For a listener the caller [disconnects](Self::disconnect).
    ///
    /// # Errors
    /// `ENOTCONN`: there is nothing to end.
    pub fn shut_down(&mut self, how: How) -> Result<(), Errno> {
        let mut what = Shutdown::empty();
        what.set(Shutdown::RECEIVE, how.reads());
        what.set(Shutdown::SEND, how.writes());
        if let State::Connected { connection, progress: progress @ Progress::Begun } = &mut self.state {
            let is_over = connection.phase() == Phase::Closed;
            *progress = if is_over { Progress::Never } else { Progress::Told };
        }
        match &mut self.state {
            State::Listening(_) => Ok(()),
            State::Connected { connection, .. } if connection.phase() != Phase::Closed => {
                connection.shut_down(what);
                Ok(())
            }
            State::Connected { .. } | State::Unconnected => {
                self.shutdown |= what;
                Err(Errno::ENOTCONN)
            }
        }
    }

    /// Reads.
    ///
    /// # Errors
    /// `ENOTCONN`: there is no connection. Those of [`Connection::receive`].
    pub fn receive(&mut self, to: &mut dyn Sink, taking: Taking) -> Poll<Result<usize, Errno>> {
        match &mut self.state {
            State::Connected { connection, .. } => connection.receive(to, taking),
            State::Unconnected if self.shutdown.contains(Shutdown::RECEIVE) => Poll::Ready(Ok(0)),
            _ => Poll::Ready(Err(Errno::ENOTCONN)),
        }
    }

    /// Writes.
    ///
    /// # Errors
    /// `EPIPE`: there is no connection. Those of [`Connection::send`].
    pub fn send(&mut self, from: &mut dyn Source, pace: Pace) -> Poll<Result<usize, Errno>> {
        match &mut self.state {
            State::Connected { connection, .. } => connection.send(from, pace),
            _ => Poll::Ready(Err(Errno::EPIPE)),
        }
    }

    /// Goes on with a write of which some bytes were taken. `Pending`: no more can be taken now, be it for an error,
    /// which the next write tells.
    pub fn send_more(&mut self, from: &mut dyn Source, pace: Pace) -> Poll<Result<usize, Errno>> {
        match &mut self.state {
            State::Connected { connection, .. } if connection.can_send() => connection.send(from, pace),
            _ => Poll::Pending,
        }
    }

    /// Bytes that can be read: `FIONREAD`.
    ///
    /// # Errors
    /// `EINVAL`: it listens.
    pub fn unread(&self) -> Result<usize, Errno> {
        match &self.state {
            State::Unconnected => Ok(0),
            State::Listening(_) => Err(Errno::EINVAL),
            State::Connected { connection, .. } => Ok(connection.unread()),
        }
    }

    /// Bytes that the peer has not acknowledged: `SIOCOUTQ`.
    ///
    /// # Errors
    /// `EINVAL`: it listens.
    pub fn queued(&self) -> Result<usize, Errno> {
        match &self.state {
            State::Unconnected => Ok(0),
            State::Listening(_) => Err(Errno::EINVAL),
            State::Connected { connection, .. } => Ok(connection.queued()),
        }
    }

    /// What is known for `TCP_INFO`.
    #[must_use]
    pub fn info(&self) -> TcpInfo {
        match &self.state {
            State::Unconnected => TcpInfo { state: Phase::Closed.number(), ..TcpInfo::default() },
            State::Listening(listener) => TcpInfo {
                state: Phase::Listen.number(),
                unacked: listener.waiting() as u32,
                sacked: listener.backlog() as u32,
                ..TcpInfo::default()
            },
            State::Connected { connection, .. } => connection.info(),
        }
    }

    /// Bytes that a segment carries at most: `TCP_MAXSEG`.
    #[must_use]
    pub fn segment_len(&self) -> usize {
        match &self.state {
            State::Connected { connection, .. } => connection.segment_len(),
            _ => self.options.max_segment.map_or(DEFAULT_SEGMENT, usize::from),
        }
    }

    /// Begins to close, for somebody who waits until the peer has everything: `SO_LINGER`. For how long it is waited;
    /// `None`: not at all.
    pub fn begin_lingering(&mut self) -> Option<Duration> {
        let time = self.options.linger.filter(|time| !time.is_zero())?;
        let State::Connected { connection, .. } = &mut self.state else { return None };
        if !connection.is_connected() || connection.unread() > 0 {
            return None;
        }
        connection.shut_down(Shutdown::SEND);
        Some(time)
    }

    /// Whether the peer has everything, or never will.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        match &self.state {
            State::Connected { connection, .. } => connection.is_flushed(),
            _ => true,
        }
    }

    /// Takes the error that waits to be told: `SO_ERROR`.
    pub fn take_error(&mut self) -> Option<Errno> {
        match &mut self.state {
            State::Connected { connection, .. } => connection.take_error(),
            _ => self.error.take(),
        }
    }

    /// Leaves an error for the next call.
    pub const fn put_error(&mut self, error: Errno) {
        match &mut self.state {
            State::Connected { connection, .. } => connection.put_error(error),
            _ => self.error = Some(error),
        }
    }

    /// Nobody has it open any more.
    pub fn close(&mut self, now: Duration) {
        let hardness =
            if self.options.linger == Some(Duration::ZERO) { Hardness::Reset } else { Hardness::Orderly };
        if let State::Connected { connection, .. } = &mut self.state {
            connection.close(hardness, now);
        }
    }

    /// Does what is due for the connection, if there is one.
    pub fn settle(&mut self, now: Duration, out: &mut Burst) -> Outcome {
        match &mut self.state {
            State::Connected { connection, .. } => connection.settle(now, out),
            _ => Outcome::default(),
        }
    }

    /// Whether [`settle`](Self::settle) has nothing to do after bytes were taken out.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        match &self.state {
            State::Connected { connection, .. } => connection.is_at_rest(),
            _ => true,
        }
    }

    /// The ends of its connection.
    #[must_use]
    pub fn tuple(&self) -> Option<Tuple> {
        match &self.state {
            State::Connected { connection, .. } => Some(connection.tuple()),
            _ => None,
        }
    }
}

impl<C> Default for Socket<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Readiness for Socket<C> {
    fn readiness(&self) -> Events {
        match &self.state {
            State::Connected { connection, .. } => connection.readiness(),
            State::Listening(listener) if listener.is_empty() => Events::empty(),
            State::Listening(_) => Events::READABLE,
            State::Unconnected => View {
                phase: Phase::Closed,
                shutdown: self.shutdown,
                is_readable: false,
                is_writable: true,
                has_error: self.error.is_some(),
            }
            .events(),
        }
    }
}
