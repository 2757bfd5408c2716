//! A socket's state behind its lock: what packets, timers and syscalls share.
//!
//! Lock: rank 3. While it is held, only locks of rank 4 are taken, and packets are only collected; they leave when
//! it is free, and so do wakes.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};

use model::abi::errno::Errno;
use model::socket::Options;
use model::tcp::connection::{End, Hardness, Outcome};
use model::tcp::packet::{Burst, Packet};
use model::tcp::port::{Owner, Sharing};
use model::tcp::segment::{Segment, Tuple};
use model::tcp::socket::Socket;
use pollee::Events;

use super::timer::{self, Armed};
use super::{demux, ports, stack};
use crate::clock;
use crate::event::class::Class;
use crate::event::{self};

/// One end of a connection, or a listener, or a socket that is neither yet.
pub(super) struct Endpoint {
    pub(super) state: event::Locked<Socket<Arc<Endpoint>>>,
    pub(super) owner: Owner,
    /// Whose backlog it is in, or was.
    parent: Option<Weak<Endpoint>>,
    /// Whether the parent has heard how the handshake ended.
    is_reported: AtomicBool,
    armed: Armed,
}

/// What a socket with these options allows others to have.
pub(super) fn sharing(options: &Options) -> Sharing {
    Sharing { address: options.reuse_address, port: options.reuse_port.then_some(0) }
}

impl Endpoint {
    pub(super) fn new(socket: Socket<Arc<Self>>, parent: Option<Weak<Self>>) -> Arc<Self> {
        Arc::new(Self {
            state: event::Locked::new(Class::Socket, socket),
            owner: ports::new_owner(),
            parent,
            is_reported: AtomicBool::new(false),
            armed: Armed::new(),
        })
    }

    pub(super) const fn armed(&self) -> &Armed {
        &self.armed
    }

    /// Changes the socket, and does what follows from that for its connection.
    pub(super) fn change<R>(self: &Arc<Self>, work: impl FnOnce(&mut Socket<Arc<Self>>) -> R) -> R {
        let mut state = self.state.lock();
        let result = work(&mut state);
        self.settle_locked(state);
        result
    }

    /// As [`change`](Self::change), for who only takes bytes out: as a rule nothing follows from that.
    #[inline]
    pub(super) fn take<R>(self: &Arc<Self>, work: impl FnOnce(&mut Socket<Arc<Self>>) -> R) -> R {
        let mut state = self.state.lock();
        let result = work(&mut state);
        if !state.is_at_rest() {
            self.settle_locked(state);
        }
        result
    }

    fn settle_locked(self: &Arc<Self>, mut state: event::Guard<'_, Socket<Arc<Self>>>) {
        let mut packets = Burst::new();
        let outcome = state.settle(clock::now(), &mut packets);
        let tuple = state.tuple();
        drop(state);
        if let Some(tuple) = tuple {
            self.follow(&tuple, outcome);
        }
        stack::send(packets);
    }

    /// Does what is due.
    pub(super) fn settle(self: &Arc<Self>) {
        self.change(|_| ());
    }

    /// Takes in a packet. Answers go to `out`.
    pub(super) fn process(self: &Arc<Self>, segment: &Segment, packet: &mut Packet, out: &mut Burst) {
        let mut state = self.state.lock();
        let Some(connection) = state.connection() else { return };
        let outcome = connection.process(segment, packet, clock::now(), out);
        if outcome.has_arrived {
            state.report(Events::READABLE);
        }
        if outcome.is_flushed {
            state.report(Events::WRITABLE);
        }
        drop(state);
        self.follow(&segment.tuple, outcome);
    }

    /// No packet gets there, for this reason.
    pub(super) fn fail(self: &Arc<Self>, tuple: &Tuple, error: Errno) {
        let mut state = self.state.lock();
        let Some(connection) = state.connection() else { return };
        let outcome = connection.fail(error);
        if outcome.is_flushed {
            state.report(Events::WRITABLE);
        }
        drop(state);
        self.follow(tuple, outcome);
    }

    /// What a change means outside of the socket. No lock is held.
    fn follow(self: &Arc<Self>, tuple: &Tuple, outcome: Outcome) {
        if outcome.is_established {
            self.report_to_parent(Self::admit);
        }
        match outcome.end {
            None => {}
            Some(End::Gone) => demux::remove(tuple, self),
            Some(End::TimeWait(rest)) => demux::retire(tuple, self, rest),
        }
        if outcome.end.is_some() {
            self.report_to_parent(|parent, child| parent.fail_request(child));
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

    /// Puts `child` into the backlog of `self`, which may have stopped listening.
    fn admit(self: &Arc<Self>, child: &Arc<Self>) {
        let mut state = self.state.lock();
        let is_listening = match state.listener() {
            Some(listener) => {
                listener.withdraw(child.owner.0);
                listener.admit(child.clone());
                // Who waits for connections hears of each.
                state.report(Events::READABLE);
                true
            }
            None => false,
        };
        drop(state);
        if !is_listening {
            child.reset();
        }
    }

    /// The options that a connection inherits. `None`: the backlog is full.
    pub(super) fn begin_request(&self) -> Option<Options> {
        let mut state = self.state.lock();
        if state.listener()?.is_full() {
            return None;
        }
        Some(state.options().clone())
    }

    /// Keeps `child` until its handshake is complete, and gives the one that has to give way for it.
    pub(super) fn keep_request(&self, child: &Arc<Self>) -> Option<Arc<Self>> {
        self.state.lock().listener()?.request(child.owner.0, child.clone())
    }

    /// Forgets the handshake of `child`.
    pub(super) fn fail_request(&self, child: &Arc<Self>) {
        let mut state = self.state.lock();
        // Dropped when the lock is free.
        let _child = state.listener().and_then(|listener| listener.withdraw(child.owner.0));
        drop(state);
    }

    /// Ends a handshake without a word, unless it is complete: there are too many, or it was no good.
    pub(super) fn give_way(self: &Arc<Self>) {
        if self.is_reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let tuple = self.state.read().tuple();
        if let Some(tuple) = tuple {
            demux::remove(&tuple, self);
        }
    }

    /// Ends a connection that nobody will accept.
    pub(super) fn reset(self: &Arc<Self>) {
        self.change(|socket| {
            if let Some(connection) = socket.connection() {
                connection.close(Hardness::Reset, clock::now());
            }
        });
    }
}
