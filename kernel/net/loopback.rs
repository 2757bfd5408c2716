//! `lo`: what is sent comes back, in the same call.
//!
//! Where packets may be damaged on the way, it is like a network: its packets are small, and have checksums.
//! Source: Linux 6.1 drivers/net/loopback.c.

use core::net::Ipv4Addr;

use rules::net::checksum;
use rules::net::tcp::PathKind;
use rules::net::tcp::packet::Packet;

use super::ethernet;
use super::impairment::{self, Place};
use super::link::{Inbox, Link};
use super::traffic::{self, Direction};

/// The link within the machine.
pub(super) struct Loopback;

impl Link for Loopback {
    fn path(&self) -> PathKind {
        if impairment::is_on() { PathKind::Link { mtu: ethernet::MTU } } else { PathKind::Local }
    }

    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::LOCALHOST
    }

    fn transmit(&self, mut packet: Packet, _: Ipv4Addr, inbox: &mut Inbox) {
        if impairment::is_on() {
            checksum::complete(packet.ip_mut());
        }
        traffic::count(Direction::Loopback, packet.ip().len());
        impairment::pass(Place::Loopback, packet, |packet| inbox.push_back(packet));
    }
}
