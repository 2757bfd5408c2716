//! `lo`: packets come back in the call that sends them.
//!
//! Source: Linux 6.1 drivers/net/loopback.c.

use core::net::Ipv4Addr;

use rules::net::tcp::PathKind;
use rules::net::tcp::packet::Packet;
use rules::net::{checksum, ingress_filter};

use super::ethernet;
use super::impairment::{self, Place};
use super::link::{Inbox, Link};
use super::traffic::{self, Direction};

/// The address of `lo`.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Returns the link within the machine, impaired if the command line says so.
pub(super) fn link() -> &'static dyn Link {
    if impairment::is_on() { &Impaired } else { &Loopback }
}

/// The link within the machine.
struct Loopback;

impl Link for Loopback {
    fn path(&self) -> PathKind {
        PathKind::Local
    }

    fn address(&self) -> Ipv4Addr {
        ADDRESS
    }

    fn transmit(&self, packet: Packet, _: Ipv4Addr, inbox: &mut Inbox) {
        traffic::count(Direction::Loopback, packet.ip().len());
        inbox.push_back(packet);
    }
}

/// The link within the machine, with impaired packets. Like a network, it has a small MTU and checksums, and drops
/// damaged packets.
struct Impaired;

impl Link for Impaired {
    fn path(&self) -> PathKind {
        PathKind::Link { mtu: ethernet::MTU }
    }

    fn address(&self) -> Ipv4Addr {
        ADDRESS
    }

    fn transmit(&self, mut packet: Packet, _: Ipv4Addr, inbox: &mut Inbox) {
        checksum::complete(packet.ip_mut());
        traffic::count(Direction::Loopback, packet.ip().len());
        impairment::pass(Place::Loopback, packet, |packet| {
            if ingress_filter::is_intact(packet.ip()) {
                inbox.push_back(packet);
            }
        });
    }
}
