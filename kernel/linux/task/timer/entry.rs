//! One timer of a process: what it measures, whom it notifies, when it expires.
//!
//! Not here: the process's timers under their lock (`timer`), the rule of expirations (`rules::linux::timer`).

use alloc::sync::{Arc, Weak};
use core::time::Duration;

use rules::linux::timer::{Lateness, Schedule, Setting};

use super::super::process::Process;
use super::super::processor_clock::{ProcessorClock, Share};
use super::super::signal::pending::TimerMark;
use super::super::thread::Thread;
use super::super::usage::Usage;
use super::Alarm;
use crate::machine::clock;
use crate::machine::clock::deferred;
use rules::abi::signal::Signal;

/// The ID of `ITIMER_REAL` of setitimer(2); those of timer_create(2) count from 0.
pub(super) const REAL: u32 = u32::MAX;
/// `ITIMER_VIRTUAL` and `ITIMER_PROF`.
pub(super) const VIRTUAL: u32 = u32::MAX - 1;
pub(super) const PROFILE: u32 = u32::MAX - 2;

/// The time that a timer measures.
#[derive(Clone, Debug)]
pub(crate) enum Measure {
    /// `CLOCK_MONOTONIC` and the clocks that advance with it.
    Real,
    /// Processor time.
    Processor(ProcessorClock),
}

/// What a timer does when it expires.
#[derive(Clone, Debug)]
pub(crate) enum Notify {
    /// Nothing; the program polls it.
    Nobody,
    /// Sends a signal to the process.
    Process(Signal, u64),
    /// Sends a signal to one thread.
    Thread(Weak<Thread>, Signal, u64),
}

pub(super) struct PosixTimer {
    pub(super) measure: Measure,
    /// Whether absolute times count from 1970, the epoch.
    pub(super) is_wall: bool,
    pub(super) notify: Notify,
    pub(super) schedule: Schedule,
    /// Tells the timer from an earlier one with its ID.
    pub(super) serial: u32,
    pub(super) armed: Option<clock::timer::Timer>,
}

/// The interval timers of setitimer(2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Interval {
    /// `ITIMER_REAL`.
    Real,
    /// `ITIMER_VIRTUAL`.
    User,
    /// `ITIMER_PROF`.
    Process,
}

impl Interval {
    pub(super) fn id(self) -> u32 {
        match self {
            Self::Real => REAL,
            Self::User => VIRTUAL,
            Self::Process => PROFILE,
        }
    }

    pub(super) fn entry(self, process: &Arc<Process>) -> PosixTimer {
        let processor = |share| Measure::Processor(ProcessorClock::of_process(process, share));
        let (measure, signal) = match self {
            Self::Real => (Measure::Real, Signal::ALRM),
            Self::User => (processor(Share::User), Signal::VTALRM),
            Self::Process => (processor(Share::All), Signal::PROF),
        };
        PosixTimer::new(measure, false, Notify::Process(signal, 0), 0)
    }
}

impl Measure {
    /// Returns the time; nothing once who is measured is gone. `known` is the usage of one process.
    pub(super) fn read(&self, known: Option<(&Arc<Process>, Usage)>) -> Duration {
        match self {
            Self::Real => clock::now(),
            Self::Processor(clock) => clock.read_knowing(known).unwrap_or_default(),
        }
    }
}

impl PosixTimer {
    pub(super) fn new(measure: Measure, is_wall: bool, notify: Notify, serial: u32) -> Self {
        Self { measure, is_wall, notify, schedule: Schedule::default(), serial, armed: None }
    }

    pub(super) const fn is_silent(&self) -> bool {
        matches!(self.notify, Notify::Nobody)
    }

    pub(super) fn mark(&self, id: u32) -> TimerMark {
        TimerMark { id, serial: self.serial, setting: self.schedule.setting() }
    }

    pub(super) fn left(&self, id: u32) -> Setting {
        let now = self.measure.read(None);
        match id {
            _ if self.is_silent() => self.schedule.left_silently(now),
            REAL => self.schedule.left(now, Lateness::Shown),
            _ => self.schedule.left(now, Lateness::Hidden),
        }
    }

    /// Returns whether a tick may find it due.
    pub(super) fn waits_for_tick(&self) -> bool {
        matches!(self.measure, Measure::Processor(_))
            && !self.is_silent()
            && self.schedule.deadline().is_some()
    }

    pub(super) fn arm(&mut self, process: &Arc<Process>, id: u32) {
        self.armed = match (&self.measure, self.schedule.deadline()) {
            (Measure::Real, Some(due)) if !self.is_silent() => {
                Some(deferred::arm(due, Arc::new(Alarm { process: Arc::downgrade(process), id })))
            }
            _ => None,
        };
    }
}
