//! What poll(2) reports for a TCP socket.
//!
//! Source: Linux 6.1 net/ipv4/tcp.c (`tcp_poll`), include/net/sock.h (`sk_stream_min_wspace`).

use bitflags::bitflags;
use pollee::Events;

use super::TcpState;

bitflags! {
    /// Which directions have ended.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct Shutdown: u8 {
        /// Reading: by shutdown(2), or by the peer's FIN.
        const RECEIVE = 1;
        /// Writing.
        const SEND = 2;
    }
}

/// What readiness depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReadinessInputs {
    /// The state.
    pub state: TcpState,
    /// Which directions have ended.
    pub shutdown: Shutdown,
    /// Whether `SO_RCVLOWAT` bytes can be read.
    pub is_readable: bool,
    /// Whether there is enough free space for a writer.
    pub is_writable: bool,
    /// Whether an error is pending.
    pub has_error: bool,
}

impl ReadinessInputs {
    /// Computes the events.
    #[must_use]
    pub fn events(self) -> Events {
        let mut events = Events::empty();
        if self.state == TcpState::Established && self.shutdown.is_empty() && !self.has_error {
            // The usual case; the code below computes the same.
            events.set(Events::READABLE, self.is_readable);
            events.set(Events::WRITABLE, self.is_writable);
            return events;
        }
        if self.shutdown.is_all() || self.state == TcpState::Closed {
            events |= Events::HUP;
        }
        if self.shutdown.contains(Shutdown::RECEIVE) {
            events |= Events::READABLE | Events::RDHUP;
        }
        if !self.state.is_opening() {
            events.set(Events::READABLE, events.contains(Events::READABLE) || self.is_readable);
            events.set(Events::WRITABLE, self.is_writable || self.shutdown.contains(Shutdown::SEND));
        }
        events.set(Events::ERR, self.has_error);
        events
    }
}

/// Returns whether a socket with `queued` bytes is writable: at least a third of `limit` is free.
#[must_use]
pub const fn has_room(queued: usize, limit: usize) -> bool {
    queued < limit && limit - queued >= queued / 2
}
