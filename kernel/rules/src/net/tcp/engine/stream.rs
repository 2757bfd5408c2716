//! Bytes into and out of the engine's two buffers.

use super::Engine;
use crate::machine::transfer::{Sink, Source};

impl Engine {
    /// Copies bytes from `from` into the send buffer, as many as fit, and returns how many.
    pub(in crate::net::tcp) fn send(&mut self, from: &mut dyn Source) -> usize {
        let mut total = 0;
        // The buffer is a ring: twice at most, for the part before its end and the one after.
        for _ in 0..2 {
            if from.remaining() == 0 {
                break;
            }
            let part = self.socket_mut().send(|space| {
                let len = space.len().min(from.remaining());
                let taken = if len == 0 { 0 } else { from.take(&mut space[..len]) };
                (taken, taken)
            });
            total += part.unwrap_or(0);
        }
        if total > 0 {
            self.next = None;
            self.has_written = true;
            self.view.unacknowledged += total;
        }
        total
    }

    /// Copies received bytes to `to`, as many as it takes, and returns how many.
    pub(in crate::net::tcp) fn receive(&mut self, to: &mut dyn Sink) -> usize {
        let mut total = 0;
        for _ in 0..2 {
            if total == self.view.received || to.remaining() == 0 {
                break;
            }
            let part = self.socket_mut().recv(|bytes| {
                let len = bytes.len().min(to.remaining());
                let put = if len == 0 { 0 } else { to.put(&bytes[..len]) };
                (put, put)
            });
            total += part.unwrap_or(0);
        }
        self.untold += total;
        self.view.received -= total;
        total
    }

    /// Drops all received bytes, because the caller keeps them in their packet.
    pub(in crate::net::tcp) fn pass_over(&mut self) {
        self.untold += self.received();
        self.discard();
    }

    /// Drops all unread bytes.
    pub(in crate::net::tcp) fn discard(&mut self) {
        while self.socket_mut().recv(|bytes| (bytes.len(), bytes.len())).is_ok_and(|count| count > 0) {}
        self.look();
    }

    /// Returns whether the receive buffer is so full that the peer may have to wait.
    pub(in crate::net::tcp) const fn is_crowded(&self) -> bool {
        self.received() >= self.smoltcp.room / 4 * 3
    }
}
