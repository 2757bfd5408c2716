//! Timers that send signals: setitimer(2), timer_create(2).
//!
//! Owns: when each is due.   Not here: arguments (syscall/setitimer, syscall/timer_create).
//! Timers of real time are deferred timers of `clock`; those of processor time are looked at after each tick, so their
//! resolution is the tick's, as on Linux.
//! Locks: a process's timers, under which no signal is sent.
//! Source: setitimer(2), timer_create(2), timer_getoverrun(2); Linux 6.1 kernel/time/{itimer,posix-timers}.c.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;

use super::limits::Resource;
use super::process::Process;
use super::signal::pending::Info;
use super::signal::send;
use super::thread::Thread;
use crate::machine::clock;
use crate::machine::clock::deferred::{self, Work};
use rules::abi::signal::Signal;

/// The number of the timer that setitimer(2) calls `ITIMER_REAL`; those of timer_create(2) count from 0.
const REAL: u32 = u32::MAX;
/// `ITIMER_VIRTUAL` and `ITIMER_PROF`.
const VIRTUAL: u32 = u32::MAX - 1;
const PROFILE: u32 = u32::MAX - 2;
/// Timers that a process may have.
const MOST: usize = 1024;

/// What a timer's time is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Measure {
    /// `CLOCK_MONOTONIC` and all that advance with it.
    Real,
    /// Processor time of the process in user mode.
    User,
    /// Processor time of the process.
    Process,
}

/// What happens when the time has come.
#[derive(Clone, Debug)]
pub(crate) enum Notify {
    /// Nothing: the program asks.
    Nobody,
    /// The process gets a signal.
    Process(Signal, u64),
    /// One thread does.
    Thread(Weak<Thread>, Signal, u64),
}

/// What is left of a timer, and how often it repeats: `struct itimerspec`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Setting {
    /// Zero: it is not set.
    pub(crate) left: Duration,
    /// Zero: it does not repeat.
    pub(crate) interval: Duration,
}

struct PosixTimer {
    measure: Measure,
    /// Whether absolute times count from 1970.
    is_wall: bool,
    notify: Notify,
    /// In terms of `measure`; `None` while it is not set.
    due: Option<Duration>,
    interval: Duration,
    /// How often it fired beyond the signal that was delivered last.
    overrun: u32,
    armed: Option<clock::timer::Timer>,
}

/// A process's timers.
pub(crate) struct Timers {
    entries: SpinLock<BTreeMap<u32, PosixTimer>>,
    /// Whether any measures processor time.
    measures_processor: AtomicBool,
}

struct Alarm {
    process: Weak<Process>,
    id: u32,
}

impl Work for Alarm {
    fn run(&self) {
        if let Some(process) = self.process.upgrade() {
            process.timers.expire(&process, self.id, clock::now());
        }
    }
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
    fn id(self) -> u32 {
        match self {
            Self::Real => REAL,
            Self::User => VIRTUAL,
            Self::Process => PROFILE,
        }
    }

    fn entry(self) -> PosixTimer {
        let (measure, signal) = match self {
            Self::Real => (Measure::Real, Signal::ALRM),
            Self::User => (Measure::User, Signal::VTALRM),
            Self::Process => (Measure::Process, Signal::PROF),
        };
        PosixTimer::new(measure, Notify::Process(signal, 0))
    }
}

impl PosixTimer {
    fn new(measure: Measure, notify: Notify) -> Self {
        Self { measure, is_wall: false, notify, due: None, interval: Duration::ZERO, overrun: 0, armed: None }
    }

    fn setting(&self, now: Duration) -> Setting {
        // Due and not yet fired is still set.
        let least = Duration::from_nanos(1);
        let left = self.due.map_or(Duration::ZERO, |due| due.saturating_sub(now).max(least));
        Setting { left, interval: self.interval }
    }

    /// Moves on to the next time after `now`; returns how often it was due, at least once.
    fn advance(&mut self, due: Duration, now: Duration) -> u32 {
        if self.interval.is_zero() {
            self.due = None;
            return 1;
        }
        let missed = now.saturating_sub(due).as_nanos() / self.interval.as_nanos();
        let missed = u32::try_from(missed).unwrap_or(u32::MAX - 1);
        self.due = Some(due.saturating_add(self.interval.saturating_mul(missed + 1)));
        missed + 1
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self { entries: SpinLock::new(BTreeMap::new()), measures_processor: AtomicBool::new(false) }
    }
}

impl Timers {
    /// What is left of an interval timer.
    pub(crate) fn interval(&self, process: &Process, which: Interval) -> Setting {
        self.get(process, which.id()).unwrap_or_default()
    }

    /// Sets an interval timer; returns what was left.
    pub(crate) fn set_interval(&self, process: &Arc<Process>, which: Interval, new: Setting) -> Setting {
        self.entries.lock().entry(which.id()).or_insert_with(|| which.entry());
        self.set(process, which.id(), new).unwrap_or_default()
    }

    /// Makes a timer: timer_create(2).
    ///
    /// # Errors
    /// `EAGAIN`: there are too many.
    pub(crate) fn create(
        &self,
        measure: Measure,
        is_wall: bool,
        notify: impl FnOnce(u32) -> Notify,
    ) -> Result<u32, Errno> {
        let mut entries = self.entries.lock();
        if entries.len() >= MOST {
            return Err(Errno::EAGAIN);
        }
        let id = (0..).find(|id| !entries.contains_key(id)).ok_or(Errno::EAGAIN)?;
        entries.insert(id, PosixTimer { is_wall, ..PosixTimer::new(measure, notify(id)) });
        Ok(id)
    }

    /// Removes a timer: timer_delete(2).
    ///
    /// # Errors
    /// `EINVAL`: there is none with that number.
    pub(crate) fn delete(&self, id: u32) -> Result<(), Errno> {
        let entry = self.entries.lock().remove(&id);
        entry.map(drop).ok_or(Errno::EINVAL)
    }

    /// What is left of a timer; `None` if there is none with that number.
    pub(crate) fn get(&self, process: &Process, id: u32) -> Option<Setting> {
        let entries = self.entries.lock();
        let entry = entries.get(&id)?;
        Some(entry.setting(read(process, entry.measure)))
    }

    /// The time that a timer goes by; `None` if there is none with that number.
    pub(crate) fn now(&self, process: &Process, id: u32) -> Option<Duration> {
        self.entries.lock().get(&id).map(|entry| read(process, entry.measure))
    }

    /// Whether absolute times of a timer count from 1970; `None` if there is none with that number.
    pub(crate) fn is_wall(&self, id: u32) -> Option<bool> {
        self.entries.lock().get(&id).map(|entry| entry.is_wall)
    }

    /// How often a timer fired beyond the signal that was delivered last.
    pub(crate) fn overrun(&self, id: u32) -> Option<u32> {
        self.entries.lock().get(&id).map(|entry| entry.overrun)
    }

    /// Sets a timer to fire in `new.left`; returns what was left, or `None` if there is none with that number.
    pub(crate) fn set(&self, process: &Arc<Process>, id: u32, new: Setting) -> Option<Setting> {
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(&id)?;
        let now = read(process, entry.measure);
        let old = entry.setting(now);
        entry.due = (!new.left.is_zero()).then(|| now.saturating_add(new.left));
        entry.interval = new.interval;
        entry.arm(process, id);
        let measures = entries.values().any(|entry| entry.measure != Measure::Real && entry.due.is_some());
        self.measures_processor.store(measures, Ordering::Relaxed);
        Some(old)
    }

    /// Whether a tick has anything to look at.
    pub(crate) fn measures_processor(&self) -> bool {
        self.measures_processor.load(Ordering::Relaxed)
    }

    /// Fires what processor time has made due.
    pub(crate) fn check_processor(&self, process: &Arc<Process>) {
        let due: alloc::vec::Vec<u32> = {
            let entries = self.entries.lock();
            let is_due = |entry: &PosixTimer| {
                entry.measure != Measure::Real
                    && entry.due.is_some_and(|due| due <= read(process, entry.measure))
            };
            entries.iter().filter(|(_, entry)| is_due(entry)).map(|(id, _)| *id).collect()
        };
        for id in due {
            self.expire(process, id, Duration::MAX);
        }
    }

    /// Fires a timer if it is due; `now` bounds what time it may be.
    fn expire(&self, process: &Arc<Process>, id: u32, now: Duration) {
        let fired = {
            let mut entries = self.entries.lock();
            let Some(entry) = entries.get_mut(&id) else { return };
            let now = now.min(read(process, entry.measure));
            // It may have been set anew, or fired already, since this was queued.
            let Some(due) = entry.due.filter(|due| *due <= now) else { return };
            let times = entry.advance(due, now);
            entry.arm(process, id);
            (entry.notify.clone(), times - 1)
        };
        let info = |signal, value| match id {
            REAL | VIRTUAL | PROFILE => Info::kernel(signal),
            _ => Info::timer(signal, id, fired.1, value),
        };
        match &fired.0 {
            Notify::Nobody => {}
            Notify::Process(signal, value) => send::to_process(process, info(*signal, *value)),
            Notify::Thread(thread, signal, value) => {
                if let Some(thread) = thread.upgrade() {
                    send::to_thread(&thread, info(*signal, *value));
                }
            }
        }
    }

    /// Forgets all that were made with timer_create(2): execve(2). The interval timers go on.
    pub(crate) fn forget_created(&self) {
        self.entries.lock().retain(|id, _| *id >= PROFILE);
    }

    /// Forgets all: the process has ended.
    pub(crate) fn clear(&self) {
        let _gone = core::mem::take(&mut *self.entries.lock());
    }
}

impl PosixTimer {
    fn arm(&mut self, process: &Arc<Process>, id: u32) {
        self.armed = match (self.measure, self.due) {
            (Measure::Real, Some(due)) => {
                Some(deferred::arm(due, Arc::new(Alarm { process: Arc::downgrade(process), id })))
            }
            _ => None,
        };
    }
}

/// Notes how many expirations a signal that was delivered stood for.
pub(crate) fn note_delivered(process: &Process, id: u32, overrun: u32) {
    if let Some(entry) = process.timers.entries.lock().get_mut(&id) {
        entry.overrun = overrun;
    }
}

fn read(process: &Process, measure: Measure) -> Duration {
    match measure {
        Measure::Real => clock::now(),
        Measure::User => process.usage().user(),
        Measure::Process => process.usage().time,
    }
}

/// Called by a thread on its way to user mode after a tick: timers of processor time, and `RLIMIT_CPU`.
pub(crate) fn after_tick(process: &Arc<Process>) {
    if process.timers.measures_processor() {
        process.timers.check_processor(process);
    }
    let [soft, hard] = process.limits.get(Resource::Cpu as usize).unwrap_or([u64::MAX; 2]);
    if soft == u64::MAX && hard == u64::MAX {
        return;
    }
    let used = process.usage().time.as_secs();
    if used >= hard {
        send::to_process(process, Info::kernel(Signal::KILL));
    } else if used >= soft {
        // Once a second from here on.
        process.limits.set(Resource::Cpu as usize, [used + 1, hard]);
        send::to_process(process, Info::kernel(Signal::XCPU));
    }
}

/// Whether [`after_tick`] has anything to do. In interrupt context.
pub(super) fn wants_ticks(process: &Process) -> bool {
    process.timers.measures_processor() || process.limits.soft(Resource::Cpu) != u64::MAX
}
