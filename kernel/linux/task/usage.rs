//! Resource usage of threads: processor time, page faults, context switches.
//!
//! Processor time is exact: it is taken at each switch. Its share of user mode is sampled by the tick, as on Linux
//! without `CONFIG_VIRT_CPU_ACCOUNTING_GEN`: reading the clock twice per system call would cost more than many system
//! calls do.
//! Source: getrusage(2), times(2); Linux 6.1 kernel/sched/cputime.c (`cputime_adjust`).

use core::ops::AddAssign;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;

use crate::machine::clock;

/// The usage of a thread, of a process, or of its reaped children.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time, in user mode and in the kernel.
    pub(crate) time: Duration,
    user_ticks: u64,
    system_ticks: u64,
    /// Page faults without I/O; there are no others.
    pub(crate) faults: u64,
    /// Switches because the thread slept.
    pub(crate) voluntary_switches: u64,
    /// The largest resident set, in bytes, of address spaces that are gone.
    pub(crate) peak: usize,
}

impl Usage {
    /// Returns the share of the time that was spent in user mode.
    pub(crate) fn user(&self) -> Duration {
        let ticks = self.user_ticks + self.system_ticks;
        if self.system_ticks == 0 {
            return self.time;
        }
        let nanos = self.time.as_nanos() * u128::from(self.user_ticks) / u128::from(ticks);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Returns the share of the time that was spent in the kernel.
    pub(crate) fn system(&self) -> Duration {
        self.time.saturating_sub(self.user())
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.time += other.time;
        self.user_ticks += other.user_ticks;
        self.system_ticks += other.system_ticks;
        self.faults += other.faults;
        self.voluntary_switches += other.voluntary_switches;
        self.peak = self.peak.max(other.peak);
    }
}

/// A thread's counters.
#[derive(Default)]
pub(crate) struct Meter {
    time: Stopwatch,
    /// Whether the thread runs in user mode: read by the tick, and by threads that want to interrupt it there.
    is_in_user: AtomicBool,
    user_ticks: AtomicU64,
    system_ticks: AtomicU64,
    pub(super) faults: AtomicU64,
}

/// Total running time in one word, so that other threads can read it: nanoseconds shifted left by one, and the lowest
/// bit set while the thread runs. While it is set, the nanoseconds are an offset to be added to the clock.
#[derive(Default)]
struct Stopwatch(AtomicU64);

impl Stopwatch {
    const RUNS: u64 = 1;

    /// Starts the stopwatch. Only the CPU that the thread runs on starts and stops it.
    fn start(&self, now: u64) {
        let before = self.0.load(Ordering::Relaxed) & !Self::RUNS;
        self.0.store(before.wrapping_sub(now << 1) | Self::RUNS, Ordering::Relaxed);
    }

    fn stop(&self, now: u64) {
        let before = self.0.load(Ordering::Relaxed) & !Self::RUNS;
        self.0.store(before.wrapping_add(now << 1), Ordering::Relaxed);
    }

    fn nanoseconds(&self) -> u64 {
        let word = self.0.load(Ordering::Relaxed);
        let passed = if word & Self::RUNS == 0 { 0 } else { clock::nanoseconds() << 1 };
        (word & !Self::RUNS).wrapping_add(passed) >> 1
    }
}

impl Meter {
    /// Notes that the CPU switches to the thread; `now` is the monotonic clock's time.
    pub(super) fn start(&self, now: u64) {
        self.time.start(now);
    }

    /// Notes that the CPU switches away from the thread, which ran until now.
    pub(super) fn stop(&self, now: u64) {
        self.time.stop(now);
    }

    /// Notes whether the thread is in user mode.
    #[inline]
    pub(super) fn set_in_user(&self, is_in_user: bool) {
        self.is_in_user.store(is_in_user, Ordering::SeqCst);
    }

    /// Returns whether the thread is in user mode, or was preempted there.
    pub(super) fn is_in_user(&self) -> bool {
        self.is_in_user.load(Ordering::SeqCst)
    }

    /// Notes that a tick found the thread running. Called in interrupt context.
    pub(super) fn tick(&self) {
        let ticks = if self.is_in_user() { &self.user_ticks } else { &self.system_ticks };
        ticks.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the processor time used so far.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_nanos(self.time.nanoseconds())
    }

    /// Returns all counters; `sleeps` is the unparker's count.
    pub(super) fn usage(&self, sleeps: u64) -> Usage {
        Usage {
            time: self.time(),
            user_ticks: self.user_ticks.load(Ordering::Relaxed),
            system_ticks: self.system_ticks.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
            voluntary_switches: sleeps,
            peak: 0,
        }
    }
}
