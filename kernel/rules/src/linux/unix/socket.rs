//! The states of a local socket, and which call is an error in which.
//!
//! Not here: the other end, of which a socket only knows where it is (`P`), and whether it has room.
//! Source: unix(7); Linux 6.1 net/unix/af_unix.c.

mod listen;
mod transfer;

use alloc::collections::VecDeque;

use pollee::{Events, Readiness};

use super::name::Name;
use super::queue::{Piece, PieceQueue};
use crate::abi::errno::Errno;
use crate::net::abi::socket::{How, Ucred};
use crate::net::socket::Options;
use crate::net::tcp::listener::Listener;
use crate::net::tcp::readiness::Shutdown;

/// `net.core.wmem_default`: bytes that may be on their way.
pub const DEFAULT_BUFFER: usize = 212_992;

/// What a socket carries.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Bytes: `SOCK_STREAM`.
    Stream,
    /// Messages of a connection: `SOCK_SEQPACKET`.
    SeqPacket,
    /// Messages: `SOCK_DGRAM`.
    Datagram,
}

/// A socket. `P` is another one, `R` a descriptor on its way.
pub struct UnixSocketState<P, R> {
    kind: Kind,
    role: Role<P>,
    name: Option<Name>,
    queue: PieceQueue<R>,
    /// What the socket knows of the queue at the other end.
    peer_has_room: bool,
    shutdown: Shutdown,
    error: Option<Errno>,
    /// Nobody has it open.
    is_dead: bool,
    credentials: Option<Ucred>,
    options: Options,
}

enum Role<P> {
    Unconnected,
    Listening(Listener<P>),
    Connected(P),
}

/// What a writer is to who shall take what it writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Writer {
    /// The other end. Its `SO_SNDBUF` says how much may be on its way.
    Peer,
    /// One of many who send datagrams to a name. What all of them have on their way is counted together.
    Stranger,
}

/// What a connection inherits from the socket that listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heritage {
    /// The name.
    pub name: Option<Name>,
    /// Who listens.
    pub credentials: Ucred,
}

/// What has to be dropped or told when a socket is closed.
#[must_use]
pub struct Remains<P, R> {
    /// The name it had.
    pub name: Option<Name>,
    /// Who must hear of it.
    pub peer: Option<P>,
    /// Who waited to be accepted.
    pub waiting: VecDeque<P>,
    /// What nobody has read.
    pub unread: VecDeque<Piece<R>>,
}

impl<P: Clone, R: Clone> UnixSocketState<P, R> {
    /// A socket that is nothing yet.
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

    /// What it carries.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name.
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

    /// The options.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// The options, to be changed.
    pub const fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// The other end.
    #[must_use]
    pub const fn peer(&self) -> Option<&P> {
        match &self.role {
            Role::Connected(peer) => Some(peer),
            _ => None,
        }
    }

    /// Who the other end was when it connected or listened: `SO_PEERCRED`.
    #[must_use]
    pub const fn peer_credentials(&self) -> Option<Ucred> {
        self.credentials
    }

    /// Whether it listens.
    #[must_use]
    pub const fn is_listening(&self) -> bool {
        matches!(self.role, Role::Listening(_))
    }

    /// Checks that connect(2) is possible.
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

    /// Is connected with `peer`, who is `credentials`, and writes as much as `limit` here.
    pub fn connect(&mut self, peer: P, credentials: Ucred, limit: usize) {
        self.role = Role::Connected(peer);
        self.credentials = Some(credentials);
        self.queue.set_limit(limit);
    }

    /// The writer may leave as much as `limit` here. Whether there is room now.
    pub const fn set_peer_limit(&mut self, limit: usize) -> bool {
        self.queue.set_limit(limit);
        self.queue.has_room()
    }

    /// Takes the error that waits to be told: `SO_ERROR`.
    pub const fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// Leaves an error for the next call.
    pub const fn put_error(&mut self, error: Errno) {
        self.error = Some(error);
    }

    /// Whether nobody has it open any more.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Ends reading, writing or both, and says who must hear of it.
    pub fn shut_down(&mut self, how: How) -> Option<P> {
        self.shutdown |= shutdown(how.reads(), how.writes());
        self.peer().filter(|_| self.kind != Kind::Datagram).cloned()
    }

    /// The other end has been shut down.
    pub fn follow(&mut self, how: How) {
        self.shutdown |= shutdown(how.writes(), how.reads());
    }

    /// Nobody has it open any more.
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

    /// The other end is gone; `error` is why, if that was not in order.
    pub fn lose_peer(&mut self, error: Option<Errno>) {
        self.peer_has_room = true;
        if self.kind != Kind::Datagram {
            self.shutdown = Shutdown::all();
            self.error = error.or(self.error);
        }
    }

    /// Sends datagrams to `peer` from now on, or to nobody in particular. Who it was before.
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

    /// Forgets the other end, which took no datagram, and what it had sent.
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
        events.set(Events::WRITABLE, self.peer_has_room && !self.is_listening());
        events
    }
}
