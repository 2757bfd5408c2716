//! What threads use: processor time, faults, switches.
//!
//! Time is exact, taken at each switch. How much of it was user mode is sampled by the tick, as Linux does without
//! `CONFIG_VIRT_CPU_ACCOUNTING_GEN`: reading the clock twice a syscall would cost more than many syscalls do.
//! Source: getrusage(2), times(2); Linux 6.1 kernel/sched/cputime.c (`cputime_adjust`).

use core::ops::AddAssign;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;

use crate::machine::clock;

/// Added up for a thread, a process, or its children that were waited for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time, in user mode and in the kernel.
    pub(crate) time: Duration,
    user_ticks: u64,
    system_ticks: u64,
    /// Page faults that needed no device: all are.
    pub(crate) faults: u64,
    /// Sleeps.
    pub(crate) voluntary_switches: u64,
    /// Bytes of the largest resident set, of memory that is gone.
    pub(crate) peak: usize,
}

impl Usage {
    /// How much of the time was user mode.
    pub(crate) fn user(&self) -> Duration {
        let ticks = self.user_ticks + self.system_ticks;
        if self.system_ticks == 0 {
            return self.time;
        }
        let nanos = self.time.as_nanos() * u128::from(self.user_ticks) / u128::from(ticks);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How much of the time was the kernel's.
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
    /// Whether the thread runs in user mode: what a tick asks, and who wants to interrupt it there.
    is_in_user: AtomicBool,
    user_ticks: AtomicU64,
    system_ticks: AtomicU64,
    pub(super) faults: AtomicU64,
}

/// How long it has run in all, in one word for those who look from elsewhere: nanoseconds, shifted left by one, and in
/// the lowest bit whether it runs. While it does, the nanoseconds are what the clock has to be added to.
#[derive(Default)]
struct Stopwatch(AtomicU64);

impl Stopwatch {
    const RUNS: u64 = 1;

    /// Only the thread itself starts and stops it.
    fn start(&self) {
        let before = self.0.load(Ordering::Relaxed) & !Self::RUNS;
        self.0.store(before.wrapping_sub(clock::nanoseconds() << 1) | Self::RUNS, Ordering::Relaxed);
    }

    fn stop(&self) {
        self.0.store(self.nanoseconds() << 1, Ordering::Relaxed);
    }

    fn nanoseconds(&self) -> u64 {
        let word = self.0.load(Ordering::Relaxed);
        let passed = if word & Self::RUNS == 0 { 0 } else { clock::nanoseconds() << 1 };
        (word & !Self::RUNS).wrapping_add(passed) >> 1
    }
}

impl Meter {
    /// The thread is switched to.
    pub(super) fn start(&self) {
        self.time.start();
    }

    /// The thread is switched from.
    pub(super) fn stop(&self) {
        self.time.stop();
    }

    /// Notes whether the thread is in user mode.
    #[inline]
    pub(super) fn set_in_user(&self, is_in_user: bool) {
        self.is_in_user.store(is_in_user, Ordering::SeqCst);
    }

    /// Whether the thread is in user mode, or preempted there.
    pub(super) fn is_in_user(&self) -> bool {
        self.is_in_user.load(Ordering::SeqCst)
    }

    /// A tick found the thread running. In interrupt context.
    pub(super) fn tick(&self) {
        let ticks = if self.is_in_user() { &self.user_ticks } else { &self.system_ticks };
        ticks.fetch_add(1, Ordering::Relaxed);
    }

    /// Processor time until now.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_nanos(self.time.nanoseconds())
    }

    /// All counters; `sleeps` are the unparker's.
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
