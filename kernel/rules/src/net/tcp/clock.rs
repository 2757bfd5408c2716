//! The time, as smoltcp sees it: on a network five times as fast as it is, once a connection is open.
//!
//! smoltcp waits a second or longer before it repeats a segment, and takes no other number. Linux waits 200 ms or longer
//! (`TCP_RTO_MIN`), but a second for the first SYN, which is why only open connections are in a hurry. Round trips are
//! measured by the same clock, so that what follows from them is right.
//!
//! Why: decision 0072.

use core::time::Duration;

use smoltcp::time::Instant;

/// How much faster.
pub(super) const HASTE: u32 = 5;

/// A clock.
#[derive(Debug)]
pub(super) struct Clock {
    /// Microseconds that it showed…
    shown: u64,
    /// …then.
    since: Duration,
    haste: u32,
}

impl Clock {
    /// One that is right.
    pub(super) fn new(now: Duration) -> Self {
        Self { shown: micros(now), since: now, haste: 1 }
    }

    /// Whether it is in a hurry.
    pub(super) const fn is_fast(&self) -> bool {
        self.haste != 1
    }

    /// Is in a hurry from now on.
    pub(super) fn hurry(&mut self, now: Duration) {
        *self = Self { shown: self.micros(now), since: now, haste: HASTE };
    }

    /// What it shows.
    pub(super) fn instant(&self, now: Duration) -> Instant {
        Instant::from_micros(i64::try_from(self.micros(now)).unwrap_or(i64::MAX))
    }

    /// When it shows `instant`.
    pub(super) fn when(&self, instant: Instant) -> Duration {
        let micros = u64::try_from(instant.total_micros()).unwrap_or(0).saturating_sub(self.shown);
        self.since + Duration::from_micros(micros.div_ceil(self.haste.into()))
    }

    /// What it shows when `time` less has passed than now.
    pub(super) fn before(&self, now: Duration, time: Duration) -> Instant {
        let micros = micros(time) * u64::from(self.haste);
        Instant::from_micros(i64::try_from(self.micros(now).saturating_sub(micros)).unwrap_or(i64::MAX))
    }

    fn micros(&self, now: Duration) -> u64 {
        self.shown + micros(now.saturating_sub(self.since)) * u64::from(self.haste)
    }
}

fn micros(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000).saturating_add(time.subsec_micros().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back_and_what_it_promises_comes() {
        let mut now = Duration::from_nanos(1_234_567_890);
        let mut clock = Clock::new(now);
        assert_eq!(clock.instant(now), Instant::from_micros(1_234_567));
        now += Duration::from_nanos(700_700);
        assert_eq!(clock.instant(now), Instant::from_micros(1_235_267));
        clock.hurry(now);
        assert_eq!(clock.instant(now), Instant::from_micros(1_235_267));
        assert_eq!(clock.instant(now + Duration::from_millis(200)), Instant::from_micros(2_235_267));
        for micros in 1_235_267..1_235_300 {
            let instant = Instant::from_micros(micros);
            assert!(clock.instant(clock.when(instant)) >= instant, "{micros}");
        }
        assert_eq!(clock.when(Instant::from_micros(0)), now);
    }
}
