//! One connection's protocol machine, which is smoltcp's.
//!
//! Each connection has a `SocketSet` of one and an `Interface` of its own, so that a packet costs the same however
//! many connections there are: smoltcp would search one shared set from end to end.
//!
//! Three defects of smoltcp 0.14 are fenced off. A receive buffer of 65 536 bytes lets a peer that scales windows panic
//! it: no buffer is that large. `smoltcp::iface::Interface::poll` may never return in FIN-WAIT-2: it is never called, and
//! [`dispatch`](Engine::dispatch) has a bound. Acknowledgments are numbered from where it goes back to: they get other
//! numbers (`note`).
//!
//! Why: decision 0040, decision 0043.

mod growth;
mod machine;
mod turn;

use core::net::SocketAddrV4;
use core::time::Duration;

use smoltcp::iface::{Config, Interface};
use smoltcp::socket::tcp::Socket;
use smoltcp::time::Instant;
use smoltcp::wire::{
    HardwareAddress, IPV4_HEADER_LEN, IpAddress, IpEndpoint, TcpOption, TcpPacket, TcpSeqNumber,
};

use self::growth::Peer;
use self::machine::Machine;
pub use self::machine::ask_for_memory;
pub(super) use self::machine::{BUFFER, LARGE_BUFFER};
use super::clock::{self, Clock};
use super::packet::{Burst, Packet};
use super::phase::Phase;
use super::segment::{Segment, Tuple};
use super::wire::{Route, Wire};
use crate::machine::transfer::{Sink, Source};

/// Bytes of a segment at most for a peer that says nothing of it (RFC 9293 section 3.7.1).
pub(super) const DEFAULT_SEGMENT: usize = 536;

/// How long an acknowledgment waits for something that it can ride on.
pub(super) const ACKNOWLEDGMENT: Duration = Duration::from_millis(10);

/// The same, by a clock in a hurry.
const HASTY_ACKNOWLEDGMENT: Duration = Duration::from_millis(10 * clock::HASTE as u64);

/// Bytes of a segment that is long for its headers.
pub(super) const LONG: usize = 4096;

/// Bytes of an IP and of a TCP header.
const HEADERS: usize = 40;

/// The protocol machine.
pub(super) struct Engine {
    machine: Machine,
    interface: Interface,
    clock: Clock,
    route: Route,
    tuple: Option<Tuple>,
    peer: Peer,
    /// When the handshake began, and how long it took.
    begun: Duration,
    round_trip: Duration,
    /// Whether small segments wait for acknowledgments.
    has_nagle: bool,
    patience: Patience,
    /// Bytes of a packet at most.
    packet_len: usize,
    /// Bytes of a segment at most that the peer takes.
    peer_segment: usize,
    /// What the socket says, since the last change.
    view: View,
    /// The numbers in the last segment that was sent.
    sent: Sent,
    /// When there is something to do, if nothing but taking out bytes happens before; `None` if that is not known.
    next: Option<Option<Duration>>,
    /// Bytes taken out since the peer was last told of the room for more.
    untold: usize,
    /// Bytes that came since the last segment left.
    unanswered: usize,
    /// Bytes were put in and nobody has tried to send them.
    has_written: bool,
}

/// What is asked of a socket again and again, each time through the set that it is in.
#[derive(Clone, Copy)]
struct View {
    phase: Phase,
    received: usize,
    unacknowledged: usize,
}

/// Whether answers wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Patience {
    /// For what they can ride on.
    Waits,
    /// Not at all: whoever sends so much may have to wait for them.
    None,
}

/// Where the segments that were sent leave off.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sent {
    /// The number after the last byte sent.
    pub(super) next: u32,
    /// The number of the byte that is expected.
    pub(super) expected: u32,
}

impl Engine {
    /// A closed one, whose segments have at most `max_segment` bytes in either direction. `seed` chooses the first
    /// sequence number, and must not be guessed.
    pub(super) fn new(route: Route, max_segment: Option<u16>, seed: u64, now: Duration) -> Self {
        let packet_len =
            max_segment.map_or(usize::MAX, |len| usize::from(len) + HEADERS).min(route.packet_len());
        let clock = Clock::new(now);
        let interface = interface(seed, route, packet_len, clock.instant(now));
        let mut machine = Machine::new();
        machine.prepare(route);
        Self {
            machine,
            interface,
            clock,
            route,
            tuple: None,
            peer: Peer::default(),
            begun: now,
            round_trip: Duration::ZERO,
            has_nagle: route != Route::Local,
            patience: Patience::Waits,
            packet_len,
            peer_segment: DEFAULT_SEGMENT,
            view: View { phase: Phase::Closed, received: 0, unacknowledged: 0 },
            sent: Sent::default(),
            next: None,
            untold: 0,
            unanswered: 0,
            has_written: false,
        }
    }

    /// Begins a handshake. `false` if an address is none.
    pub(super) fn connect(&mut self, tuple: Tuple) -> bool {
        self.tuple = Some(tuple);
        let Self { machine, interface, .. } = self;
        let socket = machine.socket_mut();
        let result = socket.connect(interface.context(), endpoint(tuple.remote), endpoint(tuple.local));
        self.look();
        result.is_ok()
    }

    /// Waits for the SYN, which must come next.
    pub(super) fn listen(&mut self, tuple: Tuple) {
        self.tuple = Some(tuple);
        // It fails only for port 0, which no segment has.
        let _ = self.socket_mut().listen(endpoint(tuple.local));
        self.look();
    }

    /// Takes in one packet, which is for this connection, and returns how many bytes that can be read it brought.
    /// Answers go to `out`.
    pub(super) fn process(
        &mut self,
        segment: &Segment,
        packet: &[u8],
        now: Duration,
        out: &mut Burst,
    ) -> usize {
        let known = self.next.take();
        let is_next = segment.sequence == self.expected();
        self.peer.window = segment.window;
        if segment.has_syn {
            self.note_request(packet);
        }
        let (first, before) = (out.len(), self.view);
        let mut wire =
            Wire { packet: Some(packet), out: Some(out), route: self.route, packet_len: self.packet_len };
        self.interface.poll_ingress_single(self.clock.instant(now), &mut wire, &mut self.machine.set);
        self.look();
        if before.phase.is_opening() && !self.phase().is_opening() {
            self.round_trip = now.saturating_sub(self.begun);
            if self.route != Route::Local {
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

    /// The state.
    pub(super) const fn phase(&self) -> Phase {
        self.view.phase
    }

    /// What the way to the peer is like.
    pub(super) const fn route(&self) -> Route {
        self.route
    }

    /// Numbers of the last segment sent.
    pub(super) const fn sent(&self) -> Sent {
        self.sent
    }

    /// Bytes that have come and not been taken.
    pub(super) const fn received(&self) -> usize {
        self.view.received
    }

    /// Bytes that the peer has not acknowledged, or not even got.
    pub(super) const fn unacknowledged(&self) -> usize {
        self.view.unacknowledged
    }

    /// Takes bytes from `from`, as many as there is room for, and returns how many.
    pub(super) fn send(&mut self, from: &mut dyn Source) -> usize {
        let mut total = 0;
        // The buffer is a ring: twice at most, for the part before its end and the one after.
        for _ in 0..2 {
            if from.remaining() == 0 {
                break;
            }
            let part = self.socket_mut().send(|space| {
                let len = space.len().min(from.remaining());
                let taken = if len == 0 { 0 } else { from.take(&mut space[..len]) };
                (taken, taken)
            });
            total += part.unwrap_or(0);
        }
        if total > 0 {
            self.next = None;
            self.has_written = true;
            self.view.unacknowledged += total;
        }
        total
    }

    /// Gives bytes to `to`, as many as it takes, and returns how many.
    pub(super) fn receive(&mut self, to: &mut dyn Sink) -> usize {
        let mut total = 0;
        for _ in 0..2 {
            if total == self.view.received || to.remaining() == 0 {
                break;
            }
            let part = self.socket_mut().recv(|bytes| {
                let len = bytes.len().min(to.remaining());
                let put = if len == 0 { 0 } else { to.put(&bytes[..len]) };
                (put, put)
            });
            total += part.unwrap_or(0);
        }
        self.untold += total;
        self.view.received -= total;
        total
    }

    /// Number of the byte that is to come next.
    pub(super) const fn expected(&self) -> u32 {
        self.sent.expected.wrapping_add(self.unanswered as u32)
    }

    /// Forgets the last bytes that came, all that there are: somebody has them.
    pub(super) fn pass_over(&mut self) {
        self.untold += self.received();
        self.discard();
    }

    /// Bytes that each of the two buffers holds.
    pub(super) const fn room(&self) -> usize {
        self.machine.room
    }

    /// Whether so much has come that the peer may have to wait.
    pub(super) const fn is_crowded(&self) -> bool {
        self.received() >= self.machine.room / 4 * 3
    }

    /// Throws all bytes away that nobody has read.
    pub(super) fn discard(&mut self) {
        while self.socket_mut().recv(|bytes| (bytes.len(), bytes.len())).is_ok_and(|count| count > 0) {}
        self.look();
    }

    /// Sends a FIN after what is in the buffer.
    pub(super) fn close(&mut self) {
        self.next = None;
        self.socket_mut().close();
        self.look();
    }

    /// Ends the connection with a RST, which [`dispatch`](Self::dispatch) sends.
    pub(super) fn abort(&mut self) {
        self.next = None;
        self.socket_mut().abort();
        self.look();
    }

    /// How long answers to what comes next wait for something that they can ride on. On a network, where segments
    /// are many, every second one is answered at once anyway.
    pub(super) fn set_patience(&mut self, patience: Patience) {
        if self.route == Route::Local && self.patience != patience {
            self.patience = patience;
            let delay = (patience == Patience::Waits).then(|| ACKNOWLEDGMENT.into());
            self.socket_mut().set_ack_delay(delay);
        }
    }

    /// `TCP_NODELAY`.
    pub(super) fn set_no_delay(&mut self, is_on: bool) {
        if self.route != Route::Local {
            self.next = None;
            self.has_nagle = !is_on;
            self.socket_mut().set_nagle_enabled(!is_on);
        }
    }

    /// Sends something that the peer must answer, if nothing else is on its way.
    pub(super) fn probe(&mut self) {
        self.next = None;
        let socket = self.socket_mut();
        // To ask for it brings one about at once; what smoltcp would do by itself after that is not wanted.
        socket.set_keep_alive(Some(smoltcp::time::Duration::from_secs(1)));
        socket.set_keep_alive(None);
    }

    /// Takes from a packet with a SYN what the peer says of itself.
    fn note_request(&mut self, packet: &[u8]) {
        let Some(tcp) = packet.get(IPV4_HEADER_LEN..).and_then(|tcp| TcpPacket::new_checked(tcp).ok()) else {
            return;
        };
        let mut options = tcp.options();
        while let Ok((rest, option)) = TcpOption::parse(options) {
            match option {
                TcpOption::EndOfList => break,
                TcpOption::MaxSegmentSize(len) => self.peer_segment = usize::from(len).max(1),
                TcpOption::WindowScale(shift) => self.peer.window_scale = Some(shift),
                TcpOption::SackPermitted => self.peer.has_sack = true,
                _ => {}
            }
            if rest.is_empty() {
                break;
            }
            options = rest;
        }
    }

    /// Bytes that a segment to the peer carries at most.
    pub(super) fn segment_len(&self) -> usize {
        self.own_segment_len().min(self.peer_segment)
    }

    /// Bytes that a segment from the peer carries at most.
    pub(super) const fn own_segment_len(&self) -> usize {
        self.packet_len - HEADERS
    }

    /// Bytes of a packet at most.
    pub(super) const fn packet_len(&self) -> usize {
        self.packet_len
    }

    /// What follows the numbers of what was sent.
    ///
    /// To send bytes again smoltcp goes back to the first that was not acknowledged, and from there it numbers
    /// acknowledgments as well. Its peer has got further, takes them for old and ignores them; where both ends have gone
    /// back, neither ever hears the other. So a segment without bytes leaves with the number after all that was ever
    /// sent (RFC 9293: `SND.NXT`; `tcp_acceptable_seq`). Its checksum is not made here.
    fn note(&mut self, out: &mut [Packet], first: usize) {
        if let Some(packet) = out.get_mut(first..).and_then(|sent| sent.last_mut()) {
            let mut tcp = TcpPacket::new_unchecked(&mut packet.ip_mut()[IPV4_HEADER_LEN..]);
            let len = tcp.segment_len();
            let next = tcp.seq_number() + len;
            let before = TcpSeqNumber(self.sent.next.cast_signed());
            // Not the byte that asks whether a closed window is still closed: smoltcp goes on from before it, and a peer
            // without a window takes no other number.
            let is_probe = len == 1 && self.peer.window == 0 && !tcp.syn() && !tcp.fin();
            let is_new = tcp.syn() || (next > before && !is_probe);
            let expected = tcp.ack_number().0.cast_unsigned();
            // What is sent again is not the last.
            let next = if is_new { next } else { before };
            self.sent = Sent { next: next.0.cast_unsigned(), expected };
            (self.untold, self.unanswered) = (0, 0);
            if !is_new && len == 0 && !tcp.rst() {
                tcp.set_seq_number(before);
            }
        }
    }

    /// Looks at the socket, after whatever may have changed it.
    fn look(&mut self) {
        let socket = self.machine.socket();
        self.view = View {
            phase: socket.state().into(),
            received: socket.recv_queue(),
            unacknowledged: socket.send_queue(),
        };
    }

    fn socket_mut(&mut self) -> &mut Socket<'static> {
        self.machine.socket_mut()
    }
}

/// smoltcp's interface for a connection that goes this way.
fn interface(seed: u64, route: Route, packet_len: usize, now: Instant) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed;
    let mut interface = Interface::new(config, &mut Wire::closed(route, packet_len), now);
    // Which addresses are local is decided before a packet gets here.
    interface.set_any_ip(true);
    interface
}

fn endpoint(address: SocketAddrV4) -> IpEndpoint {
    IpEndpoint::new(IpAddress::Ipv4(*address.ip()), address.port())
}
