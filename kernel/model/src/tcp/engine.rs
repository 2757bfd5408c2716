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
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{
    HardwareAddress, IPV4_HEADER_LEN, IpAddress, IpEndpoint, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl,
    TcpOption, TcpPacket, TcpRepr, TcpSeqNumber,
};

use super::packet::{Burst, Packet};
use super::segment::{Segment, Tuple};
use super::spare::Spares;
use super::time_wait::TimeWait;
use crate::transfer::{Sink, Source};

/// Bytes of each of a connection's two buffers.
pub(super) const BUFFER: usize = 16 * 1024;

const _: () = assert!(BUFFER < 65536, "a peer could panic smoltcp");

/// Bytes of a segment at most for a peer that says nothing of it (RFC 9293 section 3.7.1).
pub(super) const DEFAULT_SEGMENT: usize = 536;

/// Bytes of an IP and of a TCP header.
const HEADERS: usize = 40;

/// Segments that one call sends at most. More than both buffers hold in segments of a network; what is left goes with
/// the next call.
const BURST: usize = 64;

/// What the way to a peer is like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// Within this machine: large packets, which nobody damages.
    Local,
    /// Over a link that takes packets of this size.
    Link {
        /// Bytes of an IP packet.
        mtu: u16,
    },
}

impl Route {
    /// Bytes of a packet at most.
    const fn packet_len(self) -> usize {
        match self {
            // One more, and smoltcp transfers nothing.
            Self::Local => 65535,
            Self::Link { mtu } => mtu as usize,
        }
    }
}

/// The states of RFC 9293, less LISTEN of a listener, which is no connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names of the RFC")]
pub enum Phase {
    Closed,
    /// Waits for the SYN that made it.
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl Phase {
    /// Whether the peer's FIN has come.
    #[must_use]
    pub const fn has_fin(self) -> bool {
        matches!(self, Self::CloseWait | Self::Closing | Self::LastAck | Self::TimeWait)
    }

    /// Whether this end's FIN is on its way.
    #[must_use]
    pub const fn has_unacknowledged_fin(self) -> bool {
        matches!(self, Self::FinWait1 | Self::Closing | Self::LastAck)
    }

    /// Whether the handshake is still going on.
    #[must_use]
    pub const fn is_opening(self) -> bool {
        matches!(self, Self::Listen | Self::SynSent | Self::SynReceived)
    }

    /// Linux's number of the state (`TCP_ESTABLISHED` is 1), as `TCP_INFO` tells it.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Established => 1,
            Self::SynSent => 2,
            Self::SynReceived => 3,
            Self::FinWait1 => 4,
            Self::FinWait2 => 5,
            Self::TimeWait => 6,
            Self::Closed => 7,
            Self::CloseWait => 8,
            Self::LastAck => 9,
            Self::Listen => 10,
            Self::Closing => 11,
        }
    }
}

/// The protocol machine.
pub(super) struct Engine {
    set: SocketSet<'static>,
    handle: SocketHandle,
    interface: Interface,
    route: Route,
    /// Bytes of a packet at most.
    packet_len: usize,
    /// Bytes of a segment at most that the peer takes.
    peer_segment: usize,
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
        let mut interface = Interface::new(config, &mut Wire::closed(route, packet_len), instant(now));
        // Which addresses are local is decided before a packet gets here.
        interface.set_any_ip(true);
        let (mut set, handle) = SPARES.take().unwrap_or_else(make);
        let socket = set.get_mut::<Socket<'_>>(handle);
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
            route,
            packet_len,
            peer_segment: DEFAULT_SEGMENT,
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
        socket.connect(interface.context(), endpoint(tuple.remote), endpoint(tuple.local)).is_ok()
    }

    /// Waits for the SYN, which must come next.
    pub(super) fn listen(&mut self, local: SocketAddrV4) {
        // It fails only for port 0, which no segment has.
        let _ = self.socket_mut().listen(endpoint(local));
    }

    /// Takes in one packet, which is for this connection. Answers go to `out`.
    pub(super) fn process(&mut self, packet: &[u8], now: Duration, out: &mut Burst) {
        self.next = None;
        let first = out.len();
        let mut wire =
            Wire { packet: Some(packet), out: Some(out), route: self.route, packet_len: self.packet_len };
        self.interface.poll_ingress_single(instant(now), &mut wire, &mut self.set);
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
        let instant = instant(now);
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
        self.note(out, first);
        let at = at.map(|at| Duration::from_micros(u64::try_from(at.total_micros()).unwrap_or(0)));
        self.next = Some(at);
        at
    }

    /// Whether the peer may have to hear that there is room again. smoltcp tells it when the window has doubled; to
    /// ask smoltcp costs as much as to send, and after most reads the answer is no.
    fn may_owe_window(&self) -> bool {
        self.untold * 4 >= BUFFER - self.received()
    }

    /// The state.
    pub(super) fn phase(&self) -> Phase {
        match self.socket().state() {
            State::Closed => Phase::Closed,
            State::Listen => Phase::Listen,
            State::SynSent => Phase::SynSent,
            State::SynReceived => Phase::SynReceived,
            State::Established => Phase::Established,
            State::FinWait1 => Phase::FinWait1,
            State::FinWait2 => Phase::FinWait2,
            State::CloseWait => Phase::CloseWait,
            State::Closing => Phase::Closing,
            State::LastAck => Phase::LastAck,
            State::TimeWait => Phase::TimeWait,
        }
    }

    /// Numbers of the last segment sent.
    pub(super) const fn sent(&self) -> Sent {
        self.sent
    }

    /// Bytes that have come and not been taken.
    pub(super) fn received(&self) -> usize {
        self.socket().recv_queue()
    }

    /// Bytes that the peer has not acknowledged, or not even got.
    pub(super) fn unacknowledged(&self) -> usize {
        self.socket().send_queue()
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
        total
    }

    /// Sends a FIN after what is in the buffer.
    pub(super) fn close(&mut self) {
        self.next = None;
        self.socket_mut().close();
    }

    /// Ends the connection with a RST, which [`dispatch`](Self::dispatch) sends.
    pub(super) fn abort(&mut self) {
        self.next = None;
        self.socket_mut().abort();
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

    fn socket(&self) -> &Socket<'static> {
        self.set.get(self.handle)
    }

    fn socket_mut(&mut self) -> &mut Socket<'static> {
        self.set.get_mut(self.handle)
    }
}

/// What a host without such a connection answers to `packet`: a RST, or nothing to a RST.
#[must_use]
pub fn refuse(packet: &[u8], route: Route, now: Duration) -> Option<Packet> {
    let mut out = Burst::new();
    let packet_len = route.packet_len();
    let mut wire = Wire { packet: Some(packet), out: Some(&mut out), route, packet_len };
    let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut wire, instant(now));
    interface.set_any_ip(true);
    interface.poll_ingress_single(instant(now), &mut wire, &mut SocketSet::new(Vec::new()));
    out.pop()
}

/// What answers a segment that comes after the end of `tuple`'s connection: an acknowledgment of everything.
#[must_use]
pub fn acknowledge(tuple: Tuple, rest: &TimeWait, route: Route) -> Packet {
    let tcp = TcpRepr {
        src_port: tuple.local.port(),
        dst_port: tuple.remote.port(),
        control: TcpControl::None,
        seq_number: TcpSeqNumber(rest.next.cast_signed()),
        ack_number: Some(TcpSeqNumber(rest.expected.cast_signed())),
        window_len: BUFFER as u16,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let ip = Ipv4Repr {
        src_addr: *tuple.local.ip(),
        dst_addr: *tuple.remote.ip(),
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let checksums = Wire::closed(route, route.packet_len()).capabilities().checksum;
    let mut packet = Packet::new(ip.buffer_len() + tcp.buffer_len());
    let (header, payload) = packet.ip_mut().split_at_mut(ip.buffer_len());
    let [source, destination] = [ip.src_addr, ip.dst_addr].map(IpAddress::Ipv4);
    tcp.emit(&mut TcpPacket::new_unchecked(payload), &source, &destination, &checksums);
    ip.emit(&mut Ipv4Packet::new_unchecked(header), &checksums);
    packet
}

/// Reads the headers of a whole TCP segment.
pub(super) fn parse(packet: &[u8]) -> Option<Segment> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    if ip.version() != 4 || ip.next_header() != IpProtocol::Tcp || ip.more_frags() || ip.frag_offset() != 0 {
        return None;
    }
    let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
    let local = SocketAddrV4::new(ip.dst_addr(), tcp.dst_port());
    let remote = SocketAddrV4::new(ip.src_addr(), tcp.src_port());
    Some(Segment {
        tuple: Tuple { local, remote },
        sequence: tcp.seq_number().0.cast_unsigned(),
        acknowledgment: tcp.ack_number().0.cast_unsigned(),
        len: tcp.payload().len(),
        has_syn: tcp.syn(),
        has_ack: tcp.ack(),
        has_fin: tcp.fin(),
        has_rst: tcp.rst(),
    })
}

fn endpoint(address: SocketAddrV4) -> IpEndpoint {
    IpEndpoint::new(IpAddress::Ipv4(*address.ip()), address.port())
}

fn instant(now: Duration) -> Instant {
    Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

/// A device for one packet in, and any number out.
struct Wire<'a> {
    packet: Option<&'a [u8]>,
    out: Option<&'a mut Burst>,
    route: Route,
    packet_len: usize,
}

impl Wire<'_> {
    /// One that carries nothing: to say what it is like.
    const fn closed(route: Route, packet_len: usize) -> Self {
        Self { packet: None, out: None, route, packet_len }
    }
}

impl Device for Wire<'_> {
    type RxToken<'a>
        = Arriving<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Leaving<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Arriving<'_>, Leaving<'_>)> {
        Some((Arriving(self.packet.take()?), Leaving(self.out.as_deref_mut()?)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Leaving<'_>> {
        self.out.as_deref_mut().map(Leaving)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.packet_len;
        if self.route == Route::Local {
            capabilities.checksum = ChecksumCapabilities::ignored();
        }
        capabilities
    }
}

struct Arriving<'a>(&'a [u8]);

impl RxToken for Arriving<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

struct Leaving<'a>(&'a mut Burst);

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = Packet::new(len);
        let result = f(packet.ip_mut());
        self.0.push(packet);
        result
    }
}
