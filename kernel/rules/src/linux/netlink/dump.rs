//! Makes the messages about interfaces, addresses and routes.
//!
//! Source: rtnetlink(7); Linux 6.1 net/core/rtnetlink.c (`rtnl_fill_ifinfo`), net/ipv4/devinet.c (`inet_fill_ifaddr`),
//! net/ipv4/fib_semantics.c (`fib_dump_info`).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use zerocopy::IntoBytes;

use super::message::{self, Message, NetlinkFlags, Recipient};
use crate::net::abi::netdevice::{self, ETHER, Interface};
use crate::net::abi::socket::family;
use crate::net::route::Route;
use crate::net::traffic::Traffic;

/// Bytes of a datagram of a list, as a rule: what Linux gets into a page (`NLMSG_GOODSIZE`).
const DATAGRAM: usize = 3776;

/// What can be told.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The interfaces, by number.
    pub interfaces: Vec<(Interface, Traffic)>,
    /// The routes, by table and destination.
    pub routes: Vec<Route>,
}

/// All interfaces.
pub(super) fn links(facts: &Facts, to: Recipient) -> VecDeque<Vec<u8>> {
    let one = |(interface, traffic): &(Interface, Traffic)| link(interface, traffic, NetlinkFlags::MULTI, to);
    list(facts.interfaces.iter().map(one), to)
}

/// All addresses.
pub(super) fn addresses(facts: &Facts, to: Recipient) -> VecDeque<Vec<u8>> {
    list(facts.interfaces.iter().map(|(interface, _)| address(interface, to)), to)
}

/// All routes.
pub(super) fn routes(facts: &Facts, to: Recipient) -> VecDeque<Vec<u8>> {
    list(facts.routes.iter().map(|one| route(one, to)), to)
}

/// As many messages in a datagram as fit, and the end in one of its own.
fn list(messages: impl Iterator<Item = Vec<u8>>, to: Recipient) -> VecDeque<Vec<u8>> {
    let mut datagrams: VecDeque<Vec<u8>> = VecDeque::new();
    for message in messages {
        match datagrams.back_mut() {
            Some(last) if last.len() + message.len() <= DATAGRAM => last.extend(message),
            _ => datagrams.push_back(message),
        }
    }
    datagrams.push_back(message::done(to));
    datagrams
}

/// An interface: `RTM_NEWLINK`.
pub(super) fn link(interface: &Interface, traffic: &Traffic, flags: NetlinkFlags, to: Recipient) -> Vec<u8> {
    /// `RTM_NEWLINK`.
    const KIND: u16 = 16;
    /// `IFF_LOWER_UP`: there is a carrier, without which no card is started.
    const LOWER_UP: u32 = 0x1_0000;
    // What Linux calls the state of a loopback, and of a card with a carrier.
    const UNKNOWN: u8 = 0;
    const UP: u8 = 6;
    let (hardware, address) = interface.hardware;
    let (broadcast, state) = if hardware == ETHER { ([0xff; 6], UP) } else { ([0; 6], UNKNOWN) };
    let numbers = counts(traffic);
    let short = numbers.map(|number| number as u32);
    // `struct ifinfomsg`: no family, the hardware, the number, the flags, and that none of them has changed.
    Message::new(KIND, flags, to)
        .with(&[[0, 0], hardware.to_ne_bytes()].concat())
        .with(&interface.index.to_ne_bytes())
        .with(&(u32::from(interface.flags.bits()) | LOWER_UP).to_ne_bytes())
        .with(&[0; 4])
        .text(IFNAME, interface.name)
        .number(TXQLEN, netdevice::QUEUE_LEN)
        .attribute(OPERSTATE, &[state])
        .attribute(LINKMODE, &[0])
        .number(MTU, interface.mtu)
        .number(GROUP, 0)
        .number(PROMISCUITY, 0)
        .number(NUM_TX_QUEUES, 1)
        .number(NUM_RX_QUEUES, 1)
        .attribute(CARRIER, &[1])
        .text(QDISC, "noqueue")
        .attribute(MAP, &[0; 32])
        .attribute(ADDRESS, &address)
        .attribute(BROADCAST, &broadcast)
        .attribute(STATS64, numbers.as_bytes())
        .attribute(STATS, short[..24].as_bytes())
        .finish()
}

/// `struct rtnl_link_stats64`, of which `struct rtnl_link_stats` has one number less: nothing but packets and bytes is
/// counted, because nothing else ever happens to a packet here.
const fn counts(traffic: &Traffic) -> [u64; 25] {
    let mut numbers = [0; 25];
    numbers[0] = traffic.received.packets;
    numbers[1] = traffic.sent.packets;
    numbers[2] = traffic.received.bytes;
    numbers[3] = traffic.sent.bytes;
    numbers
}

// Attributes of a link: `IFLA_…`.
const ADDRESS: u16 = 1;
const BROADCAST: u16 = 2;
const IFNAME: u16 = 3;
const MTU: u16 = 4;
const QDISC: u16 = 6;
const STATS: u16 = 7;
const TXQLEN: u16 = 13;
const MAP: u16 = 14;
const OPERSTATE: u16 = 16;
const LINKMODE: u16 = 17;
const STATS64: u16 = 23;
const GROUP: u16 = 27;
const PROMISCUITY: u16 = 30;
const NUM_TX_QUEUES: u16 = 31;
const NUM_RX_QUEUES: u16 = 32;
const CARRIER: u16 = 33;

/// An address: `RTM_NEWADDR`.
fn address(interface: &Interface, to: Recipient) -> Vec<u8> {
    const KIND: u16 = 20;
    // Attributes: `IFA_…`.
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    const LABEL: u16 = 3;
    const BROADCAST: u16 = 4;
    const CACHEINFO: u16 = 6;
    const FLAGS: u16 = 8;
    /// `IFA_F_PERMANENT`.
    const PERMANENT: u8 = 0x80;
    /// `RT_SCOPE_HOST`.
    const HOST: u8 = 254;
    let own = interface.address.octets();
    let prefix_len = interface.mask.to_bits().leading_ones() as u8;
    let scope = if interface.address.is_loopback() { HOST } else { 0 };
    let mut message = Message::new(KIND, NetlinkFlags::MULTI, to)
        .with(&[family::AF_INET as u8, prefix_len, PERMANENT, scope])
        .with(&interface.index.to_ne_bytes())
        .attribute(ADDRESS, &own)
        .attribute(LOCAL, &own);
    if !interface.broadcast.is_unspecified() {
        message = message.attribute(BROADCAST, &interface.broadcast.octets());
    }
    // `struct ifa_cacheinfo`: it is good for ever, and was there from the start.
    let lifetime = [u32::MAX, u32::MAX, 0, 0];
    message
        .text(LABEL, interface.name)
        .number(FLAGS, PERMANENT.into())
        .attribute(CACHEINFO, lifetime.as_bytes())
        .finish()
}

/// A route: `RTM_NEWROUTE`.
fn route(route: &Route, to: Recipient) -> Vec<u8> {
    const KIND: u16 = 24;
    // Attributes: `RTA_…`.
    const TO: u16 = 1;
    const OUTPUT: u16 = 4;
    const GATEWAY: u16 = 5;
    const SOURCE: u16 = 7;
    const TABLE: u16 = 15;
    let (table, kind) = (route.table as u8, route.kind as u8);
    let mut message = Message::new(KIND, NetlinkFlags::MULTI, to)
        .with(&[family::AF_INET as u8, route.prefix_len, 0, 0])
        .with(&[table, route.protocol(), route.scope(), kind])
        .with(&[0; 4])
        .number(TABLE, table.into());
    if route.prefix_len > 0 {
        message = message.attribute(TO, &route.to.octets());
    }
    if let Some(source) = route.source {
        message = message.attribute(SOURCE, &source.octets());
    }
    if let Some(gateway) = route.gateway {
        message = message.attribute(GATEWAY, &gateway.octets());
    }
    message.number(OUTPUT, route.interface).finish()
}
