//! The 64-bit counter of an eventfd.
//!
//! Owns: the count.   Not here: the eight bytes in user memory (`core/object/eventfd`), sleeping (the wait loop).
//! Invariant: count < 2⁶⁴ − 1. Linux marks an overflow, which only the kernel itself could cause, by that last value.
//! Source: eventfd(2); Linux 6.1 fs/eventfd.c.

use core::task::Poll;

use pollee::{Events, Readiness};

use crate::abi::errno::Errno;

/// The size of the value that is read and written.
pub const VALUE_SIZE: usize = size_of::<u64>();

/// How much of the count a read takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventFdMode {
    /// All of it.
    Counter,
    /// One: `EFD_SEMAPHORE`.
    Semaphore,
}

/// The state of an eventfd.
#[derive(Debug)]
pub struct EventFd {
    /// What was written and not read.
    pub count: u64,
    mode: EventFdMode,
}

impl EventFd {
    /// Creates a counter that starts at `initial`.
    #[must_use]
    pub const fn new(initial: u32, mode: EventFdMode) -> Self {
        Self { count: initial as u64, mode }
    }

    /// Returns the value that a read would return; `Pending`: the count is zero. Takes nothing yet.
    pub fn peek(&self) -> Poll<u64> {
        match (self.count, self.mode) {
            (0, _) => Poll::Pending,
            (count, EventFdMode::Counter) => Poll::Ready(count),
            (_, EventFdMode::Semaphore) => Poll::Ready(1),
        }
    }

    /// Takes the value that [`peek`](Self::peek) returned, after it was copied out.
    pub fn take(&mut self) {
        match self.mode {
            EventFdMode::Counter => self.count = 0,
            EventFdMode::Semaphore => self.count = self.count.saturating_sub(1),
        }
    }

    /// Adds `value`. `Pending`: the sum would exceed 2⁶⁴ − 2.
    ///
    /// # Errors
    /// `EINVAL`: the value is 2⁶⁴ − 1, which never fits; nothing was added.
    pub fn write(&mut self, value: u64) -> Poll<Result<(), Errno>> {
        if value == u64::MAX {
            return Poll::Ready(Err(Errno::EINVAL));
        }
        match self.count.checked_add(value) {
            None | Some(u64::MAX) => Poll::Pending,
            Some(sum) => {
                self.count = sum;
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl Readiness for EventFd {
    /// Returns `IN` and `OUT` alone: Linux's `eventfd_poll` does not set `RDNORM` and `WRNORM`.
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::IN, self.count > 0);
        events.set(Events::OUT, self.count < u64::MAX - 1);
        events
    }
}

#[cfg(test)]
mod tests;
