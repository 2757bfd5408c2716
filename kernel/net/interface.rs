//! The network interfaces, as programs see them.
//!
//! Not here: sending (`link`), the choice of a link (`route`).

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use rules::net::abi::netdevice::{ETHER, Flags, Interface, LOOPBACK};
use rules::net::route;
use rules::net::tcp::PathKind;
use rules::net::traffic::Traffic;

use super::{ethernet, loopback, traffic};

/// The largest packet of the loopback, as Linux has it.
const LOOPBACK_MTU: u32 = 65536;

/// Returns all interfaces, by index.
pub(crate) fn all() -> impl Iterator<Item = Interface> {
    let loopback = Interface {
        name: "lo",
        index: 1,
        flags: Flags::UP | Flags::LOOPBACK | Flags::RUNNING,
        address: loopback::ADDRESS,
        mask: Ipv4Addr::new(255, 0, 0, 0),
        broadcast: Ipv4Addr::UNSPECIFIED,
        mtu: LOOPBACK_MTU,
        hardware: (LOOPBACK, [0; 6]),
    };
    let ethernet = ethernet::get().map(|ethernet| {
        let network = ethernet.network();
        Interface {
            name: ethernet::NAME,
            index: 2,
            flags: Flags::UP | Flags::BROADCAST | Flags::RUNNING | Flags::MULTICAST,
            address: network.address,
            mask: network.mask,
            broadcast: network.address | !network.mask,
            mtu: ethernet::MTU.into(),
            hardware: (ETHER, ethernet.hardware_address()),
        }
    });
    core::iter::once(loopback).chain(ethernet)
}

/// Returns the most bytes of a packet to `address`. `None`: there is no route.
pub(crate) fn mtu_to(address: Ipv4Addr) -> Option<u32> {
    // The longest IP packet.
    const MOST: u32 = 65535;
    match super::route::to(address).ok()?.link.path() {
        PathKind::Local => Some(MOST),
        PathKind::Link { mtu } => Some(mtu.into()),
    }
}

/// Returns the routes, by table and destination.
pub(crate) fn routes() -> Vec<route::Route> {
    route::all(ethernet::get().map(ethernet::Ethernet::network))
}

/// Returns all interfaces with their traffic.
pub(crate) fn traffic() -> Vec<(Interface, Traffic)> {
    all().map(|interface| (interface, traffic::of(&interface))).collect()
}
