//! The states of a local socket, and which call fails in which.
//!
//! Not here: the peer, of which a socket only has a reference (`P`) and knows whether it has room.
//! Source: unix(7); Linux 6.1 net/unix/af_unix.c.

mod listen;
mod transfer;

use alloc::collections::VecDeque;

use pollee::{Events, Readiness};

use super::name::Name;
use super::queue::{Piece, PieceQueue};
use crate::abi::errno::Errno;
use crate::net::abi::socket::{How, Ucred};
use crate::net::socket::{Options, SEND_ROOM};
use crate::net::tcp::listener::Listener;
use crate::net::tcp::readiness::Shutdown;

/// The default of `SO_SNDBUF`: `net.core.wmem_default`.
pub const DEFAULT_BUFFER: usize = 212_992;

/// The type of a local socket.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Bytes: `SOCK_STREAM`.
    Stream,
    /// Messages of a connection: `SOCK_SEQPACKET`.
    SeqPacket,
    /// Messages: `SOCK_DGRAM`.
    Datagram,
}

/// The state of a local socket. `P` is a reference to another one, `R` a descriptor in flight.
pub struct UnixSocketState<P, R> {
    kind: Kind,
    role: Role<P>,
    name: Option<Name>,
    queue: PieceQueue<R>,
    /// Whether the peer's queue had room when it said so last.
    peer_has_room: bool,
    shutdown: Shutdown,
    error: Option<Errno>,
    /// Its last descriptor was closed.
    is_dead: bool,
    credentials: Option<Ucred>,
    options: Options,
}

enum Role<P> {
    Unconnected,
    Listening(Listener<P>),
    Connected(P),
}

/// The relation of a writer to the receiver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Writer {
    /// The connected peer. Its `SO_SNDBUF` limits its unread bytes.
    Peer,
    /// One of any number of senders of datagrams to a name. Their unread bytes are counted together.
    Stranger,
}

/// What a connection inherits from the listening socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heritage {
    /// The name.
    pub name: Option<Name>,
    /// The credentials of the listener.
    pub credentials: Ucred,
}

/// What the caller must drop or notify when a socket is closed.
#[must_use]
pub struct Remains<P, R> {
    /// The name it had.
    pub name: Option<Name>,
    /// The peer, which must be told.
    pub peer: Option<P>,
    /// The connections that waited for accept(2).
    pub waiting: VecDeque<P>,
    /// The unread pieces.
    pub unread: VecDeque<Piece<R>>,
}

impl<P: Clone, R: Clone> UnixSocketState<P, R> {
    /// Creates a socket that is neither bound nor connected.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        let options =
            Options { send_buffer: DEFAULT_BUFFER, receive_buffer: DEFAULT_BUFFER, ..Options::default() };
        Self {
            kind,
            role: Role::Unconnected,
            name: None,
            queue: PieceQueue::new(DEFAULT_BUFFER),
            peer_has_room: true,
            shutdown: Shutdown::empty(),
            error: None,
            is_dead: false,
            credentials: None,
            options,
        }
    }

    /// Returns its type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns its name.
    #[must_use]
    pub const fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Gives it a name.
    ///
    /// # Errors
    /// `EINVAL`: it has one.
    pub fn bind(&mut self, name: Name) -> Result<(), Errno> {
        if self.name.is_some() {
            return Err(Errno::EINVAL);
        }
        self.name = Some(name);
        Ok(())
    }

    /// Returns the options.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the options, for changing them.
    pub const fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Returns the peer.
    #[must_use]
    pub const fn peer(&self) -> Option<&P> {
        match &self.role {
            Role::Connected(peer) => Some(peer),
            _ => None,
        }
    }

    /// Returns the credentials of the peer when it connected or listened: `SO_PEERCRED`.
    #[must_use]
    pub const fn peer_credentials(&self) -> Option<Ucred> {
        self.credentials
    }

    /// Returns whether it listens.
    #[must_use]
    pub const fn is_listening(&self) -> bool {
        matches!(self.role, Role::Listening(_))
    }

    /// Checks that connect(2) is allowed.
    ///
    /// # Errors
    /// `EISCONN`: it is connected. `EINVAL`: it listens.
    pub const fn require_connectable(&self) -> Result<(), Errno> {
        match self.role {
            Role::Unconnected => Ok(()),
            Role::Connected(_) => Err(Errno::EISCONN),
            Role::Listening(_) => Err(Errno::EINVAL),
        }
    }

    /// Connects it with `peer`, which has `credentials` and may leave `limit` unread bytes here.
    pub fn connect(&mut self, peer: P, credentials: Ucred, limit: usize) {
        self.role = Role::Connected(peer);
        self.credentials = Some(credentials);
        self.queue.set_limit(limit);
    }

    /// Sets how many unread bytes the peer may leave here, and returns whether there is room.
    pub const fn set_peer_limit(&mut self, limit: usize) -> bool {
        self.queue.set_limit(limit);
        self.queue.has_room()
    }

    /// Takes the pending error: `SO_ERROR`.
    pub const fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// Sets the pending error, for the next call.
    pub const fn put_error(&mut self, error: Errno) {
        self.error = Some(error);
    }

    /// Returns whether its last descriptor was closed.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Ends reading, writing or both: shutdown(2). Returns the peer, if it must be told.
    pub fn shut_down(&mut self, how: How) -> Option<P> {
        self.shutdown |= shutdown(how.reads(), how.writes());
        self.peer().filter(|_| self.kind != Kind::Datagram).cloned()
    }

    /// Follows a shutdown(2) of the peer.
    pub fn follow(&mut self, how: How) {
        self.shutdown |= shutdown(how.writes(), how.reads());
    }

    /// Closes the socket after its last descriptor.
    pub fn close(&mut self) -> Remains<P, R> {
        self.is_dead = true;
        self.shutdown = Shutdown::all();
        let unread = self.queue.clear();
        let (peer, waiting) = match core::mem::replace(&mut self.role, Role::Unconnected) {
            Role::Unconnected => (None, VecDeque::new()),
            Role::Connected(peer) => (Some(peer), VecDeque::new()),
            Role::Listening(listener) => (None, listener.into_waiting()),
        };
        Remains { name: self.name.clone(), peer, waiting, unread }
    }

    /// Returns whether the peer's queue had room when it said so last.
    #[must_use]
    pub const fn peer_has_room(&self) -> bool {
        self.peer_has_room
    }

    /// Notes that the peer was closed; `error` is the reason if that was not orderly.
    pub fn lose_peer(&mut self, error: Option<Errno>) {
        self.peer_has_room = true;
        if self.kind != Kind::Datagram {
            self.shutdown = Shutdown::all();
            self.error = error.or(self.error);
        }
    }

    /// Connects a datagram socket to `peer`, or disconnects it, and returns the peer before.
    pub fn associate(&mut self, peer: Option<P>) -> Option<P> {
        let role = match peer {
            Some(peer) => Role::Connected(peer),
            None => Role::Unconnected,
        };
        match core::mem::replace(&mut self.role, role) {
            Role::Connected(before) => Some(before),
            _ => None,
        }
    }

    /// Disconnects from a peer that was closed, and removes its unread pieces.
    pub fn disconnect(&mut self) -> VecDeque<Piece<R>> {
        self.role = Role::Unconnected;
        self.queue.clear()
    }
}

fn shutdown(reading: bool, writing: bool) -> Shutdown {
    let mut what = Shutdown::empty();
    what.set(Shutdown::RECEIVE, reading);
    what.set(Shutdown::SEND, writing);
    what
}

impl<P: Clone, R: Clone> Readiness for UnixSocketState<P, R> {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        let is_alone = matches!(self.role, Role::Unconnected) && self.kind != Kind::Datagram;
        let has_company = matches!(&self.role, Role::Listening(listener) if !listener.is_empty());
        let is_over = self.shutdown.contains(Shutdown::RECEIVE);
        events.set(Events::ERR, self.error.is_some());
        events.set(Events::HUP, self.shutdown.is_all() || is_alone);
        events.set(Events::RDHUP, is_over);
        events.set(Events::READABLE, is_over || has_company || !self.queue.is_empty());
        events.set(SEND_ROOM, self.peer_has_room && !self.is_listening());
        events
    }
}
