//! One connection's protocol machine, which is smoltcp's.
//!
//! Each connection has a `SocketSet` of one and an `Interface` of its own, so that a packet costs the same however
//! many connections there are: smoltcp would search one shared set from end to end.
//!
//! Two defects of smoltcp 0.14 are fenced off. A receive buffer of 65 536 bytes lets a peer that scales windows panic
//! it: [`BUFFER`] is far below. `Interface::poll` may never return in FIN-WAIT-2: it is never called, and
//! [`dispatch`](Engine::dispatch) has a bound.

use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddrV4;
use core::time::Duration;

use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer};
use smoltcp::wire::{HardwareAddress, IPV4_HEADER_LEN, IpAddress, IpEndpoint, TcpOption, TcpPacket};

use super::clock::{self, Clock};
use super::packet::{Burst, Packet};
use super::phase::Phase;
use super::segment::Tuple;
use super::spare::Spares;
use super::wire::{Route, Wire};
use crate::transfer::{Sink, Source};

/// Bytes of each of a connection's two buffers.
pub(super) const BUFFER: usize = 16 * 1024;

const _: () = assert!(BUFFER < 65536, "a peer could panic smoltcp");

/// Bytes of a segment at most for a peer that says nothing of it (RFC 9293 section 3.7.1).
pub(super) const DEFAULT_SEGMENT: usize = 536;

/// How long an acknowledgment waits for something that it can ride on.
pub(super) const ACKNOWLEDGMENT: Duration = Duration::from_millis(10);

/// Bytes of an IP and of a TCP header.
const HEADERS: usize = 40;

/// Segments that one call sends at most. More than both buffers hold in segments of a network; what is left goes with
/// the next call.
const BURST: usize = 64;

/// The protocol machine.
pub(super) struct Engine {
    set: SocketSet<'static>,
    handle: SocketHandle,
    interface: Interface,
    clock: Clock,
    route: Route,
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
    /// Bytes were put in and nobody has tried to send them.
    has_written: bool,
}

/// Sockets with their buffers that no connection uses. A socket forgets everything when it connects or listens, but for
/// the options that [`Engine::new`] sets.
static SPARES: Spares<Machine> = Spares::new(32);

type Machine = (SocketSet<'static>, SocketHandle);

fn make() -> Machine {
    let socket = Socket::new(SocketBuffer::new(vec![0; BUFFER]), SocketBuffer::new(vec![0; BUFFER]));
    let mut set = SocketSet::new(Vec::with_capacity(1));
    let handle = set.add(socket);
    (set, handle)
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Only a closed socket can connect or listen.
        self.socket_mut().abort();
        let set = core::mem::replace(&mut self.set, SocketSet::new(Vec::new()));
        SPARES.give((set, self.handle));
    }
}

/// What is asked of a socket again and again, each time through the set that it is in.
#[derive(Clone, Copy)]
struct View {
    phase: Phase,
    received: usize,
    unacknowledged: usize,
}

/// Where the last segment left off.
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
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let clock = Clock::new(now);
        let mut interface = Interface::new(config, &mut Wire::closed(route, packet_len), clock.instant(now));
        // Which addresses are local is decided before a packet gets here.
        interface.set_any_ip(true);
        let (mut set, handle) = SPARES.take().unwrap_or_else(make);
        let socket = set.get_mut::<Socket<'_>>(handle);
        socket.set_ack_delay(Some(ACKNOWLEDGMENT.into()));
        match route {
            // There is no network to spare.
            Route::Local => {
                socket.set_nagle_enabled(false);
                socket.set_congestion_control(CongestionControl::None);
            }
            Route::Link { .. } => {
                socket.set_nagle_enabled(true);
                socket.set_congestion_control(CongestionControl::Reno);
            }
        }
        Self {
            set,
            handle,
            interface,
            clock,
            route,
            packet_len,
            peer_segment: DEFAULT_SEGMENT,
            view: View { phase: Phase::Closed, received: 0, unacknowledged: 0 },
            sent: Sent::default(),
            next: None,
            untold: 0,
            has_written: false,
        }
    }

    /// Begins a handshake. `false` if an address is none.
    pub(super) fn connect(&mut self, tuple: Tuple) -> bool {
        let Self { set, handle, interface, .. } = self;
        let socket = set.get_mut::<Socket<'_>>(*handle);
        let result = socket.connect(interface.context(), endpoint(tuple.remote), endpoint(tuple.local));
        self.look();
        result.is_ok()
    }

    /// Waits for the SYN, which must come next.
    pub(super) fn listen(&mut self, local: SocketAddrV4) {
        // It fails only for port 0, which no segment has.
        let _ = self.socket_mut().listen(endpoint(local));
        self.look();
    }

    /// Takes in one packet, which is for this connection. Answers go to `out`.
    pub(super) fn process(&mut self, packet: &[u8], now: Duration, out: &mut Burst) {
        self.next = None;
        let first = out.len();
        let mut wire =
            Wire { packet: Some(packet), out: Some(out), route: self.route, packet_len: self.packet_len };
        self.interface.poll_ingress_single(self.clock.instant(now), &mut wire, &mut self.set);
        self.look();
        if !self.clock.is_fast() && self.route != Route::Local && !self.phase().is_opening() {
            self.clock.hurry(now);
            self.socket_mut().set_ack_delay(Some((ACKNOWLEDGMENT * clock::HASTE).into()));
        }
        self.note(out, first);
    }

    /// Sends what is due, and says when there will be more to do.
    pub(super) fn dispatch(&mut self, now: Duration, out: &mut Burst) -> Option<Duration> {
        if let Some(at) = self.next
            && at.is_none_or(|at| at > now)
            && !self.may_owe_window()
        {
            return at;
        }
        let first = out.len();
        let burst = if self.phase() == Phase::FinWait2 { 1 } else { BURST };
        let instant = self.clock.instant(now);
        // Bytes that were just written are due without a question.
        let has_written = core::mem::take(&mut self.has_written);
        let mut at = if has_written { Some(instant) } else { self.interface.poll_at(instant, &self.set) };
        for _ in 0..burst {
            if at.is_none_or(|at| at > instant) {
                break;
            }
            let mut wire =
                Wire { packet: None, out: Some(out), route: self.route, packet_len: self.packet_len };
            let result = self.interface.poll_egress(instant, &mut wire, &mut self.set);
            at = self.interface.poll_at(instant, &self.set);
            match result {
                PollResult::None => break,
                PollResult::SocketStateChanged => {}
            }
        }
        self.look();
        self.note(out, first);
        let at = at.map(|at| self.clock.when(at));
        self.next = Some(at);
        at
    }

    /// Whether the peer may have to hear that there is room again. smoltcp tells it when the window has doubled; to
    /// ask smoltcp costs as much as to send, and after most reads the answer is no.
    fn may_owe_window(&self) -> bool {
        self.untold * 4 >= BUFFER - self.received()
    }

    /// The state.
    pub(super) const fn phase(&self) -> Phase {
        self.view.phase
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
        // The buffer is a ring: twice, for the part before its end and the one after.
        for _ in 0..2 {
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

    /// `TCP_NODELAY`.
    pub(super) fn set_no_delay(&mut self, is_on: bool) {
        if self.route != Route::Local {
            self.next = None;
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

    /// Takes from a packet with a SYN how long the peer's segments may be.
    pub(super) fn note_request(&mut self, packet: &[u8]) {
        let Some(tcp) = packet.get(IPV4_HEADER_LEN..).and_then(|tcp| TcpPacket::new_checked(tcp).ok()) else {
            return;
        };
        let mut options = tcp.options();
        while let Ok((rest, option)) = TcpOption::parse(options) {
            match option {
                TcpOption::EndOfList => break,
                TcpOption::MaxSegmentSize(len) => self.peer_segment = usize::from(len).max(1),
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
    fn note(&mut self, out: &[Packet], first: usize) {
        if let Some(packet) = out.get(first..).and_then(|sent| sent.last()) {
            let tcp = TcpPacket::new_unchecked(&packet.ip()[IPV4_HEADER_LEN..]);
            let next = tcp.seq_number() + tcp.segment_len();
            let expected = tcp.ack_number().0.cast_unsigned();
            self.sent = Sent { next: next.0.cast_unsigned(), expected };
            self.untold = 0;
        }
    }

    /// Looks at the socket, after whatever may have changed it.
    fn look(&mut self) {
        let socket: &Socket<'_> = self.set.get(self.handle);
        self.view = View {
            phase: socket.state().into(),
            received: socket.recv_queue(),
            unacknowledged: socket.send_queue(),
        };
    }

    fn socket_mut(&mut self) -> &mut Socket<'static> {
        self.set.get_mut(self.handle)
    }
}

fn endpoint(address: SocketAddrV4) -> IpEndpoint {
    IpEndpoint::new(IpAddress::Ipv4(*address.ip()), address.port())
}
