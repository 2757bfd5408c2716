//! `lo`: what is sent comes back, in the same call.
//!
//! Source: Linux 6.1 drivers/net/loopback.c.

use core::net::Ipv4Addr;

use model::tcp::Route;
use model::tcp::packet::Packet;

use super::link::{Inbox, Link};

/// The link within the machine.
pub(super) struct Loopback;

impl Link for Loopback {
    fn route(&self) -> Route {
        Route::Local
    }

    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::LOCALHOST
    }

    fn transmit(&self, packet: Packet, _: Ipv4Addr, inbox: &mut Inbox) {
        inbox.push_back(packet);
    }
}
