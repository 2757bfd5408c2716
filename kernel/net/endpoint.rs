//! The state of a TCP socket behind its lock, which packets, timers and system calls share.
//!
//! Lock: rank 3. Only locks of rank 4 are taken while it is held. Packets are collected under it; they are sent, and
//! threads are woken, after it is released.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};

use pollee::Events;
use rules::abi::errno::Errno;
use rules::net::socket::Options;
use rules::net::tcp::connection::{CloseMode, End, Outcome};
use rules::net::tcp::packet::{Packet, PacketBatch};
use rules::net::tcp::port::{Owner, Sharing};
use rules::net::tcp::segment::{Segment, Tuple};
use rules::net::tcp::socket::TcpSocketState;

use super::counters::{Counted, Kind};
use super::holder::Holder;
use super::timer::{self, Armed};
use super::{demux, ports, request, stack};
use crate::core::event;
use crate::core::event::class::Class;
use crate::machine::clock;

/// One end of a connection, a listener, or a socket that is neither yet.
pub(crate) struct Endpoint {
    pub(crate) state: event::Locked<TcpSocketState<Arc<Endpoint>>>,
    pub(crate) owner: Owner,
    /// The listener whose backlog it is or was in.
    parent: Option<Weak<Endpoint>>,
    /// Whether the parent was notified that the handshake is complete.
    is_reported: AtomicBool,
    armed: Armed,
    pub(crate) holder: Holder,
    _counted: Counted,
}

/// Returns what a socket with these options lets other sockets share.
pub(crate) fn sharing(options: &Options) -> Sharing {
    Sharing { address: options.reuse_address, port: options.reuse_port.then_some(0) }
}

impl Endpoint {
    pub(crate) fn new(socket: TcpSocketState<Arc<Self>>, parent: Option<Weak<Self>>) -> Arc<Self> {
        Arc::new(Self {
            state: event::Locked::new(Class::Socket, socket),
            owner: ports::new_owner(),
            parent,
            is_reported: AtomicBool::new(false),
            armed: Armed::new(),
            holder: Holder::none(),
            _counted: Counted::new(Kind::Tcp),
        })
    }

    /// Returns its inode number.
    pub(crate) const fn inode(&self) -> u64 {
        self.owner.0 + 1
    }

    pub(crate) const fn armed(&self) -> &Armed {
        &self.armed
    }

    /// Changes the socket, and sends and schedules what the change requires.
    pub(crate) fn change<R>(self: &Arc<Self>, work: impl FnOnce(&mut TcpSocketState<Arc<Self>>) -> R) -> R {
        let mut state = self.state.lock();
        let result = work(&mut state);
        self.settle_locked(state);
        result
    }

    /// Changes the socket as [`change`](Self::change) does, for a reader: usually that requires nothing else.
    #[inline]
    pub(crate) fn consume<R>(self: &Arc<Self>, work: impl FnOnce(&mut TcpSocketState<Arc<Self>>) -> R) -> R {
        let mut state = self.state.lock();
        let result = work(&mut state);
        if !state.is_at_rest() {
            self.settle_locked(state);
        }
        result
    }

    fn settle_locked(self: &Arc<Self>, mut state: event::Guard<'_, TcpSocketState<Arc<Self>>>) {
        let mut packets = PacketBatch::new();
        let outcome = state.settle(clock::now(), &mut packets);
        let tuple = state.tuple();
        drop(state);
        if let Some(tuple) = tuple {
            self.apply_outcome(&tuple, outcome);
        }
        stack::send(packets);
    }

    /// Does what the timers of the socket say is due.
    pub(crate) fn settle(self: &Arc<Self>) {
        if self.change(|socket| socket.is_listening()) {
            let mut packets = PacketBatch::new();
            request::expire(self, &mut packets);
            stack::send(packets);
        }
    }

    /// Processes a packet; answers go to `out`.
    pub(crate) fn process(self: &Arc<Self>, segment: &Segment, packet: &mut Packet, out: &mut PacketBatch) {
        let mut state = self.state.lock();
        let Some(connection) = state.connection() else { return };
        let outcome = connection.process(segment, packet, clock::now(), out);
        if outcome.has_arrived {
            state.raise(Events::READABLE);
        }
        if outcome.is_flushed {
            state.raise(Events::WRITABLE);
        }
        drop(state);
        self.apply_outcome(&segment.tuple, outcome);
    }

    /// Fails the connection with `error`: the destination is unreachable.
    pub(crate) fn fail(self: &Arc<Self>, tuple: &Tuple, error: Errno) {
        let mut state = self.state.lock();
        let Some(connection) = state.connection() else { return };
        let outcome = connection.fail(error);
        if outcome.is_flushed {
            state.raise(Events::WRITABLE);
        }
        drop(state);
        self.apply_outcome(tuple, outcome);
    }

    /// Applies the outcome of a change outside of the socket, with no lock held.
    fn apply_outcome(self: &Arc<Self>, tuple: &Tuple, outcome: Outcome) {
        if outcome.is_established {
            self.report_to_parent(Self::admit);
        }
        match outcome.end {
            None => {}
            Some(End::Gone) => demux::remove(tuple, self),
            Some(End::TimeWait(rest)) => demux::retire(tuple, self, rest),
        }
        if let Some(at) = outcome.wake_at {
            timer::arm(self, at);
        }
    }

    fn report_to_parent(self: &Arc<Self>, report: impl FnOnce(&Arc<Self>, &Arc<Self>)) {
        let Some(parent) = &self.parent else { return };
        if self.is_reported.swap(true, Ordering::Relaxed) {
            return;
        }
        match parent.upgrade() {
            Some(parent) => report(&parent, self),
            None => self.reset(),
        }
    }

    /// Puts `child` into the backlog of `self`, or resets it if `self` does not listen any more.
    fn admit(self: &Arc<Self>, child: &Arc<Self>) {
        let mut state = self.state.lock();
        let is_listening = match state.listener() {
            Some(listener) => {
                listener.admit(child.clone());
                // Each connection notifies, not only the first.
                state.raise(Events::READABLE);
                true
            }
            None => false,
        };
        drop(state);
        if !is_listening {
            child.reset();
        }
    }

    /// Returns the options that a new connection inherits. `None`: the backlog is full.
    pub(crate) fn begin_request(&self) -> Option<Options> {
        let mut state = self.state.lock();
        if state.listener()?.is_full() {
            return None;
        }
        Some(state.options().clone())
    }

    /// Resets a connection that will never be accepted.
    pub(crate) fn reset(self: &Arc<Self>) {
        self.change(|socket| {
            if let Some(connection) = socket.connection() {
                connection.close(CloseMode::Reset, clock::now());
            }
        });
    }
}
