//! How long a silent peer is waited for, and when it is asked whether it is still there.
//!
//! Not here: repetitions, which the protocol machine makes for ever. Source: tcp(7); RFC 1122 section 4.2.3.6;
//! Linux 6.1 net/ipv4/tcp_timer.c (`tcp_keepalive_timer`, `tcp_write_timeout`).

use core::time::Duration;

use crate::net::socket::Options;

/// How long it is waited at most before a segment is repeated: `TCP_RTO_MAX`.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// How long a handshake is tried whose SYN is repeated so often: after a second, and each time after twice as long.
pub(super) fn handshake(repetitions: u8) -> Duration {
    let pause = |count| Duration::from_secs(1 << u64::min(count, 7)).min(LONGEST_PAUSE);
    (0..=u64::from(repetitions)).map(pause).sum()
}

/// How long a handshake that others began is tried: Linux's five repetitions of the SYN|ACK.
pub(super) const REQUEST: Duration = Duration::from_secs(63);

/// How long a connection that nobody has open any more waits for the peer's FIN: `tcp_fin_timeout`.
pub(super) const ORPHAN: Duration = Duration::from_secs(60);

/// How long bytes wait for their acknowledgment: Linux's fifteen repetitions (`tcp_retries2`).
const DATA: Duration = Duration::from_secs(924);

/// What programs want of it.
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

/// What a connection is doing, as far as it matters here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RunningTimer {
    /// In a handshake, or nobody has it open: all has to end by the deadline.
    Deadline,
    /// Bytes wait for their acknowledgment.
    Retransmission,
    /// Nothing is on its way.
    KeepAlive,
    /// There is no peer.
    Off,
}

/// What has to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TimeoutAction {
    /// Nothing.
    Nothing,
    /// Ask the peer whether it is there.
    Probe,
    /// Give up.
    Abort,
}

/// What has been heard of a peer.
#[derive(Debug)]
pub(super) struct Timeouts {
    options: TimeoutOptions,
    deadline: Option<Duration>,
    /// When the peer was heard last.
    heard: Duration,
    /// Since when bytes wait without progress.
    stalled: Option<Duration>,
    /// How often it was asked since.
    probes: u8,
}

impl Timeouts {
    pub(super) fn new(options: TimeoutOptions, now: Duration) -> Self {
        Self { options, deadline: None, heard: now, stalled: None, probes: 0 }
    }

    /// Other rules hold from now on.
    pub(super) const fn set_options(&mut self, options: TimeoutOptions) {
        self.options = options;
    }

    /// All has to end by `at`; `None`: no more.
    pub(super) const fn set_deadline(&mut self, at: Option<Duration>) {
        self.deadline = at;
    }

    /// The peer has sent something; `has_progressed`: it has taken bytes.
    pub(super) const fn hear(&mut self, now: Duration) {
        self.heard = now;
        self.probes = 0;
    }

    /// The peer has acknowledged bytes.
    pub(super) const fn progress(&mut self) {
        self.stalled = None;
    }

    /// When something is due.
    pub(super) fn next(&mut self, running_timer: RunningTimer, now: Duration) -> Option<Duration> {
        match running_timer {
            RunningTimer::Deadline => self.deadline,
            RunningTimer::Retransmission => {
                let stalled = *self.stalled.get_or_insert(now);
                Some(match self.options.user_timeout {
                    Some(timeout) => stalled + timeout,
                    // A peer that answers is there, even if it takes nothing.
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

    /// What is due now.
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
