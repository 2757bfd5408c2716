//! The timer of a timerfd.
//!
//! Owns: when it expires next, and the count of expirations that were not read.   Not here: clocks and interrupts,
//! which call [`TimerFd::expire`] (`core/object/timerfd`).
//! Invariant: a timer that has expired is not due again until a call reads it or gets its setting: as on Linux, an
//! interval timer costs nothing in between, and expirations are counted all the same.
//! All times are of one monotonic clock.
//! Source: timerfd_create(2); Linux 6.1 fs/timerfd.c (`timerfd_tmrproc`, `timerfd_read`, `timerfd_get_remaining`).

use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Readiness};

/// The size of the count that is read.
pub const VALUE_SIZE: usize = size_of::<u64>();

/// The setting of a timer, as timerfd_settime(2) and timerfd_gettime(2) exchange it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Setting {
    /// The time until the next expiration; zero: the timer is disarmed.
    pub left: Duration,
    /// The time between two expirations; zero: the timer expires once.
    pub interval: Duration,
}

/// The state of a timerfd.
#[derive(Debug, Default)]
pub struct TimerFd {
    /// The next expiration, or the last one if `has_expired`.
    next: Option<Duration>,
    interval: Duration,
    has_expired: bool,
    /// How many expirations were counted and not read.
    pub count: u64,
}

impl TimerFd {
    /// Arms the timer for `first`, or disarms it, and drops unread expirations. Returns the setting before.
    pub fn set(&mut self, now: Duration, first: Option<Duration>, interval: Duration) -> Setting {
        let before = self.get(now);
        *self = Self { next: first, interval, ..Self::default() };
        before
    }

    /// Returns the setting. An interval timer that has expired becomes due again: see [`due`](Self::due).
    pub fn get(&mut self, now: Duration) -> Setting {
        self.go_on(now);
        let left = self.next.filter(|_| !self.has_expired);
        Setting {
            left: left.map_or(Duration::ZERO, |next| next.saturating_sub(now)),
            interval: self.interval,
        }
    }

    /// Returns when [`expire`](Self::expire) must be called.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.next.filter(|_| !self.has_expired)
    }

    /// Counts an expiration if one is due, and returns whether it was.
    pub fn expire(&mut self, now: Duration) -> bool {
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due {
            self.has_expired = true;
            self.count += 1;
        }
        is_due
    }

    /// Returns how often the timer expired since the last read. `Pending`: not once.
    pub fn peek(&mut self, now: Duration) -> Poll<u64> {
        self.go_on(now);
        if self.count == 0 { Poll::Pending } else { Poll::Ready(self.count) }
    }

    /// Takes the count that [`peek`](Self::peek) returned, after it was copied out.
    pub fn take(&mut self) {
        self.count = 0;
    }

    /// Counts the intervals that have passed since an interval timer expired.
    fn go_on(&mut self, now: Duration) {
        let Some(next) = self.next.filter(|_| self.has_expired && !self.interval.is_zero()) else { return };
        let passed = now.saturating_sub(next).as_nanos() / self.interval.as_nanos();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        // The first of them was counted when it came.
        self.count = self.count.saturating_add(passed);
        let steps = Duration::from_nanos_u128(self.interval.as_nanos() * (u128::from(passed) + 1));
        self.next = Some(next.saturating_add(steps));
        self.has_expired = false;
    }
}

impl Readiness for TimerFd {
    /// Returns `IN` alone: Linux's `timerfd_poll` does not set `RDNORM`.
    fn readiness(&self) -> Events {
        if self.count > 0 { Events::IN } else { Events::empty() }
    }
}

#[cfg(test)]
mod tests;
