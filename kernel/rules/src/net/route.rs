//! Lists the routes of a machine with at most one card as Linux would: they follow from its addresses and its gateway.
//!
//! Not here: routing a packet (the kernel's `net/route`).
//! Source: rtnetlink(7); Linux 6.1 net/ipv4/fib_frontend.c (`fib_add_ifaddr`), include/uapi/linux/rtnetlink.h.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use crate::net::network::Network;

/// The table of a route.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum RoutingTable {
    /// Routes to other hosts: `RT_TABLE_MAIN`.
    Main = 254,
    /// Addresses of this machine: `RT_TABLE_LOCAL`.
    Local = 255,
}

/// The type of a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RouteKind {
    /// Packets go to one host: `RTN_UNICAST`.
    Unicast = 1,
    /// Packets are for this machine: `RTN_LOCAL`.
    Local = 2,
    /// Packets are broadcast: `RTN_BROADCAST`.
    Broadcast = 3,
}

/// A route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// Its table.
    pub table: RoutingTable,
    /// Its type.
    pub kind: RouteKind,
    /// The destination…
    pub to: Ipv4Addr,
    /// …of which so many bits count.
    pub prefix_len: u8,
    /// The gateway, if the destination is not a neighbour.
    pub gateway: Option<Ipv4Addr>,
    /// The preferred source address.
    pub source: Option<Ipv4Addr>,
    /// The number of the interface.
    pub interface: u32,
}

impl Route {
    /// Returns the netmask.
    #[must_use]
    pub fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(self.prefix_len)).unwrap_or(0))
    }

    /// Returns the scope: `RT_SCOPE_HOST`, `RT_SCOPE_LINK` or `RT_SCOPE_UNIVERSE`.
    #[must_use]
    pub const fn scope(&self) -> u8 {
        match (self.kind, self.gateway) {
            (RouteKind::Local, _) => 254,
            (_, None) => 253,
            (_, Some(_)) => 0,
        }
    }

    /// Returns its origin: the kernel (`RTPROT_KERNEL`), or the configuration of the interface (`RTPROT_BOOT`).
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        if self.gateway.is_some() { 3 } else { 2 }
    }
}

/// Lists the routes of a machine whose first interface is the loopback, and whose second is on `network`, by table and
/// destination.
#[must_use]
pub fn all(network: Option<&Network>) -> Vec<Route> {
    const LOOPBACK: Network =
        Network { address: Ipv4Addr::LOCALHOST, mask: Ipv4Addr::new(255, 0, 0, 0), gateway: None };
    let mut routes = local(&LOOPBACK, 1).to_vec();
    routes.push(Route { to: Ipv4Addr::new(127, 0, 0, 0), prefix_len: 8, ..local(&LOOPBACK, 1)[0] });
    if let Some(network) = network {
        routes.extend(local(network, 2));
        routes.push(Route {
            table: RoutingTable::Main,
            kind: RouteKind::Unicast,
            to: network.address & network.mask,
            prefix_len: network.mask.to_bits().leading_ones() as u8,
            gateway: None,
            source: Some(network.address),
            interface: 2,
        });
        routes.extend(network.gateway.map(|gateway| Route {
            table: RoutingTable::Main,
            kind: RouteKind::Unicast,
            to: Ipv4Addr::UNSPECIFIED,
            prefix_len: 0,
            gateway: Some(gateway),
            source: None,
            interface: 2,
        }));
    }
    routes.sort_by_key(|route| (route.table, route.to, route.prefix_len));
    routes
}

/// Makes the routes of the local table for one interface: its address and its broadcast address.
fn local(network: &Network, interface: u32) -> [Route; 2] {
    let own = Route {
        table: RoutingTable::Local,
        kind: RouteKind::Local,
        to: network.address,
        prefix_len: 32,
        gateway: None,
        source: Some(network.address),
        interface,
    };
    [own, Route { kind: RouteKind::Broadcast, to: network.address | !network.mask, ..own }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_alone_has_no_way_to_others() {
        let routes = all(None);
        assert!(routes.iter().all(|route| route.table == RoutingTable::Local && route.interface == 1));
        let told: Vec<_> = routes.iter().map(|route| (route.to, route.prefix_len, route.scope())).collect();
        assert_eq!(
            told,
            [
                (Ipv4Addr::new(127, 0, 0, 0), 8, 254),
                (Ipv4Addr::LOCALHOST, 32, 254),
                (Ipv4Addr::new(127, 255, 255, 255), 32, 253),
            ]
        );
    }

    #[test]
    fn a_card_leads_to_its_network_and_by_the_gateway_to_everybody() {
        let routes = all(Some(&Network::QEMU_USER));
        let main: Vec<_> = routes.iter().filter(|route| route.table == RoutingTable::Main).collect();
        assert_eq!(main.len(), 2);
        assert_eq!((main[0].to, main[0].mask()), (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED));
        assert_eq!(
            (main[0].gateway, main[0].protocol(), main[0].scope()),
            (Network::QEMU_USER.gateway, 3, 0)
        );
        assert_eq!((main[1].to, main[1].mask()), (Ipv4Addr::new(10, 0, 2, 0), Network::QEMU_USER.mask));
        assert_eq!((main[1].source, main[1].scope()), (Some(Network::QEMU_USER.address), 253));
        assert_eq!(routes.len(), 7);
        let silent = Network { gateway: None, ..Network::QEMU_USER };
        assert_eq!(all(Some(&silent)).len(), 6);
    }
}
