//! Gives an open connection larger buffers.
//!
//! smoltcp's buffers keep the size they were made with. So the connection moves to a new socket with larger ones, at a
//! moment when its buffers are empty and nothing is in flight, so that a few numbers describe it fully. The new socket
//! goes through a handshake that never leaves this file, with a simulated peer that answers with exactly those numbers.
//! The acknowledgment that ends the handshake is valid for the real peer, too, and tells it the larger window.
//!
//! The new socket has to begin at the old one's sequence number. smoltcp draws its first number from a generator that
//! can be run backwards, so there is a seed for any number. If smoltcp ever draws otherwise, the first packet of the
//! handshake shows it, and the connection stays where it is.
//! Why: decision 0057.

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

/// The peer's options and window, as far as a new socket needs them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer {
    /// The window scale; `None`: the peer does not scale.
    pub(super) window_scale: Option<u8>,
    /// Whether the peer understands selective acknowledgments.
    pub(super) has_sack: bool,
    /// The window in the peer's last segment, not scaled.
    pub(super) window: u16,
}

impl Engine {
    /// Returns whether [`grow`](Self::grow) would do something.
    pub(in crate::net::tcp) fn can_grow(&self) -> bool {
        self.smoltcp.room < LARGE_BUFFER
            && self.state() == TcpState::Established
            && self.received() == 0
            && self.unacknowledged() == 0
    }

    /// Moves to a socket with larger buffers, if the state allows it and there is memory. The window update goes to
    /// `out`.
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

    /// Brings a new socket into the state of this connection. `None`: that failed.
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
        // smoltcp measures the round trip: the simulated answer takes as long as the real one did.
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

    /// Makes the simulated peer's answers: a SYN, whose window cannot be scaled, and a segment with the scaled window.
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

/// Finds the seed with which an interface's second random number is `wanted`; the first is for the interface itself.
fn seed_of(wanted: u32) -> u64 {
    // smoltcp's generator is a linear congruence, of whose result the upper bits say how far it is shifted.
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
mod tests;
