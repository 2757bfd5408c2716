//! Timers that send signals: setitimer(2), timer_create(2).
//!
//! Owns: when each timer expires.   Not here: arguments (syscall/setitimer, syscall/timer_create).
//! Timers of real time are deferred timers of `clock`. Timers of processor time are checked after each tick, so their
//! resolution is the tick's, as on Linux.
//! Locks: the process's timers; no signal is sent under this lock.
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

/// The ID of `ITIMER_REAL` of setitimer(2); those of timer_create(2) count from 0.
const REAL: u32 = u32::MAX;
/// `ITIMER_VIRTUAL` and `ITIMER_PROF`.
const VIRTUAL: u32 = u32::MAX - 1;
const PROFILE: u32 = u32::MAX - 2;
/// The most timers that a process may have.
const MOST: usize = 1024;

/// The time that a timer measures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Measure {
    /// `CLOCK_MONOTONIC` and the clocks that advance with it.
    Real,
    /// Processor time of the process in user mode.
    User,
    /// Processor time of the process.
    Process,
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

/// The time left on a timer, and its interval: `struct itimerspec`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Setting {
    /// Zero if the timer is disarmed.
    pub(crate) left: Duration,
    /// Zero if the timer does not repeat.
    pub(crate) interval: Duration,
}

struct PosixTimer {
    measure: Measure,
    /// Whether absolute times count from 1970, the epoch.
    is_wall: bool,
    notify: Notify,
    /// On the clock of `measure`; `None` while the timer is disarmed.
    due: Option<Duration>,
    interval: Duration,
    /// Expirations beyond the one whose signal was delivered last.
    overrun: u32,
    armed: Option<clock::timer::Timer>,
}

/// A process's timers.
pub(crate) struct Timers {
    entries: SpinLock<BTreeMap<u32, PosixTimer>>,
    /// Whether any timer measures processor time.
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
        // A timer that is due and has not fired yet is still armed.
        let least = Duration::from_nanos(1);
        let left = self.due.map_or(Duration::ZERO, |due| due.saturating_sub(now).max(least));
        Setting { left, interval: self.interval }
    }

    /// Advances to the first expiration after `now` and returns how many have passed, at least one.
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
    /// Returns the time left on an interval timer.
    pub(crate) fn interval(&self, process: &Process, which: Interval) -> Setting {
        self.get(process, which.id()).unwrap_or_default()
    }

    /// Sets an interval timer and returns what was left.
    pub(crate) fn set_interval(&self, process: &Arc<Process>, which: Interval, new: Setting) -> Setting {
        self.entries.lock().entry(which.id()).or_insert_with(|| which.entry());
        self.set(process, which.id(), new).unwrap_or_default()
    }

    /// Creates a timer: timer_create(2).
    ///
    /// # Errors
    /// Nothing was created. `EAGAIN`: the process has too many timers.
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

    /// Deletes a timer: timer_delete(2).
    ///
    /// # Errors
    /// `EINVAL`: no timer has that ID.
    pub(crate) fn delete(&self, id: u32) -> Result<(), Errno> {
        let entry = self.entries.lock().remove(&id);
        entry.map(drop).ok_or(Errno::EINVAL)
    }

    /// Returns the time left on a timer; `None` if no timer has that ID.
    pub(crate) fn get(&self, process: &Process, id: u32) -> Option<Setting> {
        let entries = self.entries.lock();
        let entry = entries.get(&id)?;
        Some(entry.setting(read(process, entry.measure)))
    }

    /// Returns the current time on a timer's clock; `None` if no timer has that ID.
    pub(crate) fn now(&self, process: &Process, id: u32) -> Option<Duration> {
        self.entries.lock().get(&id).map(|entry| read(process, entry.measure))
    }

    /// Returns whether a timer's absolute times count from the epoch; `None` if no timer has that ID.
    pub(crate) fn is_wall(&self, id: u32) -> Option<bool> {
        self.entries.lock().get(&id).map(|entry| entry.is_wall)
    }

    /// Returns a timer's overrun count: the expirations beyond the one whose signal was delivered last.
    pub(crate) fn overrun(&self, id: u32) -> Option<u32> {
        self.entries.lock().get(&id).map(|entry| entry.overrun)
    }

    /// Arms a timer to expire after `new.left` and returns what was left; `None` if no timer has that ID.
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

    /// Returns whether a tick has timers to check.
    pub(crate) fn measures_processor(&self) -> bool {
        self.measures_processor.load(Ordering::Relaxed)
    }

    /// Fires the timers of processor time that are due.
    pub(crate) fn check_processor(&self, process: &Arc<Process>) {
        // Read once for all timers: it adds up all threads.
        let used = process.usage();
        let due: alloc::vec::Vec<u32> = {
            let entries = self.entries.lock();
            let is_due = |entry: &PosixTimer| {
                let now = match entry.measure {
                    Measure::Real => return false,
                    Measure::User => used.user(),
                    Measure::Process => used.time,
                };
                entry.due.is_some_and(|due| due <= now)
            };
            entries.iter().filter(|(_, entry)| is_due(entry)).map(|(id, _)| *id).collect()
        };
        for id in due {
            self.expire(process, id, Duration::MAX);
        }
    }

    /// Fires a timer that is due at `now`.
    fn expire(&self, process: &Arc<Process>, id: u32, now: Duration) {
        let fired = {
            let mut entries = self.entries.lock();
            let Some(entry) = entries.get_mut(&id) else { return };
            let now = now.min(read(process, entry.measure));
            // The timer may have been set again or have fired since this was queued.
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

    /// Deletes the timers of timer_create(2), for execve(2). Interval timers go on.
    pub(crate) fn forget_created(&self) {
        self.entries.lock().retain(|id, _| *id >= PROFILE);
    }

    /// Deletes all timers: the process has ended.
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

/// Records the overrun count of a timer signal that was delivered.
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

/// Checks timers of processor time and `RLIMIT_CPU`. A thread calls it on its way to user mode after a tick.
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
        // From here on, SIGXCPU is sent once a second.
        process.limits.set(Resource::Cpu as usize, [used + 1, hard]);
        send::to_process(process, Info::kernel(Signal::XCPU));
    }
}

/// Returns whether [`after_tick`] has anything to do. Called in interrupt context.
pub(super) fn wants_ticks(process: &Process) -> bool {
    process.timers.measures_processor() || process.limits.soft(Resource::Cpu) != u64::MAX
}
