//! Requests for connections over a network, while their handshake is not complete.
//!
//! Owns: nothing. Requests are part of their listener, under its lock (rank 3). `demux` (rank 4) is updated under
//! that lock, so the two always agree.

use alloc::sync::Arc;

use rules::net::tcp;
use rules::net::tcp::packet::{Packet, PacketBatch};
use rules::net::tcp::request::{ConnectionRequest, RequestVerdict};
use rules::net::tcp::segment::Segment;
use rules::net::tcp::socket::TcpSocketState;

use super::demux::{self, TupleOwner};
use super::endpoint::{self, Endpoint};
use super::stack::{self, CONNECTION_BYTES};
use super::timer;
use crate::machine::memory::budget;
use crate::machine::{clock, random};

/// Processes a SYN for `listener` that belongs to no request. Without room for a request, the SYN is dropped.
pub(crate) fn begin(listener: &Arc<Endpoint>, segment: &Segment, packet: &Packet, out: &mut PacketBatch) {
    let Some(options) = listener.begin_request() else { return };
    let now = clock::now();
    let mut answers = PacketBatch::new();
    let path = stack::path_back(segment);
    let request = ConnectionRequest::new(packet.ip(), path, random::word(), &options, now, &mut answers);
    let Some(request) = request else { return };
    let at = request.due();
    let mut state = listener.state.lock();
    let Some(backlog) = state.listener() else { return };
    let found = TupleOwner::Request(listener.clone());
    if demux::insert(segment.tuple, found, endpoint::sharing(&options), now).is_err() {
        return;
    }
    if let Some(oldest) = backlog.requests().insert(request) {
        demux::withdraw(&oldest, listener);
    }
    drop(state);
    out.extend(answers);
    timer::arm(listener, at);
}

/// Processes a segment for a request of `listener`.
pub(crate) fn process(
    listener: &Arc<Endpoint>,
    segment: &Segment,
    packet: &mut Packet,
    out: &mut PacketBatch,
) {
    let (now, tuple) = (clock::now(), segment.tuple);
    let path = stack::path_back(segment);
    let mut state = listener.state.lock();
    let options = state.options().clone();
    let Some(backlog) = state.listener() else { return };
    let is_full = backlog.is_full();
    let requests = backlog.requests();
    let Some(request) = requests.get_mut(&tuple) else { return };
    let verdict = request.judge(segment, now);
    let request = *request;
    match verdict {
        RequestVerdict::Ignore => {}
        RequestVerdict::Repeat => {
            drop(state);
            request.answer(path, &options, now, out);
        }
        RequestVerdict::Acknowledge => out.push(request.acknowledge(path)),
        RequestVerdict::Refuse => {
            drop(state);
            out.extend(tcp::refuse(packet.ip(), path, now));
        }
        RequestVerdict::Withdraw | RequestVerdict::RefuseAndWithdraw => {
            requests.remove(&tuple);
            demux::withdraw(&tuple, listener);
            drop(state);
            if verdict == RequestVerdict::RefuseAndWithdraw {
                out.extend(tcp::refuse(packet.ip(), path, now));
            }
        }
        // Without room, the final ACK is dropped: the SYN-ACK is retransmitted, and the peer acknowledges again
        // (`tcp_v4_syn_recv_sock`).
        RequestVerdict::Complete if is_full || budget::grant(CONNECTION_BYTES).is_err() => {}
        RequestVerdict::Complete => {
            requests.remove(&tuple);
            let connection = request.complete(path, &options, now, stack::has_memory);
            let child = Endpoint::new(
                TcpSocketState::of_request(connection, options),
                Some(Arc::downgrade(listener)),
            );
            demux::promote(&tuple, listener, &child);
            drop(state);
            child.process(segment, packet, out);
        }
    }
}

/// Retransmits the SYN-ACKs that are due, and drops the requests that time out.
pub(crate) fn expire(listener: &Arc<Endpoint>, out: &mut PacketBatch) {
    let now = clock::now();
    let mut state = listener.state.lock();
    let options = state.options().clone();
    let Some(backlog) = state.listener() else { return };
    let (repeat, forget) = backlog.requests().expire(now);
    forget.iter().for_each(|tuple| demux::withdraw(tuple, listener));
    let due = backlog.requests().due();
    drop(state);
    for request in repeat {
        let path = stack::path_to(*request.tuple().remote.ip());
        request.answer(path, &options, now, out);
    }
    if let Some(at) = due {
        timer::arm(listener, at);
    }
}
