//! The states of a local socket, and which call is an error in which.
//!
//! Not here: the other end, of which a socket only knows where it is (`P`), and whether it has room.
//! Source: unix(7); Linux 6.1 net/unix/af_unix.c.

mod listen;

use alloc::collections::VecDeque;
use core::task::Poll;

use pollee::{Events, Readiness};

use super::name::Name;
use super::queue::{Piece, Queue, Taken};
use crate::abi::errno::Errno;
use crate::machine::transfer::Sink;
use crate::net::abi::socket::{How, Ucred};
use crate::net::socket::Options;
use crate::net::tcp::connection::Taking;
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
pub struct Socket<P, R> {
    kind: Kind,
    stage: Stage<P>,
    name: Option<Name>,
    queue: Queue<R>,
    /// What the socket knows of the queue at the other end.
    peer_has_room: bool,
    shutdown: Shutdown,
    error: Option<Errno>,
    /// Nobody has it open.
    is_dead: bool,
    credentials: Option<Ucred>,
    options: Options,
}

enum Stage<P> {
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

impl<P: Clone, R: Clone> Socket<P, R> {
    /// A socket that is nothing yet.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        let options =
            Options { send_buffer: DEFAULT_BUFFER, receive_buffer: DEFAULT_BUFFER, ..Options::default() };
        Self {
            kind,
            stage: Stage::Unconnected,
            name: None,
            queue: Queue::new(DEFAULT_BUFFER),
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
        match &self.stage {
            Stage::Connected(peer) => Some(peer),
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
        matches!(self.stage, Stage::Listening(_))
    }

    /// Checks that connect(2) is possible.
    ///
    /// # Errors
    /// `EISCONN`: it is connected. `EINVAL`: it listens.
    pub const fn require_connectable(&self) -> Result<(), Errno> {
        match self.stage {
            Stage::Unconnected => Ok(()),
            Stage::Connected(_) => Err(Errno::EISCONN),
            Stage::Listening(_) => Err(Errno::EINVAL),
        }
    }

    /// Is connected with `peer`, who is `credentials`, and writes as much as `limit` here.
    pub fn connect(&mut self, peer: P, credentials: Ucred, limit: usize) {
        self.stage = Stage::Connected(peer);
        self.credentials = Some(credentials);
        self.queue.set_limit(limit);
    }

    /// The writer may leave as much as `limit` here. Whether there is room now.
    pub const fn set_peer_limit(&mut self, limit: usize) -> bool {
        self.queue.set_limit(limit);
        self.queue.has_room()
    }

    /// Reads.
    ///
    /// # Errors
    /// `EINVAL`, `ENOTCONN`: a stream, or a sequence of messages, that is not connected. `EFAULT`: `to` is not writable.
    /// What became of the connection, once.
    pub fn receive(&mut self, to: &mut dyn Sink, taking: Taking) -> Poll<Result<Taken<R>, Errno>> {
        let is_connected = matches!(self.stage, Stage::Connected(_));
        match self.kind {
            Kind::Stream if !is_connected => return Poll::Ready(Err(Errno::EINVAL)),
            Kind::SeqPacket if !is_connected => return Poll::Ready(Err(Errno::ENOTCONN)),
            _ => {}
        }
        if !self.queue.is_empty() {
            return Poll::Ready(self.queue.take(self.kind, to, taking));
        }
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        if self.shutdown.contains(Shutdown::RECEIVE) {
            return Poll::Ready(Ok(Taken::nothing()));
        }
        Poll::Pending
    }

    /// Where a write goes, and how much may be on its way at most.
    ///
    /// # Errors
    /// `ENOTCONN`: nowhere. `EPIPE`: writing was shut down, or the other end is gone. What became of the connection,
    /// once, where Linux looks at it first.
    pub fn write_to(&mut self) -> Result<(&P, usize), Errno> {
        if self.kind == Kind::SeqPacket
            && let Some(error) = self.error.take()
        {
            return Err(error);
        }
        let Stage::Connected(peer) = &self.stage else { return Err(Errno::ENOTCONN) };
        if self.shutdown.contains(Shutdown::SEND) {
            return Err(Errno::EPIPE);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        Ok((peer, self.options.send_buffer))
    }

    /// Checks that a datagram may be sent to somebody else, and says how long it may be.
    ///
    /// # Errors
    /// What became of one before, once. `EPIPE`: writing was shut down.
    pub fn write_elsewhere(&mut self) -> Result<usize, Errno> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let is_over = self.shutdown.contains(Shutdown::SEND);
        if is_over { Err(Errno::EPIPE) } else { Ok(self.options.send_buffer) }
    }

    /// Whether a piece of `writer` may come.
    ///
    /// # Errors
    /// `EPIPE`: nobody will read it. `ECONNREFUSED`: nobody will read the datagram.
    pub fn may_take(&self, writer: Writer) -> Poll<Result<(), Errno>> {
        if self.is_dead {
            let is_datagram = self.kind == Kind::Datagram;
            return Poll::Ready(Err(if is_datagram { Errno::ECONNREFUSED } else { Errno::EPIPE }));
        }
        if self.shutdown.contains(Shutdown::RECEIVE) {
            return Poll::Ready(Err(Errno::EPIPE));
        }
        let takes_more = self.queue.takes_more() && (writer == Writer::Peer || !self.queue.is_crowded());
        if takes_more { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Takes a piece in.
    pub fn push(&mut self, piece: Piece<R>) {
        self.queue.push(piece);
    }

    /// Whether `writer` hears of room.
    #[must_use]
    pub fn has_room(&self, writer: Writer) -> bool {
        self.is_dead
            || match writer {
                Writer::Peer => self.queue.has_room(),
                Writer::Stranger => self.queue.takes_more() && !self.queue.is_crowded(),
            }
    }

    /// Notes whether the other end has room. `true`: it was not so before.
    pub const fn set_peer_has_room(&mut self, has_room: bool) -> bool {
        core::mem::replace(&mut self.peer_has_room, has_room) != has_room
    }

    /// Bytes that can be read: `FIONREAD`.
    ///
    /// # Errors
    /// `EINVAL`: it listens.
    pub fn unread(&self) -> Result<usize, Errno> {
        if self.is_listening() { Err(Errno::EINVAL) } else { Ok(self.queue.unread(self.kind)) }
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
        let (peer, waiting) = match core::mem::replace(&mut self.stage, Stage::Unconnected) {
            Stage::Unconnected => (None, VecDeque::new()),
            Stage::Connected(peer) => (Some(peer), VecDeque::new()),
            Stage::Listening(listener) => (None, listener.into_waiting()),
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
        let stage = match peer {
            Some(peer) => Stage::Connected(peer),
            None => Stage::Unconnected,
        };
        match core::mem::replace(&mut self.stage, stage) {
            Stage::Connected(before) => Some(before),
            _ => None,
        }
    }

    /// Forgets what waits to be read, for the caller to drop.
    pub fn discard(&mut self) -> VecDeque<Piece<R>> {
        self.queue.clear()
    }

    /// Forgets the other end, which took no datagram, and what it had sent.
    pub fn disconnect(&mut self) -> VecDeque<Piece<R>> {
        self.stage = Stage::Unconnected;
        self.queue.clear()
    }
}

fn shutdown(reading: bool, writing: bool) -> Shutdown {
    let mut what = Shutdown::empty();
    what.set(Shutdown::RECEIVE, reading);
    what.set(Shutdown::SEND, writing);
    what
}

impl<P: Clone, R: Clone> Readiness for Socket<P, R> {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        let is_alone = matches!(self.stage, Stage::Unconnected) && self.kind != Kind::Datagram;
        let has_company = matches!(&self.stage, Stage::Listening(listener) if !listener.is_empty());
        let is_over = self.shutdown.contains(Shutdown::RECEIVE);
        events.set(Events::ERR, self.error.is_some());
        events.set(Events::HUP, self.shutdown.is_all() || is_alone);
        events.set(Events::RDHUP, is_over);
        events.set(Events::READABLE, is_over || has_company || !self.queue.is_empty());
        events.set(Events::WRITABLE, self.peer_has_room && !self.is_listening());
        events
    }
}
