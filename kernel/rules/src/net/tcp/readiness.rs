//! What poll(2) says of a TCP socket.
//!
//! Source: Linux 6.1 net/ipv4/tcp.c (`tcp_poll`), include/net/sock.h (`sk_stream_min_wspace`).

use bitflags::bitflags;
use pollee::Events;

use super::TcpState;

bitflags! {
    /// What has ended.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct Shutdown: u8 {
        /// Reading: by shutdown(2), or because the peer will send no more.
        const RECEIVE = 1;
        /// Writing.
        const SEND = 2;
    }
}

/// What the answer depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReadinessInputs {
    /// The state.
    pub state: TcpState,
    /// What has ended.
    pub shutdown: Shutdown,
    /// Whether there are as many bytes as a reader wants (`SO_RCVLOWAT`).
    pub is_readable: bool,
    /// Whether there is enough room for a writer.
    pub is_writable: bool,
    /// Whether an error waits to be told.
    pub has_error: bool,
}

impl ReadinessInputs {
    /// The events.
    #[must_use]
    pub fn events(self) -> Events {
        let mut events = Events::empty();
        if self.state == TcpState::Established && self.shutdown.is_empty() && !self.has_error {
            // What the rest comes to for nearly all that are asked.
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

/// Whether a writer hears of the room: when a third of `limit` is free.
#[must_use]
pub const fn has_room(queued: usize, limit: usize) -> bool {
    queued < limit && limit - queued >= queued / 2
}
