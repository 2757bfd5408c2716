//! When a timer that sends signals expires, and how many expirations one signal stands for.
//!
//! Owns: the expirations of one timer.   Not here: clocks and signals (linux/task/timer).
//! A timer that repeats stands still while its signal is pending, and catches up when that is taken. So a timer of
//! short intervals costs nothing while its signal waits, and the signal tells how many expirations it stands for.
//! Times are on the timer's clock.
//! Source: timer_create(2), timer_getoverrun(2); Linux 6.1 kernel/time/posix-timers.c (`posixtimer_rearm`,
//! `posix_timer_fn`, `common_timer_get`).

use core::time::Duration;

/// The time left on a timer, and its interval: `struct itimerspec`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Setting {
    /// Zero if the timer is disarmed.
    pub left: Duration,
    /// Zero if the timer does not repeat.
    pub interval: Duration,
}

/// What the time left is while a timer stands still.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lateness {
    /// As if it went on: timer_gettime(2).
    Hidden,
    /// Nothing: getitimer(2).
    Shown,
}

/// The expirations of one timer.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// The next expiration, or the one whose signal is pending; `None` while the timer is disarmed.
    due: Option<Duration>,
    interval: Duration,
    /// Whether the signal of the expiration at `due` is pending.
    is_waiting: bool,
    /// Expirations that no signal has told of.
    missed: u32,
    /// The expirations beyond the first that the last signal stood for.
    overrun: u32,
    /// Counts the settings, so that the signal of an earlier one does not restart the timer.
    setting: u32,
}

impl Schedule {
    /// Arms the timer at `now`, or disarms it if nothing is `left`.
    pub fn set(&mut self, now: Duration, new: Setting) {
        *self = Self {
            due: (!new.left.is_zero()).then(|| now.saturating_add(new.left)),
            interval: new.interval,
            setting: self.setting.wrapping_add(1),
            ..Self::default()
        };
    }

    /// Returns when it has to be woken; `None` while it is disarmed or stands still.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.due.filter(|_| !self.is_waiting)
    }

    /// Returns the number of the present setting.
    #[must_use]
    pub const fn setting(&self) -> u32 {
        self.setting
    }

    /// Returns the expirations beyond the first that the signal taken last stood for.
    #[must_use]
    pub const fn overrun(&self) -> u32 {
        self.overrun
    }

    /// Returns the time left at `now`.
    #[must_use]
    pub fn left(&self, now: Duration, lateness: Lateness) -> Setting {
        let left = match self.due {
            None => Duration::ZERO,
            Some(due) if due > now => due - now,
            Some(_) if self.is_waiting && lateness == Lateness::Shown => Duration::ZERO,
            Some(due) if self.is_waiting => self.after(due, now).0 - now,
            // It is due and has not expired yet, so it is still armed.
            Some(_) => Duration::from_nanos(1),
        };
        Setting { left, interval: self.interval }
    }

    /// Returns the time left at `now` on a timer that expires silently, and so is never woken.
    #[must_use]
    pub fn left_silently(&self, now: Duration) -> Setting {
        let left = match self.due {
            Some(due) if due > now => due - now,
            Some(due) if !self.interval.is_zero() => self.after(due, now).0 - now,
            _ => Duration::ZERO,
        };
        Setting { left, interval: self.interval }
    }

    /// Returns whether it expires at `now`; then its signal is to be sent, and a timer that repeats stands still.
    #[must_use]
    pub fn expire(&mut self, now: Duration) -> bool {
        if self.deadline().is_none_or(|due| due > now) {
            return false;
        }
        self.is_waiting = !self.interval.is_zero();
        if !self.is_waiting {
            self.due = None;
        }
        true
    }

    /// Goes on at `now` after its signal was taken. Returns the overruns that the signal tells.
    pub fn taken(&mut self, now: Duration) -> Option<u32> {
        let due = self.due.filter(|_| self.is_waiting)?;
        let (next, count) = self.after(due, now);
        self.resume(next);
        self.overrun = core::mem::take(&mut self.missed).saturating_add(count - 1);
        Some(self.overrun)
    }

    /// Returns what [`taken`](Self::taken) would.
    #[must_use]
    pub fn overrun_if_taken(&self, now: Duration) -> Option<u32> {
        self.clone().taken(now)
    }

    /// Goes on at `now` after nobody wanted its signal, and does not expire again within `pause`.
    pub fn ignored(&mut self, now: Duration, pause: Duration) {
        if let Some(due) = self.due.filter(|_| self.is_waiting) {
            let now = if self.interval < pause { now.saturating_add(pause) } else { now };
            let (next, count) = self.after(due, now);
            self.resume(next);
            self.missed = self.missed.saturating_add(count);
        }
    }

    fn resume(&mut self, next: Duration) {
        self.due = Some(next);
        self.is_waiting = false;
    }

    /// Returns the first expiration after `now`, and how many there were from `due` to `now`, at least one.
    fn after(&self, due: Duration, now: Duration) -> (Duration, u32) {
        let missed = now.saturating_sub(due).as_nanos() / self.interval.as_nanos().max(1);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX - 1);
        (due.saturating_add(self.interval.saturating_mul(missed + 1)).max(now), missed + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn armed(left: u64, interval: u64) -> Schedule {
        let mut schedule = Schedule::default();
        schedule.set(ms(100), Setting { left: ms(left), interval: ms(interval) });
        schedule
    }

    #[test]
    fn a_timer_that_does_not_repeat_is_disarmed_by_its_expiration() {
        let mut schedule = armed(10, 0);
        assert!(!schedule.expire(ms(109)));
        assert!(schedule.expire(ms(110)));
        assert_eq!((schedule.deadline(), schedule.taken(ms(500))), (None, None));
        assert_eq!(schedule.left(ms(120), Lateness::Hidden), Setting::default());
    }

    #[test]
    fn a_timer_stands_still_until_its_signal_is_taken() {
        let mut schedule = armed(10, 10);
        assert!(schedule.expire(ms(111)));
        assert_eq!(schedule.deadline(), None);
        assert!(!schedule.expire(ms(300)));
        assert_eq!(schedule.left(ms(134), Lateness::Hidden).left, ms(6));
        assert_eq!(schedule.left(ms(134), Lateness::Shown).left, ms(0));
        assert_eq!(schedule.overrun_if_taken(ms(135)), Some(2));
        assert_eq!(schedule.taken(ms(135)), Some(2));
        assert_eq!((schedule.overrun(), schedule.deadline()), (2, Some(ms(140))));
        assert!(schedule.expire(ms(140)));
        assert_eq!(schedule.taken(ms(141)), Some(0));
    }

    #[test]
    fn ignored_expirations_count_for_the_next_signal() {
        let mut schedule = armed(10, 10);
        assert!(schedule.expire(ms(110)));
        schedule.ignored(ms(110), ms(4));
        assert_eq!(schedule.deadline(), Some(ms(120)));
        assert!(schedule.expire(ms(120)));
        assert_eq!(schedule.taken(ms(120)), Some(1));
    }

    #[test]
    fn an_ignored_timer_of_short_intervals_pauses() {
        let mut schedule = Schedule::default();
        schedule.set(ms(0), Setting { left: ms(1), interval: Duration::from_nanos(1) });
        assert!(schedule.expire(ms(1)));
        schedule.ignored(ms(1), ms(4));
        assert!(schedule.deadline().is_some_and(|due| due >= ms(5)));
    }

    #[test]
    fn a_silent_timer_is_computed() {
        let schedule = armed(10, 20);
        assert_eq!(schedule.left_silently(ms(105)).left, ms(5));
        assert_eq!(schedule.left_silently(ms(115)).left, ms(15));
        assert_eq!(armed(10, 0).left_silently(ms(115)).left, ms(0));
    }

    #[test]
    fn a_setting_forgets_what_was_missed() {
        let mut schedule = armed(10, 10);
        let before = schedule.setting();
        assert!(schedule.expire(ms(110)));
        schedule.set(ms(200), Setting { left: ms(50), interval: ms(10) });
        assert_ne!(schedule.setting(), before);
        assert_eq!((schedule.taken(ms(210)), schedule.overrun()), (None, 0));
        assert_eq!(schedule.deadline(), Some(ms(250)));
    }
}
