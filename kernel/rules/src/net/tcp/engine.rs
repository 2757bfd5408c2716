//! Runs the protocol of one connection, by smoltcp.
//!
//! Each connection has a `SocketSet` of one and an `Interface` of its own, so that a packet costs the same however
//! many connections there are: smoltcp would search one shared set from end to end.
//!
//! Three defects of smoltcp 0.14 are fenced off. A receive buffer of 65 536 bytes lets a peer that scales windows panic
//! it: no buffer is that large. `smoltcp::iface::Interface::poll` may never return in FIN-WAIT-2: it is never called, and
//! [`dispatch`](Engine::dispatch) has a bound. Acknowledgments are numbered from where it goes back to: they get other
//! numbers (`numbers`).
//! Why: decision 0040, decision 0043.

mod clock;
mod device;
mod dispatch;
mod numbers;
mod resize;
mod rst;
mod smoltcp_socket;
mod stream;

use core::net::SocketAddrV4;
use core::time::Duration;

use smoltcp::iface::{Config, Interface};
use smoltcp::socket::tcp::Socket;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpEndpoint};

use self::clock::Clock;
use self::device::PacketDevice;
pub(super) use self::numbers::Sent;
use self::resize::Peer;
pub use self::rst::refuse;
pub use self::smoltcp_socket::MemoryBudget;
use self::smoltcp_socket::SmoltcpSocket;
pub(super) use self::smoltcp_socket::{BUFFER, LARGE_BUFFER};
use super::packet::PacketBatch;
use super::path::PathKind;
use super::segment::{Segment, Tuple};
use super::state::TcpState;

/// The MSS of a peer that announces none (RFC 9293 section 3.7.1).
pub(super) const DEFAULT_SEGMENT: usize = 536;

/// How long an acknowledgment is delayed, so that data can carry it.
pub(super) const ACKNOWLEDGMENT: Duration = Duration::from_millis(10);

/// The same delay on a clock in a hurry.
const HASTY_ACKNOWLEDGMENT: Duration = Duration::from_millis(10 * clock::HASTE as u64);

/// From this length on, a segment counts as bulk data.
pub(super) const LONG: usize = 4096;

/// Bytes of an IP and of a TCP header.
const HEADERS: usize = 40;

/// What a connection needs from the machine: a random seed and a memory budget.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// Chooses the first sequence number, and must not be guessed.
    pub seed: u64,
    /// Is asked before the buffers are enlarged.
    pub budget: MemoryBudget,
}

#[cfg(test)]
impl Resources {
    /// A machine whose memory never ends.
    pub(in crate::net) fn unlimited(seed: u64) -> Self {
        Self { seed, budget: |_| true }
    }
}

/// The protocol of one connection: smoltcp's socket and interface, and what is cached of them.
pub(super) struct Engine {
    smoltcp: SmoltcpSocket,
    interface: Interface,
    clock: Clock,
    path: PathKind,
    tuple: Option<Tuple>,
    peer: Peer,
    /// When the handshake began, and how long it took.
    begun: Duration,
    round_trip: Duration,
    /// Whether small segments wait for acknowledgments.
    has_nagle: bool,
    ack_policy: AckPolicy,
    /// Is asked before the buffers are enlarged.
    budget: MemoryBudget,
    /// The largest packet, in bytes.
    packet_len: usize,
    /// The peer's MSS.
    peer_segment: usize,
    /// What smoltcp's socket said after the last change.
    view: SocketSnapshot,
    /// The numbers in the last segment that was sent.
    sent: Sent,
    /// When `dispatch` has work again, as long as only reads happen before; the outer `None`: unknown.
    next: Option<Option<Duration>>,
    /// Bytes read since the last window that the peer was told.
    untold: usize,
    /// Bytes received since the last segment left.
    unanswered: usize,
    /// Bytes were written that `dispatch` has not tried to send.
    has_written: bool,
}

/// Cached answers of smoltcp's socket, each of which costs a walk through its set.
#[derive(Clone, Copy)]
struct SocketSnapshot {
    state: TcpState,
    received: usize,
    unacknowledged: usize,
}

/// Whether acknowledgments are delayed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AckPolicy {
    /// They wait for data that can carry them.
    Delayed,
    /// They leave at once: a peer that sends bulk data may be waiting for them.
    Immediate,
}

impl Engine {
    /// Creates a closed connection, whose segments have at most `max_segment` bytes in either direction.
    pub(super) fn new(path: PathKind, max_segment: Option<u16>, resources: Resources, now: Duration) -> Self {
        let Resources { seed, budget } = resources;
        let packet_len =
            max_segment.map_or(usize::MAX, |len| usize::from(len) + HEADERS).min(path.packet_len());
        let clock = Clock::new(now);
        let interface = interface(seed, path, packet_len, clock.instant(now));
        let mut smoltcp = SmoltcpSocket::new();
        smoltcp.prepare(path);
        Self {
            smoltcp,
            interface,
            clock,
            path,
            tuple: None,
            peer: Peer::default(),
            begun: now,
            round_trip: Duration::ZERO,
            has_nagle: path != PathKind::Local,
            ack_policy: AckPolicy::Delayed,
            budget,
            packet_len,
            peer_segment: DEFAULT_SEGMENT,
            view: SocketSnapshot { state: TcpState::Closed, received: 0, unacknowledged: 0 },
            sent: Sent::default(),
            next: None,
            untold: 0,
            unanswered: 0,
            has_written: false,
        }
    }

    /// Sends the SYN. Returns `false` if an address is not valid.
    pub(super) fn connect(&mut self, tuple: Tuple) -> bool {
        self.tuple = Some(tuple);
        let Self { smoltcp, interface, .. } = self;
        let socket = smoltcp.socket_mut();
        let result = socket.connect(interface.context(), endpoint(tuple.remote), endpoint(tuple.local));
        self.look();
        result.is_ok()
    }

    /// Enters LISTEN; the next packet must be the SYN.
    pub(super) fn listen(&mut self, tuple: Tuple) {
        self.tuple = Some(tuple);
        // It fails only for port 0, which no segment has.
        let _ = self.socket_mut().listen(endpoint(tuple.local));
        self.look();
    }

    /// Processes a packet for this connection and returns by how many bytes the readable data grew. Answers go to
    /// `out`.
    pub(super) fn process(
        &mut self,
        segment: &Segment,
        packet: &[u8],
        now: Duration,
        out: &mut PacketBatch,
    ) -> usize {
        let known = self.next.take();
        let is_next = segment.sequence == self.expected();
        self.peer.window = segment.window;
        if segment.has_syn {
            self.note_request(packet);
        }
        let (first, before) = (out.len(), self.view);
        let mut device = PacketDevice {
            packet: Some(packet),
            out: Some(out),
            path: self.path,
            packet_len: self.packet_len,
        };
        self.interface.poll_ingress_single(self.clock.instant(now), &mut device, &mut self.smoltcp.set);
        self.look();
        if before.state.is_opening() && !self.state().is_opening() {
            self.round_trip = now.saturating_sub(self.begun);
            if self.path != PathKind::Local {
                self.clock.hurry(now);
                self.socket_mut().set_ack_delay(Some(HASTY_ACKNOWLEDGMENT.into()));
            }
        }
        let arrived = self.received().saturating_sub(before.received);
        self.unanswered += arrived;
        if out.len() > first {
            self.note(out, first);
        } else if is_next && arrived == segment.len && self.foresees(segment, before) {
            self.next = known.map(|at| Some(at.unwrap_or(Duration::MAX).min(now + ACKNOWLEDGMENT)));
        }
        arrived
    }

    /// Returns the state.
    pub(super) const fn state(&self) -> TcpState {
        self.view.state
    }

    /// Returns what the path to the peer is like.
    pub(super) const fn path(&self) -> PathKind {
        self.path
    }

    /// Returns the sequence numbers of the last segment sent.
    pub(super) const fn sent(&self) -> Sent {
        self.sent
    }

    /// Returns how many bytes can be read.
    pub(super) const fn received(&self) -> usize {
        self.view.received
    }

    /// Returns how many written bytes the peer has not acknowledged, sent or not.
    pub(super) const fn unacknowledged(&self) -> usize {
        self.view.unacknowledged
    }

    /// Returns the size of each of the two buffers.
    pub(super) const fn room(&self) -> usize {
        self.smoltcp.room
    }

    /// Sends a FIN after the bytes in the buffer.
    pub(super) fn close(&mut self) {
        self.next = None;
        self.socket_mut().close();
        self.look();
    }

    /// Resets the connection; [`dispatch`](Self::dispatch) sends the RST.
    pub(super) fn abort(&mut self) {
        self.next = None;
        self.socket_mut().abort();
        self.look();
    }

    /// Chooses whether acknowledgments of the next segments are delayed. No effect over a link, where every second
    /// segment is acknowledged at once anyway.
    pub(super) fn set_ack_policy(&mut self, policy: AckPolicy) {
        if self.path == PathKind::Local && self.ack_policy != policy {
            self.ack_policy = policy;
            let delay = (policy == AckPolicy::Delayed).then(|| ACKNOWLEDGMENT.into());
            self.socket_mut().set_ack_delay(delay);
        }
    }

    /// Turns Nagle's algorithm off or on: `TCP_NODELAY`.
    pub(super) fn set_no_delay(&mut self, is_on: bool) {
        if self.path != PathKind::Local {
            self.next = None;
            self.has_nagle = !is_on;
            self.socket_mut().set_nagle_enabled(!is_on);
        }
    }

    /// Sends a keep-alive probe, which the peer must answer, unless other data is under way.
    pub(super) fn probe(&mut self) {
        self.next = None;
        let socket = self.socket_mut();
        // Turning keep-alive on makes smoltcp probe at once; turning it off stops smoltcp's own repetitions.
        socket.set_keep_alive(Some(smoltcp::time::Duration::from_secs(1)));
        socket.set_keep_alive(None);
    }

    /// Returns the largest segment that may be sent to the peer.
    pub(super) fn segment_len(&self) -> usize {
        self.own_segment_len().min(self.peer_segment)
    }

    /// Returns the largest segment that the peer may send.
    pub(super) const fn own_segment_len(&self) -> usize {
        self.packet_len - HEADERS
    }

    /// Returns the largest packet, in bytes.
    pub(super) const fn packet_len(&self) -> usize {
        self.packet_len
    }

    /// Takes a new snapshot of smoltcp's socket, after anything that may have changed it.
    fn look(&mut self) {
        let socket = self.smoltcp.socket();
        self.view = SocketSnapshot {
            state: socket.state().into(),
            received: socket.recv_queue(),
            unacknowledged: socket.send_queue(),
        };
    }

    fn socket_mut(&mut self) -> &mut Socket<'static> {
        self.smoltcp.socket_mut()
    }
}

/// Makes smoltcp's interface for a connection over `path`.
fn interface(seed: u64, path: PathKind, packet_len: usize, now: Instant) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed;
    let mut interface = Interface::new(config, &mut PacketDevice::closed(path, packet_len), now);
    // Which addresses are local is decided before a packet gets here.
    interface.set_any_ip(true);
    interface
}

fn endpoint(address: SocketAddrV4) -> IpEndpoint {
    IpEndpoint::new(IpAddress::Ipv4(*address.ip()), address.port())
}
