//! Packets without a connection: what is answered to those that belong to none, and what they say.

use alloc::vec::Vec;
use core::net::SocketAddrV4;
use core::time::Duration;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::Device;
use smoltcp::wire::{
    HardwareAddress, IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr,
    TcpSeqNumber,
};

use super::clock::Clock;
use super::engine::BUFFER;
use super::packet::{Packet, PacketBatch};
use super::segment::{Segment, Tuple};
use super::time_wait::TimeWait;
use super::wire::{PathKind, Wire};

/// What a host without such a connection answers to `packet`: a RST, or nothing to a RST.
#[must_use]
pub fn refuse(packet: &[u8], path: PathKind, now: Duration) -> Option<Packet> {
    let mut out = PacketBatch::new();
    let packet_len = path.packet_len();
    let mut wire = Wire { packet: Some(packet), out: Some(&mut out), path, packet_len };
    let now = Clock::new(now).instant(now);
    let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut wire, now);
    interface.set_any_ip(true);
    interface.poll_ingress_single(now, &mut wire, &mut SocketSet::new(Vec::new()));
    out.pop()
}

/// What answers a segment that comes after the end of `tuple`'s connection: an acknowledgment of everything.
#[must_use]
pub fn acknowledge(tuple: Tuple, rest: &TimeWait, path: PathKind) -> Packet {
    let tcp = TcpRepr {
        src_port: 0,
        dst_port: 0,
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
    packet(tuple, &tcp, path)
}

/// A segment from `tuple.local` to `tuple.remote`; the ports in `tcp` are not looked at.
pub(super) fn packet(tuple: Tuple, tcp: &TcpRepr<'_>, path: PathKind) -> Packet {
    let tcp = TcpRepr { src_port: tuple.local.port(), dst_port: tuple.remote.port(), ..*tcp };
    let ip = Ipv4Repr {
        src_addr: *tuple.local.ip(),
        dst_addr: *tuple.remote.ip(),
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let checksums = Wire::closed(path, path.packet_len()).capabilities().checksum;
    let mut packet = Packet::new(ip.buffer_len() + tcp.buffer_len());
    let (header, payload) = packet.ip_mut().split_at_mut(ip.buffer_len());
    let [source, destination] = [ip.src_addr, ip.dst_addr].map(IpAddress::Ipv4);
    tcp.emit(&mut TcpPacket::new_unchecked(payload), &source, &destination, &checksums);
    ip.emit(&mut Ipv4Packet::new_unchecked(header), &checksums);
    packet
}

/// Reads the headers of a whole TCP segment.
#[inline]
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
        window: tcp.window_len(),
        len: tcp.payload().len(),
        start: u16::from(ip.header_len()) + u16::from(tcp.header_len()),
        has_syn: tcp.syn(),
        has_ack: tcp.ack(),
        has_fin: tcp.fin(),
        has_rst: tcp.rst(),
    })
}
