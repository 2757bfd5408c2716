//! A value for each CPU.
//!
//! A task may move to another CPU while it uses the value of the old one. A [`Counter`] tolerates that, because the
//! kernel is not preempted during a change; other types need atomics or a lock. CPUs beyond [`CPUS`] share values.

use core::sync::atomic::{AtomicU64, Ordering};

use ostd::cpu::CpuId;

/// The number of CPUs with a value of their own.
pub(crate) const CPUS: usize = 64;

/// A `T` for each CPU.
pub(crate) struct PerCpu<T>([CacheLines<T>; CPUS]);

/// A value on cache lines of its own, so that a CPU's writes slow down no other.
#[repr(align(64))]
pub(crate) struct CacheLines<T>(pub(crate) T);

impl<T> PerCpu<T> {
    /// Makes the values of all CPUs, in order.
    pub(crate) const fn new(values: [CacheLines<T>; CPUS]) -> Self {
        Self(values)
    }

    /// Returns this CPU's value.
    #[inline]
    pub(crate) fn get(&self) -> &T {
        self.of(u32::from(CpuId::current_racy()) as usize)
    }

    /// Returns the value of the CPU with that number.
    #[inline]
    pub(crate) const fn of(&self, cpu: usize) -> &T {
        &self.0[cpu % CPUS].0
    }

    /// Returns the values of all CPUs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|CacheLines(value)| value)
    }
}

/// A counter that one CPU increments with plain loads and stores.
///
/// Interrupt handlers must not use it. CPUs that share a counter may lose counts.
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Makes a counter at 0.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `times`.
    #[inline]
    pub(crate) fn add(&self, times: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + times, Ordering::Relaxed);
    }

    /// Returns the count.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
