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

use core::time::Duration;

use smoltcp::iface::Interface;
use smoltcp::socket::tcp::State;
use smoltcp::wire::{IPV4_HEADER_LEN, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber};

use super::device::PacketDevice;
use super::smoltcp_socket::{LARGE_BUFFER, SmoltcpSocket};
use super::{AckPolicy, Engine, HASTY_ACKNOWLEDGMENT, endpoint, interface};
use crate::net::tcp::packet::PacketBatch;
use crate::net::tcp::segment::{self, Tuple};
use crate::net::tcp::state::TcpState;

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
        self.smoltcp.room < LARGE_BUFFER
            && self.state() == TcpState::Established
            && self.received() == 0
            && self.unacknowledged() == 0
    }

    /// Moves to a machine with larger buffers, if it can and there is memory. What tells the peer goes to `out`.
    pub(in crate::net::tcp) fn grow(&mut self, now: Duration, out: &mut PacketBatch) {
        let Some(tuple) = self.tuple.filter(|_| self.can_grow()) else { return };
        let Some(smoltcp) = SmoltcpSocket::try_large(self.budget) else { return };
        let first = out.len();
        if let Some((smoltcp, interface)) = self.moved_to(smoltcp, tuple, now, out) {
            (self.smoltcp, self.interface) = (smoltcp, interface);
            (self.next, self.ack_policy) = (None, AckPolicy::Delayed);
            self.look();
            self.note(out, first);
        } else {
            out.truncate(first);
        }
    }

    /// `smoltcp` with the connection in it.
    fn moved_to(
        &self,
        mut smoltcp: SmoltcpSocket,
        tuple: Tuple,
        now: Duration,
        out: &mut PacketBatch,
    ) -> Option<(SmoltcpSocket, Interface)> {
        let (path, packet_len) = (self.path, self.packet_len);
        smoltcp.prepare(path);
        let socket = smoltcp.socket_mut();
        socket.set_nagle_enabled(self.has_nagle);
        if self.clock.is_fast() {
            socket.set_ack_delay(Some(HASTY_ACKNOWLEDGMENT.into()));
        }
        // The answer takes as long as the first one did: the machine measures it.
        let asked_at = self.clock.before(now, self.round_trip);
        let begin = self.sent.next.wrapping_sub(1);
        let mut interface = interface(seed_of(begin), path, packet_len, asked_at);
        let (remote, local) = (endpoint(tuple.remote), endpoint(tuple.local));
        smoltcp.socket_mut().connect(interface.context(), remote, local).ok()?;
        let mut request = PacketBatch::new();
        let mut device = PacketDevice { packet: None, out: Some(&mut request), path, packet_len };
        interface.poll_egress(asked_at, &mut device, &mut smoltcp.set);
        if TcpPacket::new_checked(request.first()?.ip().get(IPV4_HEADER_LEN..)?).ok()?.seq_number()
            != TcpSeqNumber(begin.cast_signed())
        {
            return None;
        }
        let instant = self.clock.instant(now);
        let back = Tuple { local: tuple.remote, remote: tuple.local };
        for segment in self.answers() {
            let packet = segment::emit(back, &segment, path);
            let mut device = PacketDevice { packet: Some(packet.ip()), out: Some(out), path, packet_len };
            interface.poll_ingress_single(instant, &mut device, &mut smoltcp.set);
        }
        let mut device = PacketDevice { packet: None, out: Some(out), path, packet_len };
        interface.poll_egress(instant, &mut device, &mut smoltcp.set);
        (smoltcp.socket().state() == State::Established).then_some((smoltcp, interface))
    }

    /// What the peer answers to the handshake: a SYN, whose window cannot be scaled, and one more for its window.
    fn answers(&self) -> [TcpRepr<'static>; 2] {
        let Peer { window_scale, has_sack, window } = self.peer;
        let scaled = u32::from(window) << window_scale.unwrap_or(0).min(14);
        let acknowledgment = segment::bare(TcpControl::None, self.expected(), Some(self.sent.next), window);
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
    use crate::net::tcp::Resources;
    use crate::net::tcp::path::PathKind;

    const ROUTE: PathKind = PathKind::Link { mtu: 1500 };

    fn tuple() -> Tuple {
        let [local, remote] = [[10, 0, 2, 15], [10, 0, 2, 2]].map(Ipv4Addr::from);
        Tuple { local: SocketAddrV4::new(local, 40000), remote: SocketAddrV4::new(remote, 80) }
    }

    #[test]
    fn a_seed_makes_smoltcp_begin_with_a_number() {
        for wanted in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xdead_beef, u32::MAX] {
            let now = Duration::from_secs(1);
            let mut engine = Engine::new(ROUTE, None, Resources::unlimited(seed_of(wanted)), now);
            assert!(engine.connect(tuple()));
            let mut out = PacketBatch::new();
            engine.dispatch(now, &mut out);
            assert_eq!(segment::parse_headers(out[0].ip()).unwrap().sequence, wanted);
        }
    }

    /// A peer whose numbers are near their end, and what it has got.
    struct Other {
        engine: Engine,
        now: Duration,
        out: PacketBatch,
        sequence: u32,
        has: u32,
    }

    impl Other {
        fn hear(&mut self, control: TcpControl, window: u16) {
            let scale = (control == TcpControl::Syn).then_some(7);
            let segment = TcpRepr {
                window_scale: scale,
                max_seg_size: scale.map(|_| 1460),
                sack_permitted: scale.is_some(),
                ..segment::bare(control, self.sequence, Some(self.has), window)
            };
            let back = Tuple { local: tuple().remote, remote: tuple().local };
            let packet = segment::emit(back, &segment, ROUTE);
            let segment = segment::parse_headers(packet.ip()).unwrap();
            self.engine.process(&segment, packet.ip(), self.now, &mut self.out);
        }

        /// Bytes that come now, in order.
        fn bytes(&mut self) -> usize {
            self.engine.dispatch(self.now, &mut self.out);
            let mut total = 0;
            for packet in core::mem::take(&mut self.out) {
                let segment = segment::parse_headers(packet.ip()).unwrap();
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
        let mut engine = Engine::new(ROUTE, None, Resources::unlimited(7), now);
        assert!(engine.connect(tuple()));
        let mut out = PacketBatch::new();
        engine.dispatch(now, &mut out);
        let has = segment::parse_headers(out[0].ip()).unwrap().end();
        let mut other = Other { engine, now, out: PacketBatch::new(), sequence: u32::MAX, has };
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
            segment::parse_headers(last.ip()).unwrap().window
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
