//! When a connection gives up on its peer, and when it probes the peer: handshake deadline, user time-out, keep-alive.
//!
//! Not here: retransmissions, which the engine repeats for ever.
//! Source: tcp(7); RFC 1122 sections 4.2.3.5 and 4.2.3.6; Linux 6.1 net/ipv4/tcp_timer.c (`tcp_keepalive_timer`,
//! `tcp_write_timeout`).

use core::time::Duration;

use crate::net::socket::Options;

/// The longest time before a retransmission: `TCP_RTO_MAX`.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Returns how long a handshake lasts whose SYN is retransmitted `repetitions` times: after a second, then each time
/// after twice as long.
pub(super) fn handshake(repetitions: u8) -> Duration {
    let pause = |count| Duration::from_secs(1 << u64::min(count, 7)).min(LONGEST_PAUSE);
    (0..=u64::from(repetitions)).map(pause).sum()
}

/// How long a handshake that the peer began may last: Linux's five retransmissions of the SYN|ACK.
pub(super) const REQUEST: Duration = Duration::from_secs(63);

/// How long a connection without a descriptor waits for the peer's FIN: `tcp_fin_timeout`.
pub(super) const ORPHAN: Duration = Duration::from_secs(60);

/// How long bytes wait for their acknowledgment (R2 of RFC 1122): Linux's fifteen retransmissions (`tcp_retries2`).
const DATA: Duration = Duration::from_secs(924);

/// The time-outs that programs set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TimeoutOptions {
    keep_alive: Option<KeepAlive>,
    user_timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct KeepAlive {
    idle: Duration,
    interval: Duration,
    count: u8,
}

impl TimeoutOptions {
    pub(super) fn new(options: &Options) -> Self {
        let keep_alive =
            KeepAlive { idle: options.keep_idle, interval: options.keep_interval, count: options.keep_count };
        Self { keep_alive: options.keep_alive.then_some(keep_alive), user_timeout: options.user_timeout }
    }
}

/// Which timer runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RunningTimer {
    /// The deadline of a handshake, or of a connection without a descriptor.
    Deadline,
    /// Bytes wait for their acknowledgment: the user time-out.
    Retransmission,
    /// No bytes are in flight: keep-alive.
    KeepAlive,
    /// None: the connection is closed.
    Off,
}

/// What an expired timer demands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TimeoutAction {
    /// Nothing.
    Nothing,
    /// Send a keep-alive probe.
    Probe,
    /// Abort the connection with `ETIMEDOUT`.
    Abort,
}

/// The timers of a connection.
#[derive(Debug)]
pub(super) struct Timeouts {
    options: TimeoutOptions,
    deadline: Option<Duration>,
    /// When the last segment of the peer arrived.
    heard: Duration,
    /// Since when bytes wait without an acknowledgment of any.
    stalled: Option<Duration>,
    /// How many probes were sent since.
    probes: u8,
}

impl Timeouts {
    pub(super) fn new(options: TimeoutOptions, now: Duration) -> Self {
        Self { options, deadline: None, heard: now, stalled: None, probes: 0 }
    }

    /// Changes the time-outs.
    pub(super) const fn set_options(&mut self, options: TimeoutOptions) {
        self.options = options;
    }

    /// Sets the deadline; `None`: there is none.
    pub(super) const fn set_deadline(&mut self, at: Option<Duration>) {
        self.deadline = at;
    }

    /// Notes that the peer has sent a segment.
    pub(super) const fn hear(&mut self, now: Duration) {
        self.heard = now;
        self.probes = 0;
    }

    /// Notes that the peer has acknowledged bytes.
    pub(super) const fn progress(&mut self) {
        self.stalled = None;
    }

    /// Returns when `running_timer` expires.
    pub(super) fn next(&mut self, running_timer: RunningTimer, now: Duration) -> Option<Duration> {
        match running_timer {
            RunningTimer::Deadline => self.deadline,
            RunningTimer::Retransmission => {
                let stalled = *self.stalled.get_or_insert(now);
                Some(match self.options.user_timeout {
                    Some(timeout) => stalled + timeout,
                    // A peer that answers is alive, even if its window stays closed.
                    None => stalled.max(self.heard) + DATA,
                })
            }
            RunningTimer::KeepAlive => {
                self.stalled = None;
                let keep_alive = self.options.keep_alive?;
                Some(self.heard + keep_alive.idle + keep_alive.interval * u32::from(self.probes))
            }
            RunningTimer::Off => None,
        }
    }

    /// Returns what is due at `now`.
    pub(super) fn due(&mut self, running_timer: RunningTimer, now: Duration) -> TimeoutAction {
        if self.next(running_timer, now).is_none_or(|at| at > now) {
            return TimeoutAction::Nothing;
        }
        if running_timer != RunningTimer::KeepAlive {
            self.deadline = None;
            return TimeoutAction::Abort;
        }
        let Some(keep_alive) = self.options.keep_alive else { return TimeoutAction::Nothing };
        let silence = now.saturating_sub(self.heard);
        let is_over = match self.options.user_timeout {
            Some(timeout) => silence >= timeout && self.probes > 0,
            None => self.probes >= keep_alive.count,
        };
        if is_over {
            return TimeoutAction::Abort;
        }
        self.probes = self.probes.saturating_add(1);
        TimeoutAction::Probe
    }
}

#[cfg(test)]
mod tests;
