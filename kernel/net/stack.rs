//! The path of a packet: out through a link, in to its connection.
//!
//! The sender's own call receives the packets that the loopback hands back, one after the other, with no lock held in
//! between. So there is no task switch, and no connection's lock is taken under another's.

use alloc::sync::Arc;
use core::net::Ipv4Addr;

use rules::abi::errno::Errno;
use rules::net::tcp::connection::Connection;
use rules::net::tcp::packet::{Packet, PacketBatch};
use rules::net::tcp::segment::{Segment, Tuple};
use rules::net::tcp::socket::TcpSocketState;
use rules::net::tcp::time_wait::TimeWaitReply;
use rules::net::tcp::{self, PathKind, Resources};

use super::demux::{self, TupleOwner};
use super::endpoint::{self, Endpoint};
use super::link::Inbox;
use super::{ports, request, route, udp};
use crate::machine::memory::budget;
use crate::machine::{clock, random};

/// The most packets that one call moves. The rest is lost, as on any network, and retransmitted later.
const MOST: usize = 4096;

/// The memory of a connection before it carries anything.
pub(super) const CONNECTION_BYTES: usize = 40 * 1024;

/// Sends `packets`, and receives those that come back at once.
pub(super) fn send(packets: PacketBatch) {
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

/// Receives a packet; answers go to `out`.
pub(super) fn receive(packet: &mut Packet, out: &mut PacketBatch) {
    let Some(segment) = Segment::parse(packet.ip()) else { return udp::receive(packet, out) };
    match demux::find(&segment.tuple) {
        Some(TupleOwner::Endpoint(endpoint)) => endpoint.process(&segment, packet, out),
        Some(TupleOwner::Request(listener)) => request::process(&listener, &segment, packet, out),
        Some(TupleOwner::TimeWait(rest)) => match rest.answer(&segment) {
            TimeWaitReply::Ignore => {}
            TimeWaitReply::Acknowledge => {
                out.push(rest.acknowledge(segment.tuple, path_back(&segment)));
            }
            TimeWaitReply::Reopen => {
                demux::forget(&segment.tuple, &rest);
                receive_unmatched(&segment, packet, out);
            }
        },
        None => receive_unmatched(&segment, packet, out),
    }
}

/// Called when a packet of ours could not be delivered. UDP sockets do not get this error (`__udp4_lib_err`: an
/// unreachable host is no hard error).
pub(super) fn fail(packet: &Packet, error: Errno) {
    let Some(segment) = Segment::parse(packet.ip()) else { return };
    let tuple = Tuple { local: segment.tuple.remote, remote: segment.tuple.local };
    if let Some(TupleOwner::Endpoint(endpoint)) = demux::find(&tuple) {
        endpoint.fail(&tuple, error);
    }
}

/// Receives a segment that belongs to no connection: a SYN for a listener, or one to refuse.
fn receive_unmatched(segment: &Segment, packet: &mut Packet, out: &mut PacketBatch) {
    if segment.is_request()
        && let Some(listener) = ports::listener(&segment.tuple)
    {
        match path_back(segment) {
            PathKind::Local => open(&listener, segment, packet, out),
            PathKind::Link { .. } => request::begin(&listener, segment, packet, out),
        }
        return;
    }
    out.extend(tcp::refuse(packet.ip(), path_back(segment), clock::now()));
}

/// Begins a connection within this machine for `listener`, unless that has no room. The handshake is over when this
/// call returns.
fn open(listener: &Arc<Endpoint>, segment: &Segment, packet: &mut Packet, out: &mut PacketBatch) {
    let Ok(_grant) = budget::grant(CONNECTION_BYTES) else { return };
    let Some(options) = listener.begin_request() else { return };
    let now = clock::now();
    let connection = Connection::accept(segment.tuple, PathKind::Local, resources(), &options, now);
    let sharing = endpoint::sharing(&options);
    let child =
        Endpoint::new(TcpSocketState::of_request(connection, options), Some(Arc::downgrade(listener)));
    if demux::insert(segment.tuple, TupleOwner::Endpoint(child.clone()), sharing, now).is_ok() {
        child.process(segment, packet, out);
    }
}

/// Returns the randomness and the memory budget of a new connection.
pub(super) fn resources() -> Resources {
    Resources { seed: random::word(), budget: has_memory }
}

/// Returns whether `bytes` may be allocated without touching the reserve.
pub(super) fn has_memory(bytes: usize) -> bool {
    budget::grant(bytes).is_ok()
}

/// Returns the kind of path back to the sender of `segment`.
pub(super) fn path_back(segment: &Segment) -> PathKind {
    path_to(*segment.tuple.remote.ip())
}

/// Returns the kind of path to `address`.
pub(super) fn path_to(address: Ipv4Addr) -> PathKind {
    route::to(address).map_or(PathKind::Link { mtu: 1500 }, |step| step.link.path())
}
