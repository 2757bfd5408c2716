//! The resource limits that an address space enforces.
//!
//! Owns: the numbers.   Not here: prlimit(2), which checks and sets them.
//! Source: getrlimit(2).

use core::sync::atomic::{AtomicU64, Ordering};

/// `RLIM_INFINITY`.
pub(crate) const UNLIMITED: u64 = u64::MAX;

/// The main stack's default limit, 8 MiB.
const DEFAULT_STACK: u64 = 8 << 20;

/// Soft limits in bytes. Each is read on its own, so the atomics need no ordering.
#[derive(Debug)]
pub(crate) struct Limits {
    /// `RLIMIT_AS`: the most mapped bytes (`ENOMEM` beyond).
    pub address_space: AtomicU64,
    /// `RLIMIT_DATA`: the most bytes of private writable memory, including the heap (`ENOMEM` beyond).
    pub data: AtomicU64,
    /// `RLIMIT_STACK`: the most bytes that an area may grow to (`SIGSEGV` beyond).
    pub stack: AtomicU64,
}

impl Limits {
    /// Returns whether `bytes` are within the limit.
    pub(super) fn allows(limit: &AtomicU64, bytes: usize) -> bool {
        u64::try_from(bytes).is_ok_and(|bytes| bytes <= limit.load(Ordering::Relaxed))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            address_space: AtomicU64::new(UNLIMITED),
            data: AtomicU64::new(UNLIMITED),
            stack: AtomicU64::new(DEFAULT_STACK),
        }
    }
}

impl Clone for Limits {
    fn clone(&self) -> Self {
        let copy = |limit: &AtomicU64| AtomicU64::new(limit.load(Ordering::Relaxed));
        Self { address_space: copy(&self.address_space), data: copy(&self.data), stack: copy(&self.stack) }
    }
}
