//! The way of a packet: out through a link, in to its connection.
//!
//! Packets that the loopback hands back are taken in by the sender's own call, one after the other, with no lock held
//! in between: no task switch, and never one connection's lock under another's.

use alloc::sync::Arc;
use core::net::Ipv4Addr;

use rules::abi::errno::Errno;
use rules::net::tcp::connection::Connection;
use rules::net::tcp::packet::{Burst, Packet};
use rules::net::tcp::segment::{Segment, Tuple};
use rules::net::tcp::socket::Socket;
use rules::net::tcp::time_wait::Answer;
use rules::net::tcp::{self, Route};

use super::demux::{self, Found};
use super::endpoint::{self, Endpoint};
use super::link::Inbox;
use super::{ports, request, route, udp};
use crate::machine::memory::budget;
use crate::machine::{clock, random};

/// Packets that one call moves at most. What is left is lost, as on any network, and sent again later.
const MOST: usize = 4096;

/// What a connection takes before it carries anything.
pub(super) const CONNECTION_BYTES: usize = 40 * 1024;

/// Sends `packets`, and takes in what comes back at once.
pub(super) fn send(packets: Burst) {
    if packets.is_empty() {
        return;
    }
    let mut outgoing = packets;
    let mut inbox = Inbox::default();
    for _ in 0..MOST {
        for packet in outgoing.drain(..) {
            transmit(packet, &mut inbox);
        }
        let Some(mut packet) = inbox.pop_front() else { return };
        receive(&mut packet, &mut outgoing);
    }
}

fn transmit(packet: Packet, inbox: &mut Inbox) {
    let Some(destination) = packet.destination() else { return };
    if let Ok(step) = route::to(destination) {
        step.link.transmit(packet, step.next_hop, inbox);
    }
}

/// Takes in a packet. Answers go to `out`.
pub(super) fn receive(packet: &mut Packet, out: &mut Burst) {
    let Some(segment) = Segment::parse(packet.ip()) else { return udp::receive(packet, out) };
    match demux::find(&segment.tuple) {
        Some(Found::Endpoint(endpoint)) => endpoint.process(&segment, packet, out),
        Some(Found::Request(listener)) => request::hear(&listener, &segment, packet, out),
        Some(Found::TimeWait(rest)) => match rest.answer(&segment) {
            Answer::Ignore => {}
            Answer::Acknowledge => {
                out.push(tcp::acknowledge(segment.tuple, &rest, route_back(&segment)));
            }
            Answer::Reopen => {
                demux::forget(&segment.tuple, &rest);
                welcome(&segment, packet, out);
            }
        },
        None => welcome(&segment, packet, out),
    }
}

/// A packet of ours did not get to its destination, for this reason. Datagrams hear nothing of it
/// (`__udp4_lib_err`: no host is no hard error).
pub(super) fn fail(packet: &Packet, error: Errno) {
    let Some(segment) = Segment::parse(packet.ip()) else { return };
    let tuple = Tuple { local: segment.tuple.remote, remote: segment.tuple.local };
    if let Some(Found::Endpoint(endpoint)) = demux::find(&tuple) {
        endpoint.fail(&tuple, error);
    }
}

/// A packet that belongs to no connection: perhaps it asks for one.
fn welcome(segment: &Segment, packet: &mut Packet, out: &mut Burst) {
    if segment.is_request()
        && let Some(listener) = ports::listener(&segment.tuple)
    {
        match route_back(segment) {
            Route::Local => open(&listener, segment, packet, out),
            Route::Link { .. } => request::begin(&listener, segment, packet, out),
        }
        return;
    }
    out.extend(tcp::refuse(packet.ip(), route_back(segment), clock::now()));
}

/// Begins a connection within this machine that `listener` has been asked for, unless it has no room. The handshake is
/// over before this call is.
fn open(listener: &Arc<Endpoint>, segment: &Segment, packet: &mut Packet, out: &mut Burst) {
    if budget::try_reserve(CONNECTION_BYTES).is_err() {
        return;
    }
    let Some(options) = listener.begin_request() else { return };
    let now = clock::now();
    let connection = Connection::accept(segment.tuple, Route::Local, random::word(), &options, now);
    let sharing = endpoint::sharing(&options);
    let child = Endpoint::new(Socket::of_request(connection, options), Some(Arc::downgrade(listener)));
    if demux::insert(segment.tuple, Found::Endpoint(child.clone()), sharing, now).is_ok() {
        child.process(segment, packet, out);
    }
}

/// What the way back is like.
pub(super) fn route_back(segment: &Segment) -> Route {
    route_to(*segment.tuple.remote.ip())
}

/// What the way to `address` is like.
pub(super) fn route_to(address: Ipv4Addr) -> Route {
    route::to(address).map_or(Route::Link { mtu: 1500 }, |step| step.link.route())
}
