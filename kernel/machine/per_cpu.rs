//! A value for each CPU.
//!
//! The value that a task gets may be that of a CPU it has just left: a [`Counter`] bears that, as the kernel leaves no
//! CPU in the middle of a change; another type needs atomics or a lock of its own.
//! CPUs beyond [`CPUS`] share values.

use core::sync::atomic::{AtomicU64, Ordering};

use ostd::cpu::CpuId;

/// How many CPUs have a value of their own.
pub(crate) const CPUS: usize = 64;

/// A `T` for each CPU.
pub(crate) struct PerCpu<T>([CacheLines<T>; CPUS]);

/// A value on cache lines of its own: a CPU that writes to it slows down no other.
#[repr(align(64))]
pub(crate) struct CacheLines<T>(pub(crate) T);

impl<T> PerCpu<T> {
    /// The values of all CPUs, in order.
    pub(crate) const fn new(values: [CacheLines<T>; CPUS]) -> Self {
        Self(values)
    }

    /// This CPU's value.
    #[inline]
    pub(crate) fn get(&self) -> &T {
        self.of(u32::from(CpuId::current_racy()) as usize)
    }

    /// The value of the CPU with that number.
    #[inline]
    pub(crate) const fn of(&self, cpu: usize) -> &T {
        &self.0[cpu % CPUS].0
    }

    /// The values of all CPUs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|CacheLines(value)| value)
    }
}

/// A number that one CPU counts up with plain loads and stores.
///
/// No interrupt handler may count. CPUs that share a counter may lose counts.
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// A counter at 0.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts `times` more.
    #[inline]
    pub(crate) fn add(&self, times: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + times, Ordering::Relaxed);
    }

    /// How much was counted.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
