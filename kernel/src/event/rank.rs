//! Spin locks that know their place in the lock order, and panic in debug builds when it is broken.
//!
//! `1 fd table → 2 epoll interest → 3 object state → 4 network interface → 5 watcher list → 6 ready queue`.
//! A lock may be taken while others of a lower rank are held; of the same rank only for epoll interests,
//! which nest along a graph without cycles (`object/epoll`). From rank 4 on no user memory is copied and no
//! file is called.
//!
//! Preemption is off while one is held, interrupts are on: no interrupt handler takes any of these locks.

use core::ops::{Deref, DerefMut};

use ostd::sync::{PreemptDisabled, SpinLock, SpinLockGuard};

/// A place in the lock order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Rank {
    /// A process's table of file descriptors.
    FdTable = 1,
    /// The interest table of an epoll instance.
    Interest = 2,
    /// The state of an object or a socket.
    Object = 3,
    /// A network interface.
    Interface = 4,
    /// The watchers of a file.
    Watchers = 5,
    /// The ready queue of an epoll instance.
    ReadyQueue = 6,
}

/// A spin lock with a [`Rank`].
#[derive(Debug)]
pub(crate) struct Ranked<T> {
    #[cfg(debug_assertions)]
    rank: Rank,
    lock: SpinLock<T>,
}

/// Access to what a [`Ranked`] lock guards.
pub(crate) struct RankedGuard<'a, T> {
    guard: SpinLockGuard<'a, T, PreemptDisabled>,
    #[cfg(debug_assertions)]
    rank: Rank,
}

impl<T> Ranked<T> {
    pub(crate) const fn new(rank: Rank, value: T) -> Self {
        #[cfg(not(debug_assertions))]
        let _ = rank;
        Self {
            #[cfg(debug_assertions)]
            rank,
            lock: SpinLock::new(value),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> RankedGuard<'_, T> {
        #[cfg(debug_assertions)]
        held::acquire(self.rank);
        RankedGuard {
            guard: self.lock.lock(),
            #[cfg(debug_assertions)]
            rank: self.rank,
        }
    }
}

impl<T> Deref for RankedGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for RankedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[cfg(debug_assertions)]
impl<T> Drop for RankedGuard<'_, T> {
    fn drop(&mut self) {
        held::release(self.rank);
    }
}

/// How many locks of each rank this CPU holds. Between [`acquire`](held::acquire) and the lock's own
/// disabling of preemption nothing switches tasks: the kernel is preempted only where it says so.
#[cfg(debug_assertions)]
mod held {
    use super::Rank;

    ostd::cpu_local_cell! {
        /// Eight counters of eight bits.
        static HELD: u64 = 0;
    }

    const fn shift(rank: Rank) -> u32 {
        rank as u32 * 8
    }

    pub(super) fn acquire(rank: Rank) {
        let held = HELD.load();
        let above =
            if rank as u8 == Rank::Interest as u8 { held >> (shift(rank) + 8) } else { held >> shift(rank) };
        assert!(above == 0, "lock order: {rank:?} taken with {held:#x} held");
        HELD.store(held + (1 << shift(rank)));
    }

    pub(super) fn release(rank: Rank) {
        HELD.store(HELD.load() - (1 << shift(rank)));
    }
}
