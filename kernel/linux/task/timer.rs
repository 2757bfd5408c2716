//! Timers that send signals: setitimer(2), timer_create(2).
//!
//! Owns: when each timer expires.   Not here: arguments (syscall/setitimer, syscall/timer_create).
//! Timers of real time are deferred timers of `clock`. Timers of processor time are checked after each tick, so their
//! resolution is the tick's, as on Linux. The rule of expirations and overruns is `rules::linux::timer`.
//! Locks: the process's timers; no signal is sent under this lock.
//! Source: setitimer(2), timer_create(2), timer_getoverrun(2); Linux 6.1 kernel/time/{itimer,posix-timers}.c.

mod entry;

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::linux::timer::Schedule;
pub(crate) use rules::linux::timer::Setting;

pub(crate) use self::entry::{Interval, Measure, Notify};
use self::entry::{PROFILE, PosixTimer, REAL, VIRTUAL};
use super::limits::Resource;
use super::process::Process;
use super::signal::pending::{Info, TimerMark};
use super::signal::send;
use crate::machine::clock::deferred::Work;
use rules::abi::signal::Signal;

/// The most timers that a process may have.
const MOST: usize = 1024;
/// How long a timer rests at least after nobody wanted its signal: Linux's jiffy.
const REST: Duration = Duration::from_millis(4);

/// A process's timers.
pub(crate) struct Timers {
    entries: SpinLock<BTreeMap<u32, PosixTimer>>,
    /// Whether any timer measures processor time.
    measures_processor: AtomicBool,
    last_serial: AtomicU32,
}

struct Alarm {
    process: Weak<Process>,
    id: u32,
}

impl Work for Alarm {
    fn run(&self) {
        if let Some(process) = self.process.upgrade() {
            process.timers.expire(&process, self.id);
        }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            entries: SpinLock::new(BTreeMap::new()),
            measures_processor: AtomicBool::new(false),
            last_serial: AtomicU32::new(0),
        }
    }
}

impl Timers {
    /// Returns the time left on an interval timer.
    pub(crate) fn interval(&self, which: Interval) -> Setting {
        self.get(which.id()).unwrap_or_default()
    }

    /// Sets an interval timer and returns what was left.
    pub(crate) fn set_interval(&self, process: &Arc<Process>, which: Interval, new: Setting) -> Setting {
        self.entries.lock().entry(which.id()).or_insert_with(|| which.entry(process));
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
        let serial = self.last_serial.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        entries.insert(id, PosixTimer::new(measure, is_wall, notify(id), serial));
        Ok(id)
    }

    /// Deletes a timer: timer_delete(2). Its pending signal stays.
    ///
    /// # Errors
    /// `EINVAL`: no timer has that ID.
    pub(crate) fn delete(&self, id: u32) -> Result<(), Errno> {
        let entry = self.entries.lock().remove(&id);
        entry.map(drop).ok_or(Errno::EINVAL)
    }

    /// Returns the time left on a timer; `None` if no timer has that ID.
    pub(crate) fn get(&self, id: u32) -> Option<Setting> {
        self.entries.lock().get(&id).map(|entry| entry.left(id))
    }

    /// Returns the current time on a timer's clock; `None` if no timer has that ID.
    pub(crate) fn now(&self, id: u32) -> Option<Duration> {
        self.entries.lock().get(&id).map(|entry| entry.measure.read(None))
    }

    /// Returns whether a timer's absolute times count from the epoch; `None` if no timer has that ID.
    pub(crate) fn is_wall(&self, id: u32) -> Option<bool> {
        self.entries.lock().get(&id).map(|entry| entry.is_wall)
    }

    /// Returns a timer's overrun count: the expirations beyond the first that the signal taken last stood for.
    pub(crate) fn overrun(&self, id: u32) -> Option<u32> {
        self.entries.lock().get(&id).map(|entry| entry.schedule.overrun())
    }

    /// Arms a timer to expire after `new.left` and returns what was left; `None` if no timer has that ID.
    pub(crate) fn set(&self, process: &Arc<Process>, id: u32, new: Setting) -> Option<Setting> {
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(&id)?;
        let old = entry.left(id);
        entry.schedule.set(entry.measure.read(None), new);
        entry.arm(process, id);
        let measured = match &entry.measure {
            Measure::Processor(clock) if entry.waits_for_tick() => clock.process(),
            _ => None,
        };
        self.note_measures(&entries);
        drop(entries);
        if let Some(other) = measured.filter(|other| !Arc::ptr_eq(other, process)) {
            // Without memory for it, the timer is checked after the ticks of its owner alone.
            let _ = other.time_watchers.add_timers(process);
        }
        Some(old)
    }

    fn note_measures(&self, entries: &BTreeMap<u32, PosixTimer>) {
        let measures = entries.values().any(PosixTimer::waits_for_tick);
        self.measures_processor.store(measures, Ordering::Relaxed);
    }

    /// Returns whether a tick has timers to check.
    fn measures_processor(&self) -> bool {
        self.measures_processor.load(Ordering::Relaxed)
    }

    /// Fires the timers of processor time that are due.
    pub(crate) fn check_processor(&self, process: &Arc<Process>) {
        // Read once for all timers: it adds up all threads.
        let usage = process.usage();
        let mut from = 0;
        loop {
            let due = {
                let entries = self.entries.lock();
                let is_due = |entry: &PosixTimer| {
                    let now = || entry.measure.read(Some((process, usage)));
                    entry.waits_for_tick() && entry.schedule.deadline().is_some_and(|due| due <= now())
                };
                entries.range(from..).find(|(_, entry)| is_due(entry)).map(|(id, _)| *id)
            };
            let Some(id) = due else { return };
            self.expire(process, id);
            let Some(next) = id.checked_add(1) else { return };
            from = next;
        }
    }

    /// Fires a timer if it is due.
    fn expire(&self, process: &Arc<Process>, id: u32) {
        let (notify, mark) = {
            let mut entries = self.entries.lock();
            let Some(entry) = entries.get_mut(&id) else { return };
            // The timer may have been set again or have fired since this was queued.
            if !entry.schedule.expire(entry.measure.read(None)) {
                return;
            }
            entry.arm(process, id);
            let fired = (entry.notify.clone(), entry.mark(id));
            self.note_measures(&entries);
            fired
        };
        let info = |signal, value| match id {
            REAL | VIRTUAL | PROFILE => Info::kernel(signal),
            _ => Info::timer(signal, mark, value),
        };
        let is_kept = match &notify {
            Notify::Nobody => false,
            Notify::Process(signal, value) => send::to_process(process, info(*signal, *value)),
            Notify::Thread(thread, signal, value) => {
                thread.upgrade().is_some_and(|thread| send::to_thread(&thread, info(*signal, *value)))
            }
        };
        // On Linux, ITIMER_REAL stands still until its signal is taken even if that is ignored, and those of processor
        // time never do.
        if !is_kept && id != REAL || matches!(id, VIRTUAL | PROFILE) {
            self.go_on(process, mark, |schedule, now| schedule.ignored(now, REST));
        }
    }

    /// Lets a timer that stands still go on as `change` says, unless it was set since then.
    fn go_on<R>(
        &self,
        process: &Arc<Process>,
        mark: TimerMark,
        change: impl FnOnce(&mut Schedule, Duration) -> R,
    ) -> Option<R> {
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(&mark.id).filter(|entry| entry.mark(mark.id) == mark)?;
        let now = entry.measure.read(None);
        let result = change(&mut entry.schedule, now);
        if entry.armed.is_none() {
            entry.arm(process, mark.id);
        }
        self.note_measures(&entries);
        Some(result)
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

/// Returns how many expirations beyond the first the signal stands for, if a timer sent it and it is taken now.
pub(super) fn overrun_if_taken(process: &Process, info: &Info) -> u32 {
    let entries = process.timers.entries.lock();
    let entry = info.timer.and_then(|mark| entries.get(&mark.id).filter(|entry| entry.mark(mark.id) == mark));
    let overrun = entry.and_then(|entry| entry.schedule.overrun_if_taken(entry.measure.read(None)));
    overrun.unwrap_or(0)
}

/// Lets the timer that sent `info` go on: the signal was taken.
pub(super) fn taken(process: &Arc<Process>, info: &Info) {
    if let Some(mark) = info.timer {
        process.timers.go_on(process, mark, Schedule::taken);
    }
}

/// Lets `ITIMER_REAL` go on: a `SIGALRM` of the process was taken, whoever sent it (`dequeue_signal`).
pub(super) fn alarm_taken(process: &Arc<Process>) {
    let mark = process.timers.entries.lock().get(&REAL).map(|entry| entry.mark(REAL));
    if let Some(mark) = mark {
        process.timers.go_on(process, mark, Schedule::taken);
    }
}

/// Checks timers of processor time and `RLIMIT_CPU`. A thread calls it on its way to user mode after a tick.
pub(crate) fn after_tick(process: &Arc<Process>) {
    if process.timers.measures_processor() {
        process.timers.check_processor(process);
    }
    if process.time_watchers.is_watched() {
        process.time_watchers.notify(|owner| {
            owner.timers.check_processor(owner);
            owner.timers.measures_processor()
        });
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
    process.timers.measures_processor()
        || process.time_watchers.is_watched()
        || process.limits.soft(Resource::Cpu) != u64::MAX
}
