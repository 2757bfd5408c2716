//! `lo`: what is sent comes back, in the same call.
//!
//! Source: Linux 6.1 drivers/net/loopback.c.

use core::net::Ipv4Addr;

use rules::net::tcp::Route;
use rules::net::tcp::packet::Packet;
use rules::net::{checksum, door};

use super::ethernet;
use super::impairment::{self, Place};
use super::link::{Inbox, Link};
use super::traffic::{self, Direction};

/// The address that `lo` has.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The link within the machine, as the command line wants it.
pub(super) fn link() -> &'static dyn Link {
    if impairment::is_on() { &Impaired } else { &Loopback }
}

/// The link within the machine.
struct Loopback;

impl Link for Loopback {
    fn route(&self) -> Route {
        Route::Local
    }

    fn address(&self) -> Ipv4Addr {
        ADDRESS
    }

    fn transmit(&self, packet: Packet, _: Ipv4Addr, inbox: &mut Inbox) {
        traffic::count(Direction::Loopback, packet.ip().len());
        inbox.push_back(packet);
    }
}

/// The same with packets that fare badly. It is like a network: its packets are small and have checksums, and what was
/// damaged does not arrive.
struct Impaired;

impl Link for Impaired {
    fn route(&self) -> Route {
        Route::Link { mtu: ethernet::MTU }
    }

    fn address(&self) -> Ipv4Addr {
        ADDRESS
    }

    fn transmit(&self, mut packet: Packet, _: Ipv4Addr, inbox: &mut Inbox) {
        checksum::complete(packet.ip_mut());
        traffic::count(Direction::Loopback, packet.ip().len());
        impairment::pass(Place::Loopback, packet, |packet| {
            if door::is_intact(packet.ip()) {
                inbox.push_back(packet);
            }
        });
    }
}
