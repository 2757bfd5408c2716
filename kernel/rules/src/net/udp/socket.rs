//! The states of a UDP socket, and which call fails in which.
//!
//! Source: udp(7); Linux 6.1 net/ipv4/udp.c, net/ipv4/datagram.c, net/core/datagram.c (`datagram_poll`).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::task::Poll;

use pollee::{Events, Readiness};

use crate::abi::errno::Errno;
use crate::machine::fallible;
use crate::machine::transfer::Sink;
use crate::net::abi::socket::How;
use crate::net::socket::{Options, SEND_ROOM};
use crate::net::tcp::connection::RecvMode;
use crate::net::tcp::readiness::Shutdown;

/// `net.core.rmem_default`.
const DEFAULT_BUFFER: usize = 212_992;

/// What a datagram is charged beside its bytes, so that empty ones are limited, too.
const OVERHEAD: usize = 256;

/// The unspecified address.
const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

/// A datagram in the receive queue.
#[derive(Debug, Eq, PartialEq)]
struct QueuedDatagram {
    from: SocketAddrV4,
    bytes: Vec<u8>,
}

/// What recv(2) returns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReceivedDatagram {
    /// How many bytes were copied.
    pub count: usize,
    /// How many the datagram had.
    pub len: usize,
    /// The sender; `None`: reading was shut down.
    pub from: Option<SocketAddrV4>,
}

/// The state of a UDP socket.
#[derive(Debug)]
pub struct UdpSocketState {
    local: SocketAddrV4,
    /// The part of `local` that the program chose with bind(2); disconnecting undoes the rest.
    chosen: SocketAddrV4,
    remote: Option<SocketAddrV4>,
    queue: VecDeque<QueuedDatagram>,
    held: usize,
    /// How many datagrams were dropped for lack of room.
    lost: u64,
    error: Option<Errno>,
    shutdown: Shutdown,
    options: Options,
}

impl Default for UdpSocketState {
    fn default() -> Self {
        Self::new()
    }
}

impl UdpSocketState {
    /// Creates a socket without an address.
    #[must_use]
    pub fn new() -> Self {
        let options =
            Options { send_buffer: DEFAULT_BUFFER, receive_buffer: DEFAULT_BUFFER, ..Options::default() };
        Self {
            local: NOWHERE,
            chosen: NOWHERE,
            remote: None,
            queue: VecDeque::new(),
            held: 0,
            lost: 0,
            error: None,
            shutdown: Shutdown::empty(),
            options,
        }
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

    /// Returns the address of this end; port 0: it is not bound.
    #[must_use]
    pub const fn local(&self) -> SocketAddrV4 {
        self.local
    }

    /// Returns the peer that it is connected to.
    #[must_use]
    pub const fn remote(&self) -> Option<SocketAddrV4> {
        self.remote
    }

    /// Sets the address that was reserved when the program asked for `chosen`.
    pub const fn bind(&mut self, local: SocketAddrV4, chosen: SocketAddrV4) {
        self.local = local;
        self.chosen = chosen;
    }

    /// Sets the address that was reserved because a call needed a port.
    pub const fn bind_any(&mut self, local: SocketAddrV4) {
        self.local = local;
    }

    /// Connects to `remote`, from `local`.
    pub const fn connect(&mut self, local: SocketAddrV4, remote: SocketAddrV4) {
        self.local = local;
        self.remote = Some(remote);
    }

    /// Disconnects, back to the address that the program chose.
    pub const fn disconnect(&mut self) {
        self.remote = None;
        self.local = self.chosen;
    }

    /// Takes the pending error: `SO_ERROR`.
    pub const fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// Sets the pending error, for the next call.
    pub const fn put_error(&mut self, error: Errno) {
        self.error = Some(error);
    }

    /// Returns the destination of a datagram: `given`, or the peer.
    ///
    /// # Errors
    /// The pending error, once. `EPIPE`: writing was shut down. `EDESTADDRREQ`: not connected, and no address given.
    pub fn destination(&mut self, given: Option<SocketAddrV4>) -> Result<SocketAddrV4, Errno> {
        let to = given.or(self.remote).ok_or(Errno::EDESTADDRREQ)?;
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.shutdown.contains(Shutdown::SEND) { Err(Errno::EPIPE) } else { Ok(to) }
    }

    /// Queues a datagram. Returns `false` if it was dropped: the queue is full, or reading was shut down.
    #[must_use]
    pub fn push(&mut self, from: SocketAddrV4, bytes: &[u8]) -> bool {
        let is_over = self.shutdown.contains(Shutdown::RECEIVE);
        if is_over
            || self.held > self.options.receive_buffer
            || fallible::reserve(&mut self.queue, 1).is_err()
        {
            self.lost += 1;
            return false;
        }
        let Ok(bytes) = fallible::copy(bytes) else {
            self.lost += 1;
            return false;
        };
        self.held += bytes.len() + OVERHEAD;
        self.queue.push_back(QueuedDatagram { from, bytes });
        true
    }

    /// Sets the pending error if the socket is connected to `to`, which an ICMP error named. Returns whether it is.
    pub fn fail(&mut self, to: SocketAddrV4, error: Errno) -> bool {
        let is_concerned = self.remote == Some(to);
        if is_concerned {
            self.error = Some(error);
        }
        is_concerned
    }

    /// Reads a datagram; bytes that do not fit are dropped.
    ///
    /// # Errors
    /// The pending error, once. `EFAULT`: `to` is not writable; the datagram is gone.
    pub fn receive(&mut self, to: &mut dyn Sink, mode: RecvMode) -> Poll<Result<ReceivedDatagram, Errno>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        let Some(first) = self.queue.front() else {
            if self.shutdown.contains(Shutdown::RECEIVE) {
                return Poll::Ready(Ok(ReceivedDatagram { count: 0, len: 0, from: None }));
            }
            return Poll::Pending;
        };
        let wanted = first.bytes.len().min(to.remaining());
        let count = to.put(&first.bytes[..wanted]);
        let taken = ReceivedDatagram { count, len: first.bytes.len(), from: Some(first.from) };
        if mode == RecvMode::Consume {
            self.held -= first.bytes.len() + OVERHEAD;
            self.queue.pop_front();
        }
        Poll::Ready(if count < wanted { Err(Errno::EFAULT) } else { Ok(taken) })
    }

    /// Returns the length of the first datagram: `FIONREAD`.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.queue.front().map_or(0, |first| first.bytes.len())
    }

    /// Returns what the queued datagrams are charged.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    /// Returns how many datagrams were dropped for lack of room.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Ends reading, writing or both: shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`: it is not connected. The directions end all the same.
    pub fn shut_down(&mut self, how: How) -> Result<(), Errno> {
        let mut what = Shutdown::empty();
        what.set(Shutdown::RECEIVE, how.reads());
        what.set(Shutdown::SEND, how.writes());
        self.shutdown |= what;
        self.remote.map(|_| ()).ok_or(Errno::ENOTCONN)
    }
}

impl Readiness for UdpSocketState {
    fn readiness(&self) -> Events {
        let is_over = self.shutdown.contains(Shutdown::RECEIVE);
        let mut events = SEND_ROOM;
        events.set(Events::ERR, self.error.is_some());
        events.set(Events::RDHUP, is_over);
        events.set(Events::HUP, self.shutdown.is_all());
        events.set(Events::READABLE, is_over || !self.queue.is_empty());
        events
    }
}
