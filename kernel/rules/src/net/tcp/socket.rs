//! The states of a TCP socket, and which call fails in which.
//!
//! Not here: the tables of ports and tuples (`port`, the kernel's `net/demux`); a socket only knows its own.
//! Source: socket(7), tcp(7); Linux 6.1 net/ipv4/af_inet.c, net/ipv4/tcp.c.

mod connect;
mod transfer;

use alloc::boxed::Box;
use core::net::SocketAddrV4;
use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Readiness};

pub use self::connect::ConnectAttempt;
use super::connection::{Connection, Outcome};
use super::engine::DEFAULT_SEGMENT;
use super::listener::Listener;
use super::packet::PacketBatch;
use super::readiness::{ReadinessInputs, Shutdown};
use super::segment::Tuple;
use super::state::TcpState;
use crate::abi::errno::Errno;
use crate::net::abi::socket::TcpInfo;
use crate::net::socket::Options;

/// The state of a TCP socket; `C` is a connection that waits for accept(2).
pub struct TcpSocketState<C> {
    role: Role<C>,
    options: Options,
    /// The address that it was bound to, or connects from.
    local: Option<SocketAddrV4>,
    /// Whether it holds the port by bind(2) or listen(2).
    is_bound: bool,
    error: Option<Errno>,
    shutdown: Shutdown,
}

enum Role<C> {
    Unconnected,
    Listening(Listener<C>),
    Connected { connection: Box<Connection>, progress: ConnectProgress },
}

/// What connect(2) has reported of a connection: Linux's state of the socket, which is not that of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ConnectProgress {
    /// `SS_CONNECTING`: that it has begun.
    Begun,
    /// `SS_CONNECTED`: how it ended, or there was nothing to report.
    Told,
    /// `SS_DISCONNECTING`: nothing, and it never will, because shutdown(2) came after the end.
    Never,
}

impl<C> TcpSocketState<C> {
    /// Creates a socket that is neither bound nor connected.
    #[must_use]
    pub fn new() -> Self {
        Self {
            role: Role::Unconnected,
            options: Options::default(),
            local: None,
            is_bound: false,
            error: None,
            shutdown: Shutdown::empty(),
        }
    }

    /// Creates the socket of a connection that a peer asked for.
    #[must_use]
    pub fn of_request(connection: Connection, options: Options) -> Self {
        let local = connection.tuple().local;
        let role = Role::Connected { connection: Box::new(connection), progress: ConnectProgress::Told };
        Self { role, options, local: Some(local), ..Self::new() }
    }

    /// Returns the options.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Changes the options, also of the connection.
    pub fn update_options(&mut self, change: impl FnOnce(&mut Options)) {
        change(&mut self.options);
        if let Role::Connected { connection, .. } = &mut self.role {
            connection.set_options(&self.options);
        }
    }

    /// Returns the address of this end.
    #[must_use]
    pub const fn local(&self) -> Option<SocketAddrV4> {
        self.local
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    /// `ENOTCONN`: there is no connection.
    pub fn peer(&self) -> Result<SocketAddrV4, Errno> {
        match &self.role {
            Role::Connected { connection, .. }
                if connection.is_connected() || connection.state() == TcpState::SynReceived =>
            {
                Ok(connection.tuple().remote)
            }
            _ => Err(Errno::ENOTCONN),
        }
    }

    /// Returns whether it listens: `SO_ACCEPTCONN`.
    #[must_use]
    pub const fn is_listening(&self) -> bool {
        matches!(self.role, Role::Listening(_))
    }

    /// Returns its backlog, if it listens.
    pub const fn listener(&mut self) -> Option<&mut Listener<C>> {
        match &mut self.role {
            Role::Listening(listener) => Some(listener),
            _ => None,
        }
    }

    /// Returns its connection, if it has one.
    pub fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.role {
            Role::Connected { connection, .. } => Some(connection),
            _ => None,
        }
    }

    /// Returns the state of its connection, `Listen` for a listener.
    #[must_use]
    pub const fn state(&self) -> TcpState {
        match &self.role {
            Role::Unconnected => TcpState::Closed,
            Role::Listening(_) => TcpState::Listen,
            Role::Connected { connection, .. } => connection.state(),
        }
    }

    /// Checks that bind(2) is allowed.
    ///
    /// # Errors
    /// `EINVAL`: it has an address already.
    pub fn require_unbound(&self) -> Result<(), Errno> {
        let is_fresh = matches!(self.role, Role::Unconnected) && self.local.is_none();
        if is_fresh { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Sets the address that bind(2) or listen(2) has reserved.
    pub const fn bind(&mut self, address: SocketAddrV4) {
        self.local = Some(address);
        self.is_bound = true;
    }

    /// Returns the port that it holds by bind(2) or listen(2).
    #[must_use]
    pub fn bound_port(&self) -> Option<u16> {
        self.local.filter(|_| self.is_bound).map(|address| address.port())
    }

    /// Checks that listen(2) is allowed.
    ///
    /// # Errors
    /// `EINVAL`: it is connected, or about to be.
    pub const fn require_listenable(&self) -> Result<(), Errno> {
        if matches!(self.role, Role::Connected { .. }) { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// Starts listening, or changes the length of the backlog.
    pub fn listen(&mut self, backlog: i32) {
        match &mut self.role {
            Role::Listening(listener) => listener.set_backlog(backlog),
            Role::Unconnected | Role::Connected { .. } => {
                self.role = Role::Listening(Listener::new(backlog));
                self.shutdown = Shutdown::empty();
            }
        }
    }

    /// Takes the connection that has waited longest.
    ///
    /// # Errors
    /// `EINVAL`: it does not listen.
    pub fn accept(&mut self) -> Poll<Result<C, Errno>> {
        match &mut self.role {
            Role::Listening(listener) => {
                listener.accept().map_or(Poll::Pending, |child| Poll::Ready(Ok(child)))
            }
            _ => Poll::Ready(Err(Errno::EINVAL)),
        }
    }

    /// Fills in `TCP_INFO`.
    #[must_use]
    pub fn info(&self) -> TcpInfo {
        match &self.role {
            Role::Unconnected => TcpInfo { state: TcpState::Closed.number(), ..TcpInfo::default() },
            Role::Listening(listener) => TcpInfo {
                state: TcpState::Listen.number(),
                unacked: listener.waiting() as u32,
                sacked: listener.backlog() as u32,
                ..TcpInfo::default()
            },
            Role::Connected { connection, .. } => connection.info(),
        }
    }

    /// Returns the largest segment that is sent: `TCP_MAXSEG`.
    #[must_use]
    pub fn segment_len(&self) -> usize {
        match &self.role {
            Role::Connected { connection, .. } => connection.segment_len(),
            _ => self.options.max_segment.map_or(DEFAULT_SEGMENT, usize::from),
        }
    }

    /// Takes the pending error: `SO_ERROR`.
    pub fn take_error(&mut self) -> Option<Errno> {
        match &mut self.role {
            Role::Connected { connection, .. } => connection.take_error(),
            _ => self.error.take(),
        }
    }

    /// Sets the pending error, for the next call.
    pub const fn put_error(&mut self, error: Errno) {
        match &mut self.role {
            Role::Connected { connection, .. } => connection.put_error(error),
            _ => self.error = Some(error),
        }
    }

    /// Does what is due for the connection; see [`Connection::settle`].
    pub fn settle(&mut self, now: Duration, out: &mut PacketBatch) -> Outcome {
        match &mut self.role {
            Role::Connected { connection, .. } => connection.settle(now, out),
            _ => Outcome::default(),
        }
    }

    /// Returns whether [`settle`](Self::settle) has nothing to do after a read.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        match &self.role {
            Role::Connected { connection, .. } => connection.is_at_rest(),
            _ => true,
        }
    }

    /// Returns the addresses of its connection.
    #[must_use]
    pub fn tuple(&self) -> Option<Tuple> {
        match &self.role {
            Role::Connected { connection, .. } => Some(connection.tuple()),
            _ => None,
        }
    }
}

impl<C> Default for TcpSocketState<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Readiness for TcpSocketState<C> {
    fn readiness(&self) -> Events {
        match &self.role {
            Role::Connected { connection, .. } => connection.readiness(),
            Role::Listening(listener) if listener.is_empty() => Events::empty(),
            Role::Listening(_) => Events::READABLE,
            Role::Unconnected => ReadinessInputs {
                state: TcpState::Closed,
                shutdown: self.shutdown,
                is_readable: false,
                is_writable: true,
                has_error: self.error.is_some(),
            }
            .events(),
        }
    }
}
