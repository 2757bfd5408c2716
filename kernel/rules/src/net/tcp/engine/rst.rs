//! The RST that a segment without a connection gets.
//!
//! Source: RFC 9293 section 3.10.7.1.

use alloc::vec::Vec;
use core::time::Duration;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::wire::HardwareAddress;

use super::clock::Clock;
use super::device::PacketDevice;
use crate::net::tcp::packet::{Packet, PacketBatch};
use crate::net::tcp::path::PathKind;

/// Makes the RST for a segment that belongs to no connection. `None`: it is a RST itself.
#[must_use]
pub fn refuse(packet: &[u8], path: PathKind, now: Duration) -> Option<Packet> {
    let mut out = PacketBatch::new();
    let packet_len = path.packet_len();
    let mut device = PacketDevice { packet: Some(packet), out: Some(&mut out), path, packet_len };
    let now = Clock::new(now).instant(now);
    let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut device, now);
    interface.set_any_ip(true);
    interface.poll_ingress_single(now, &mut device, &mut SocketSet::new(Vec::new()));
    out.pop()
}
