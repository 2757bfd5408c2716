//! Larger buffers for a connection that is open.
//!
//! smoltcp's buffers are as large as they were made. So the connection moves to a machine with larger ones, at a moment
//! when nothing is in its buffers or under way and a few numbers say all there is to know about it: the new machine goes
//! through a handshake that nobody else sees, with a peer who answers with exactly those numbers. What the new machine
//! then says, the acknowledgment that ends the handshake, is true for the real peer as well, and tells it of the room.
//!
//! The new machine has to begin where the old one was. smoltcp draws its first number at random, by a generator whose
//! steps can be taken backwards, so that a seed can be found for any number. If smoltcp ever draws otherwise, the
//! first packet of the handshake shows it, and the connection stays where it is.
//!
//! Why: decision 0057.

use core::time::Duration;

use smoltcp::iface::Interface;
use smoltcp::socket::tcp::State;
use smoltcp::wire::{IPV4_HEADER_LEN, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber};

use super::machine::{LARGE_BUFFER, Machine};
use super::{Engine, HASTY_ACKNOWLEDGMENT, Patience, endpoint, interface};
use crate::net::tcp::packet::Burst;
use crate::net::tcp::phase::Phase;
use crate::net::tcp::segment::Tuple;
use crate::net::tcp::stray;
use crate::net::tcp::wire::Wire;

/// What the peer said of itself that matters as long as the connection lasts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer {
    /// `None`: it does not scale its window.
    pub(super) window_scale: Option<u8>,
    /// Whether it understands selective acknowledgments.
    pub(super) has_sack: bool,
    /// Its window in the last segment, not scaled.
    pub(super) window: u16,
}

impl Engine {
    /// Whether [`grow`](Self::grow) would do something.
    pub(in crate::net::tcp) fn can_grow(&self) -> bool {
        self.machine.room < LARGE_BUFFER
            && self.phase() == Phase::Established
            && self.received() == 0
            && self.unacknowledged() == 0
    }

    /// Moves to a machine with larger buffers, if it can and there is memory. What tells the peer goes to `out`.
    pub(in crate::net::tcp) fn grow(&mut self, now: Duration, out: &mut Burst) {
        let Some(tuple) = self.tuple.filter(|_| self.can_grow()) else { return };
        let Some(machine) = Machine::try_large() else { return };
        let first = out.len();
        if let Some((machine, interface)) = self.moved_to(machine, tuple, now, out) {
            (self.machine, self.interface) = (machine, interface);
            (self.next, self.patience) = (None, Patience::Waits);
            self.look();
            self.note(out, first);
        } else {
            out.truncate(first);
        }
    }

    /// `machine` with the connection in it.
    fn moved_to(
        &self,
        mut machine: Machine,
        tuple: Tuple,
        now: Duration,
        out: &mut Burst,
    ) -> Option<(Machine, Interface)> {
        let (route, packet_len) = (self.route, self.packet_len);
        machine.prepare(route);
        let socket = machine.socket_mut();
        socket.set_nagle_enabled(self.has_nagle);
        if self.clock.is_fast() {
            socket.set_ack_delay(Some(HASTY_ACKNOWLEDGMENT.into()));
        }
        // The answer takes as long as the first one did: the machine measures it.
        let asked_at = self.clock.before(now, self.round_trip);
        let begin = self.sent.next.wrapping_sub(1);
        let mut interface = interface(seed_of(begin), route, packet_len, asked_at);
        let (remote, local) = (endpoint(tuple.remote), endpoint(tuple.local));
        machine.socket_mut().connect(interface.context(), remote, local).ok()?;
        let mut request = Burst::new();
        let mut wire = Wire { packet: None, out: Some(&mut request), route, packet_len };
        interface.poll_egress(asked_at, &mut wire, &mut machine.set);
        if TcpPacket::new_checked(request.first()?.ip().get(IPV4_HEADER_LEN..)?).ok()?.seq_number()
            != TcpSeqNumber(begin.cast_signed())
        {
            return None;
        }
        let instant = self.clock.instant(now);
        let back = Tuple { local: tuple.remote, remote: tuple.local };
        for segment in self.answers() {
            let packet = stray::packet(back, &segment, route);
            let mut wire = Wire { packet: Some(packet.ip()), out: Some(out), route, packet_len };
            interface.poll_ingress_single(instant, &mut wire, &mut machine.set);
        }
        let mut wire = Wire { packet: None, out: Some(out), route, packet_len };
        interface.poll_egress(instant, &mut wire, &mut machine.set);
        (machine.socket().state() == State::Established).then_some((machine, interface))
    }

    /// What the peer answers to the handshake: a SYN, whose window cannot be scaled, and one more for its window.
    fn answers(&self) -> [TcpRepr<'static>; 2] {
        let Peer { window_scale, has_sack, window } = self.peer;
        let scaled = u32::from(window) << window_scale.unwrap_or(0).min(14);
        let acknowledgment = TcpRepr {
            src_port: 0,
            dst_port: 0,
            control: TcpControl::None,
            seq_number: TcpSeqNumber(self.expected().cast_signed()),
            ack_number: Some(TcpSeqNumber(self.sent.next.cast_signed())),
            window_len: window,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        let syn = TcpRepr {
            control: TcpControl::Syn,
            seq_number: TcpSeqNumber(self.expected().wrapping_sub(1).cast_signed()),
            window_len: u16::try_from(scaled).unwrap_or(u16::MAX),
            window_scale,
            max_seg_size: Some(u16::try_from(self.peer_segment).unwrap_or(u16::MAX)),
            sack_permitted: has_sack,
            ..acknowledgment
        };
        [syn, acknowledgment]
    }
}

/// A seed with which an interface's second number is `wanted`; the first it draws for itself.
fn seed_of(wanted: u32) -> u64 {
    // smoltcp's generator: a step of a linear congruence, of whose result the upper bits say how far it is shifted.
    const FACTOR: u64 = 0xbb2e_fcec_3c39_611d;
    const SUMMAND: u64 = 0x7590_ef39;
    /// What undoes the factor: each round doubles the bits that are right, and every odd number is right in three.
    const INVERSE: u64 = {
        let mut inverse = FACTOR;
        let mut bits = 3;
        while bits < 64 {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(inverse)));
            bits *= 2;
        }
        inverse
    };
    let back = |state: u64| state.wrapping_sub(SUMMAND).wrapping_mul(INVERSE);
    // Upper bits of zero stand for a shift by 29.
    back(back(u64::from(wanted) << 29))
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, SocketAddrV4};

    use super::*;
    use crate::net::tcp::wire::Route;

    const ROUTE: Route = Route::Link { mtu: 1500 };

    fn tuple() -> Tuple {
        let [local, remote] = [[10, 0, 2, 15], [10, 0, 2, 2]].map(Ipv4Addr::from);
        Tuple { local: SocketAddrV4::new(local, 40000), remote: SocketAddrV4::new(remote, 80) }
    }

    #[test]
    fn a_seed_makes_smoltcp_begin_with_a_number() {
        for wanted in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xdead_beef, u32::MAX] {
            let now = Duration::from_secs(1);
            let mut engine = Engine::new(ROUTE, None, seed_of(wanted), now);
            assert!(engine.connect(tuple()));
            let mut out = Burst::new();
            engine.dispatch(now, &mut out);
            assert_eq!(stray::parse(out[0].ip()).unwrap().sequence, wanted);
        }
    }

    /// A peer whose numbers are near their end, and what it has got.
    struct Other {
        engine: Engine,
        now: Duration,
        out: Burst,
        sequence: u32,
        has: u32,
    }

    impl Other {
        fn hear(&mut self, control: TcpControl, window: u16) {
            let scale = (control == TcpControl::Syn).then_some(7);
            let segment = TcpRepr {
                src_port: 0,
                dst_port: 0,
                control,
                seq_number: TcpSeqNumber(self.sequence.cast_signed()),
                ack_number: Some(TcpSeqNumber(self.has.cast_signed())),
                window_len: window,
                window_scale: scale,
                max_seg_size: scale.map(|_| 1460),
                sack_permitted: scale.is_some(),
                sack_ranges: [None; 3],
                timestamp: None,
                payload: &[],
            };
            let back = Tuple { local: tuple().remote, remote: tuple().local };
            let packet = stray::packet(back, &segment, ROUTE);
            let segment = stray::parse(packet.ip()).unwrap();
            self.engine.process(&segment, packet.ip(), self.now, &mut self.out);
        }

        /// Bytes that come now, in order.
        fn bytes(&mut self) -> usize {
            self.engine.dispatch(self.now, &mut self.out);
            let mut total = 0;
            for packet in core::mem::take(&mut self.out) {
                let segment = stray::parse(packet.ip()).unwrap();
                assert_eq!((segment.sequence, segment.acknowledgment), (self.has, self.sequence));
                self.has = segment.end();
                total += segment.len;
            }
            total
        }
    }

    #[test]
    fn after_the_move_numbers_go_on_and_the_window_is_as_large_as_the_peer_said() {
        let now = Duration::from_secs(1);
        let mut engine = Engine::new(ROUTE, None, 7, now);
        assert!(engine.connect(tuple()));
        let mut out = Burst::new();
        engine.dispatch(now, &mut out);
        let has = stray::parse(out[0].ip()).unwrap().end();
        let mut other = Other { engine, now, out: Burst::new(), sequence: u32::MAX, has };
        other.now += Duration::from_millis(3);
        other.hear(TcpControl::Syn, 64000);
        other.sequence = 0;
        other.hear(TcpControl::None, 100);
        let mut bytes: &[u8] = &[1; 1000];
        assert_eq!(other.engine.send(&mut bytes), 1000);
        assert_eq!(other.bytes(), 1000);
        assert!(!other.engine.can_grow(), "bytes are on their way");
        // 256 windows of 128 bytes.
        other.hear(TcpControl::None, 256);
        assert!(other.engine.can_grow());
        other.engine.grow(other.now, &mut other.out);
        assert!(!other.engine.can_grow(), "once is enough");
        let window = {
            let last = other.out.last().unwrap();
            stray::parse(last.ip()).unwrap().window
        };
        assert_eq!(usize::from(window), LARGE_BUFFER, "the peer hears of the room");
        assert_eq!(other.bytes(), 0);
        let mut bytes: &[u8] = &[2; 100_000];
        assert_eq!(other.engine.send(&mut bytes), LARGE_BUFFER);
        let mut total = 0;
        loop {
            let more = other.bytes();
            if more == 0 {
                break;
            }
            total += more;
            other.hear(TcpControl::None, 256);
        }
        assert_eq!(total, LARGE_BUFFER);
    }
}
