//! The backlog of a listening socket.
//!
//! Owns: the connections that wait for accept(2), in order of arrival, and the count of open handshakes.
//! Why: decision 0073.
//! Source: listen(2); Linux 6.1 include/net/sock.h (`sk_acceptq_is_full`: one more than was asked for).

use crate::machine::fallible;
use alloc::collections::VecDeque;

use super::requests::ConnectionRequests;

/// `net.core.somaxconn`.
pub const SOMAXCONN: u32 = 4096;

/// A backlog of connections `C`.
#[derive(Debug)]
pub struct Listener<C> {
    backlog: usize,
    /// Handshakes within this machine that are not complete.
    opening: usize,
    ready: VecDeque<C>,
    /// Handshakes over a network.
    requests: ConnectionRequests,
}

impl<C> Listener<C> {
    /// Creates a backlog of the length given to listen(2); a negative number is a large one, as on Linux.
    #[must_use]
    pub fn new(backlog: i32) -> Self {
        Self {
            backlog: Self::clamp(backlog),
            opening: 0,
            ready: VecDeque::new(),
            requests: ConnectionRequests::default(),
        }
    }

    /// Changes the length.
    pub fn set_backlog(&mut self, backlog: i32) {
        self.backlog = Self::clamp(backlog);
    }

    fn clamp(backlog: i32) -> usize {
        backlog.cast_unsigned().min(SOMAXCONN) as usize
    }

    /// Reserves a place for a handshake. `false`: the backlog is full, and the SYN is dropped.
    #[must_use]
    pub fn begin(&mut self) -> bool {
        let has_room = !self.is_full() && fallible::reserve(&mut self.ready, 1).is_ok();
        self.opening += usize::from(has_room);
        has_room
    }

    /// Returns whether the backlog is full, so that a SYN is dropped.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.opening + self.ready.len() > self.backlog
    }

    /// Returns the handshakes over a network, which take no place before they are complete.
    pub const fn requests(&mut self) -> &mut ConnectionRequests {
        &mut self.requests
    }

    /// Queues a connection for accept(2).
    pub fn admit(&mut self, connection: C) {
        self.ready.push_back(connection);
    }

    /// Frees the place of a handshake that failed.
    pub fn fail(&mut self) {
        self.opening = self.opening.saturating_sub(1);
    }

    /// Queues the connection of a handshake that is complete.
    pub fn complete(&mut self, connection: C) {
        self.fail();
        self.admit(connection);
    }

    /// Takes the connection that has waited longest.
    pub fn accept(&mut self) -> Option<C> {
        self.ready.pop_front()
    }

    /// Puts a connection back in front, because its descriptor could not be delivered.
    pub fn restore(&mut self, connection: C) {
        self.ready.push_front(connection);
    }

    /// Returns whether no connection waits for accept(2).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Returns how many connections wait for accept(2).
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ready.len()
    }

    /// Returns the length given to listen(2).
    #[must_use]
    pub const fn backlog(&self) -> usize {
        self.backlog
    }

    /// Ends listening and returns the waiting connections, which the caller must reset.
    #[must_use]
    pub fn into_waiting(self) -> VecDeque<C> {
        self.ready
    }
}

#[cfg(test)]
mod tests {
    use super::Listener;

    #[test]
    fn one_more_than_the_backlog_may_wait_and_the_first_is_first() {
        let mut listener = Listener::new(1);
        assert!(listener.begin() && listener.begin());
        assert!(!listener.begin());
        listener.fail();
        assert!(listener.begin());
        listener.complete('a');
        listener.complete('b');
        assert!(!listener.begin());
        assert_eq!(listener.accept(), Some('a'));
        assert!(listener.begin());
        assert_eq!(listener.accept(), Some('b'));
        assert!(listener.is_empty());
    }

    #[test]
    fn a_negative_backlog_is_a_large_one() {
        let mut listener = Listener::<()>::new(-1);
        assert!((0..4097).all(|_| listener.begin()));
        assert!(!listener.begin());
    }
}
