//! Resource limits of a process: getrlimit(2).
//!
//! Owns: the numbers.   Not here: the right to change them (syscall/limits), and enforcing them. The address space keeps
//! copies of the limits that it enforces.

use core::sync::atomic::{AtomicU64, Ordering};

use super::process_table;
use crate::machine::memory::limits::{Limits as SpaceLimits, UNLIMITED};

/// A limited resource, by its number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub(crate) enum Resource {
    /// Seconds of processor time.
    Cpu = 0,
    FileSize = 1,
    Data = 2,
    Stack = 3,
    Core = 4,
    Processes = 6,
    Files = 7,
    LockedMemory = 8,
    AddressSpace = 9,
    PendingSignals = 11,
    /// 20 less the least nice value.
    Nice = 13,
    RealTimePriority = 14,
}

const RESOURCES: usize = 16;
const DEFAULT_STACK: u64 = 8 << 20;
/// `MLOCK_LIMIT`.
const DEFAULT_LOCKED: u64 = 8 << 20;
const DEFAULT_FILES: [u64; 2] = [1024, 4096];
/// Linux derives the default from the size of memory.
const DEFAULT_SIGNALS: u64 = 1024;

/// Soft and hard limits, indexed by resource.
#[derive(Debug)]
pub(crate) struct ResourceLimits([[AtomicU64; 2]; RESOURCES]);

impl ResourceLimits {
    /// Returns the limits of the first process.
    pub(crate) fn first() -> Self {
        let limits = Self([const { [AtomicU64::new(UNLIMITED), AtomicU64::new(UNLIMITED)] }; RESOURCES]);
        limits.set(Resource::Stack as usize, [DEFAULT_STACK, UNLIMITED]);
        limits.set(Resource::Files as usize, DEFAULT_FILES);
        limits.set(Resource::Core as usize, [0, UNLIMITED]);
        // Half of what there may be at all, as on Linux (`fork_init`).
        limits.set(Resource::Processes as usize, [process_table::MOST as u64 / 2; 2]);
        limits.set(Resource::LockedMemory as usize, [DEFAULT_LOCKED; 2]);
        limits.set(Resource::PendingSignals as usize, [DEFAULT_SIGNALS; 2]);
        limits.set(Resource::Nice as usize, [0; 2]);
        limits.set(Resource::RealTimePriority as usize, [0; 2]);
        limits
    }

    /// Returns the soft and hard limit of the resource with that number; `None` if there is none.
    pub(crate) fn get(&self, number: usize) -> Option<[u64; 2]> {
        let pair = self.0.get(number)?;
        Some([pair[0].load(Ordering::Relaxed), pair[1].load(Ordering::Relaxed)])
    }

    /// Returns the soft limit.
    pub(crate) fn soft(&self, resource: Resource) -> u64 {
        self.0[resource as usize][0].load(Ordering::Relaxed)
    }

    /// Sets the soft and hard limit of the resource with that number, which must exist.
    pub(crate) fn set(&self, number: usize, [soft, hard]: [u64; 2]) {
        if let Some(pair) = self.0.get(number) {
            pair[0].store(soft, Ordering::Relaxed);
            pair[1].store(hard, Ordering::Relaxed);
        }
    }

    /// Copies the limits of memory to an address space.
    pub(crate) fn apply(&self, space: &SpaceLimits) {
        space.data.store(self.soft(Resource::Data), Ordering::Relaxed);
        space.stack.store(self.soft(Resource::Stack), Ordering::Relaxed);
        space.address_space.store(self.soft(Resource::AddressSpace), Ordering::Relaxed);
    }
}

impl Clone for ResourceLimits {
    fn clone(&self) -> Self {
        Self(core::array::from_fn(|number| {
            self.0[number].each_ref().map(|limit| AtomicU64::new(limit.load(Ordering::Relaxed)))
        }))
    }
}
