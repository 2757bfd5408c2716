//! A timer to read and to wait for.
//!
//! Owns: when it expires next, and what has expired and was not read.   Not here: clocks and interrupts, which
//! call [`TimerFd::expire`] (object/timerfd).
//! Invariant: a timer that has expired is not due again until somebody reads or asks: as on Linux, an interval
//! costs nothing while nobody looks, and counts all the same.
//! All times are of one clock that only goes forward.
//! Source: timerfd_create(2); Linux 6.1 fs/timerfd.c (`timerfd_tmrproc`, `timerfd_read`, `timerfd_get_remaining`).

use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Readiness};

/// Bytes of the count that is read.
pub const VALUE_SIZE: usize = size_of::<u64>();

/// What is set, and what gettime tells: the time until the next expiration, zero for none, and between two.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Setting {
    /// Until the next expiration.
    pub left: Duration,
    /// Between two expirations; zero for a timer that expires once.
    pub interval: Duration,
}

/// The state of a timerfd.
#[derive(Debug, Default)]
pub struct TimerFd {
    /// The expiration that comes next, or the last one if `has_expired`.
    next: Option<Duration>,
    interval: Duration,
    has_expired: bool,
    count: u64,
}

impl TimerFd {
    /// Sets the timer to expire at `first`, or never, and forgets what was not read. Returns what was set before.
    pub fn set(&mut self, now: Duration, first: Option<Duration>, interval: Duration) -> Setting {
        let before = self.get(now);
        *self = Self { next: first, interval, ..Self::default() };
        before
    }

    /// What is set. An interval timer that has expired is due again from here on: see [`due`](Self::due).
    pub fn get(&mut self, now: Duration) -> Setting {
        self.go_on(now);
        let left = self.next.filter(|_| !self.has_expired);
        Setting {
            left: left.map_or(Duration::ZERO, |next| next.saturating_sub(now)),
            interval: self.interval,
        }
    }

    /// When [`expire`](Self::expire) is to be called.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.next.filter(|_| !self.has_expired)
    }

    /// Counts the expiration that is due, and says whether one was.
    pub fn expire(&mut self, now: Duration) -> bool {
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due {
            self.has_expired = true;
            self.count += 1;
        }
        is_due
    }

    /// What a read gives: how often the timer expired since the last one; nothing if it would have to wait.
    pub fn peek(&mut self, now: Duration) -> Poll<u64> {
        self.go_on(now);
        if self.count == 0 { Poll::Pending } else { Poll::Ready(self.count) }
    }

    /// Takes what [`peek`](Self::peek) showed.
    pub fn take(&mut self) {
        self.count = 0;
    }

    /// Catches up with the intervals that have passed since an interval timer expired.
    fn go_on(&mut self, now: Duration) {
        let Some(next) = self.next.filter(|_| self.has_expired && !self.interval.is_zero()) else { return };
        let passed = now.saturating_sub(next).as_nanos() / self.interval.as_nanos();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        // The expiration that was counted when it came was the first of them.
        self.count = self.count.saturating_add(passed);
        let steps = Duration::from_nanos_u128(self.interval.as_nanos() * (u128::from(passed) + 1));
        self.next = Some(next.saturating_add(steps));
        self.has_expired = false;
    }
}

impl Readiness for TimerFd {
    /// `IN` alone: timerfd_poll knows nothing of `RDNORM`.
    fn readiness(&self) -> Events {
        if self.count > 0 { Events::IN } else { Events::empty() }
    }
}

#[cfg(test)]
mod tests;
