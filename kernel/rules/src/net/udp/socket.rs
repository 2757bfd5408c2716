//! A datagram socket.
//!
//! Source: udp(7); Linux 6.1 net/ipv4/udp.c, net/ipv4/datagram.c, net/core/datagram.c (`datagram_poll`).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::task::Poll;

use pollee::{Events, Readiness};

use crate::abi::errno::Errno;
use crate::machine::transfer::Sink;
use crate::net::abi::socket::How;
use crate::net::socket::Options;
use crate::net::tcp::connection::RecvMode;
use crate::net::tcp::readiness::Shutdown;

/// `net.core.rmem_default`.
const DEFAULT_BUFFER: usize = 212_992;

/// What a datagram costs beside its bytes, so that many empty ones have an end, too.
const OVERHEAD: usize = 256;

/// No address.
const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

/// A datagram that waits to be read.
#[derive(Debug, Eq, PartialEq)]
struct QueuedDatagram {
    from: SocketAddrV4,
    bytes: Vec<u8>,
}

/// What a reader gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReceivedDatagram {
    /// How many bytes were copied.
    pub count: usize,
    /// How many there were.
    pub len: usize,
    /// Who sent them; `None`: nobody will send any more.
    pub from: Option<SocketAddrV4>,
}

/// A socket.
#[derive(Debug)]
pub struct UdpSocketState {
    local: SocketAddrV4,
    /// What of it the program chose with bind(2), and not the system: the rest goes with a connection.
    chosen: SocketAddrV4,
    remote: Option<SocketAddrV4>,
    queue: VecDeque<QueuedDatagram>,
    held: usize,
    /// Datagrams for which there was no room.
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
    /// A socket without an address.
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

    /// The options.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// The options, to be changed.
    pub const fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// The address of this end; without a port nothing arrives.
    #[must_use]
    pub const fn local(&self) -> SocketAddrV4 {
        self.local
    }

    /// Who is heard, and sent to; `None`: everybody.
    #[must_use]
    pub const fn remote(&self) -> Option<SocketAddrV4> {
        self.remote
    }

    /// Has got an address, because the program asked for `chosen`.
    pub const fn bind(&mut self, local: SocketAddrV4, chosen: SocketAddrV4) {
        self.local = local;
        self.chosen = chosen;
    }

    /// Has got a port, because it needs one.
    pub const fn bind_any(&mut self, local: SocketAddrV4) {
        self.local = local;
    }

    /// Hears and sends to `remote` only, from `local`.
    pub const fn connect(&mut self, local: SocketAddrV4, remote: SocketAddrV4) {
        self.local = local;
        self.remote = Some(remote);
    }

    /// Hears everybody again, at the address that the program chose.
    pub const fn disconnect(&mut self) {
        self.remote = None;
        self.local = self.chosen;
    }

    /// Takes the error that waits to be told: `SO_ERROR`.
    pub const fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// Leaves an error for the next call.
    pub const fn put_error(&mut self, error: Errno) {
        self.error = Some(error);
    }

    /// Where to send, unless the program says.
    ///
    /// # Errors
    /// What became of the datagram before, once. `EPIPE`: writing was shut down. `EDESTADDRREQ`: the program must say.
    pub fn destination(&mut self, given: Option<SocketAddrV4>) -> Result<SocketAddrV4, Errno> {
        let to = given.or(self.remote).ok_or(Errno::EDESTADDRREQ)?;
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.shutdown.contains(Shutdown::SEND) { Err(Errno::EPIPE) } else { Ok(to) }
    }

    /// Takes a datagram in, unless there are too many. Whether it did.
    #[must_use]
    pub fn push(&mut self, from: SocketAddrV4, bytes: &[u8]) -> bool {
        let is_over = self.shutdown.contains(Shutdown::RECEIVE);
        if is_over || self.held > self.options.receive_buffer || self.queue.try_reserve(1).is_err() {
            self.lost += 1;
            return false;
        }
        self.held += bytes.len() + OVERHEAD;
        self.queue.push_back(QueuedDatagram { from, bytes: bytes.to_vec() });
        true
    }

    /// A datagram to `to` did not arrive. Whether that is of any concern.
    pub fn fail(&mut self, to: SocketAddrV4, error: Errno) -> bool {
        let is_concerned = self.remote == Some(to);
        if is_concerned {
            self.error = Some(error);
        }
        is_concerned
    }

    /// Reads a datagram; what does not fit is lost.
    ///
    /// # Errors
    /// What became of a datagram, once. `EFAULT`: `to` is not writable; the datagram is gone.
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

    /// Bytes of the first datagram: `FIONREAD`.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.queue.front().map_or(0, |first| first.bytes.len())
    }

    /// What the datagrams that wait take.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    /// How many datagrams were lost, because there was no room.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Ends reading, writing or both.
    ///
    /// # Errors
    /// `ENOTCONN`: everybody is heard. It is done all the same.
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
        let mut events = Events::WRITABLE;
        events.set(Events::ERR, self.error.is_some());
        events.set(Events::RDHUP, is_over);
        events.set(Events::HUP, self.shutdown.is_all());
        events.set(Events::READABLE, is_over || !self.queue.is_empty());
        events
    }
}
