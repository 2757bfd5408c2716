//! The backlog of a listening socket.
//!
//! Owns: who waits to be accepted, in order of arrival, and who is on the way.
//! Why: decision 0073.
//! Source: listen(2); Linux 6.1 include/net/sock.h (`sk_acceptq_is_full`: one more than was asked for).

use alloc::collections::VecDeque;

use super::requests::Requests;

/// `net.core.somaxconn`.
pub const SOMAXCONN: u32 = 4096;

/// A backlog of connections `C`.
#[derive(Debug)]
pub struct Listener<C> {
    backlog: usize,
    /// Handshakes going on.
    opening: usize,
    ready: VecDeque<C>,
    /// Over a network.
    requests: Requests,
}

impl<C> Listener<C> {
    /// A backlog of what listen(2) was told; a negative number is a large one, as on Linux.
    #[must_use]
    pub fn new(backlog: i32) -> Self {
        Self {
            backlog: Self::clamp(backlog),
            opening: 0,
            ready: VecDeque::new(),
            requests: Requests::default(),
        }
    }

    /// Takes another number.
    pub fn set_backlog(&mut self, backlog: i32) {
        self.backlog = Self::clamp(backlog);
    }

    fn clamp(backlog: i32) -> usize {
        backlog.cast_unsigned().min(SOMAXCONN) as usize
    }

    /// Keeps a place for a handshake. `false`: the backlog is full, and the SYN is as good as lost.
    #[must_use]
    pub fn begin(&mut self) -> bool {
        let has_room = !self.is_full() && self.ready.try_reserve(1).is_ok();
        self.opening += usize::from(has_room);
        has_room
    }

    /// Whether nobody else may come: a SYN is as good as lost.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.opening + self.ready.len() > self.backlog
    }

    /// Handshakes over a network, which take no place before they are complete.
    pub const fn requests(&mut self) -> &mut Requests {
        &mut self.requests
    }

    /// Lets a connection wait to be accepted.
    pub fn admit(&mut self, connection: C) {
        self.ready.push_back(connection);
    }

    /// A handshake has failed.
    pub fn fail(&mut self) {
        self.opening = self.opening.saturating_sub(1);
    }

    /// A handshake is complete.
    pub fn complete(&mut self, connection: C) {
        self.fail();
        self.admit(connection);
    }

    /// Takes the connection that has waited longest.
    pub fn accept(&mut self) -> Option<C> {
        self.ready.pop_front()
    }

    /// Gives it back, because its number could not be told.
    pub fn restore(&mut self, connection: C) {
        self.ready.push_front(connection);
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// How many wait to be accepted.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ready.len()
    }

    /// The number that listen(2) was told.
    #[must_use]
    pub const fn backlog(&self) -> usize {
        self.backlog
    }

    /// Ends listening; those who wait are the caller's to refuse.
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
