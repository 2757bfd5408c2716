//! Spin locks with a rank in the lock order; debug builds panic when the order is broken.
//!
//! `1 fd table → 2 epoll interest → 3 object state → 4 network interface → 5 watcher list → 6 ready list`. A lock may
//! be taken while locks of lower ranks are held. Only epoll interests may be held together, because instances nest
//! without cycles (`object/epoll`). Under rank 4 and above, the kernel copies no user memory and calls no file.
//!
//! While one is held, preemption is off and interrupts are on: no interrupt handler takes any of these locks.

use core::ops::{Deref, DerefMut};

use ostd::sync::{PreemptDisabled, RwLock, RwLockReadGuard, RwLockWriteGuard, SpinLock, SpinLockGuard};

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
    /// The ready list of an epoll instance.
    ReadyList = 6,
}

impl Rank {
    const ALL: [Self; 6] =
        [Self::FdTable, Self::Interest, Self::Object, Self::Interface, Self::Watchers, Self::ReadyList];

    /// Returns the rank with this number.
    pub(crate) const fn from_number(number: u8) -> Self {
        Self::ALL[number as usize - 1]
    }
}

/// A spin lock with a [`Rank`].
#[derive(Debug)]
pub(crate) struct Ranked<T> {
    rank: Rank,
    lock: SpinLock<T>,
}

/// Access to what a [`Ranked`] lock guards.
// Fields drop in this order: first the lock, then its token.
pub(crate) struct RankedGuard<'a, T> {
    guard: SpinLockGuard<'a, T, PreemptDisabled>,
    _held: HeldRank,
}

impl<T> Ranked<T> {
    pub(crate) const fn new(rank: Rank, value: T) -> Self {
        Self { rank, lock: SpinLock::new(value) }
    }

    #[inline]
    pub(crate) fn lock(&self) -> RankedGuard<'_, T> {
        let held = HeldRank::enter(self.rank);
        RankedGuard { guard: self.lock.lock(), _held: held }
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

/// A read-write spin lock with a [`Rank`].
#[derive(Debug)]
pub(crate) struct RankedShared<T> {
    rank: Rank,
    lock: RwLock<T, PreemptDisabled>,
}

/// Shared access to what a [`RankedShared`] lock guards.
// Fields drop in this order: first the lock, then its token.
pub(crate) struct ReadGuard<'a, T> {
    guard: RwLockReadGuard<'a, T, PreemptDisabled>,
    _held: HeldRank,
}

/// Exclusive access to what a [`RankedShared`] lock guards.
pub(crate) struct WriteGuard<'a, T> {
    guard: RwLockWriteGuard<'a, T, PreemptDisabled>,
    _held: HeldRank,
}

impl<T> RankedShared<T> {
    pub(crate) const fn new(rank: Rank, value: T) -> Self {
        Self { rank, lock: RwLock::new(value) }
    }

    /// Takes shared access, after any exclusive access ends. A holder of shared access must not take it again.
    #[inline]
    pub(crate) fn read(&self) -> ReadGuard<'_, T> {
        let held = HeldRank::enter(self.rank);
        ReadGuard { guard: self.lock.read(), _held: held }
    }

    /// Takes exclusive access, after all other access ends.
    #[inline]
    pub(crate) fn write(&self) -> WriteGuard<'_, T> {
        let held = HeldRank::enter(self.rank);
        WriteGuard { guard: self.lock.write(), _held: held }
    }
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// A token for one lock that this CPU holds. Empty in release builds.
struct HeldRank {
    #[cfg(debug_assertions)]
    rank: Rank,
}

#[cfg(not(debug_assertions))]
impl HeldRank {
    #[inline]
    const fn enter(_: Rank) -> Self {
        Self {}
    }
}

/// Counts the locks of each rank that this CPU holds. No task switch falls between [`enter`](HeldRank::enter) and the
/// point where the lock disables preemption: the kernel switches tasks only where it asks to.
#[cfg(debug_assertions)]
mod held {
    use super::{HeldRank, Rank};

    ostd::cpu_local_cell! {
        /// Eight counters of eight bits.
        static HELD: u64 = 0;
    }

    const fn shift(rank: Rank) -> u32 {
        rank as u32 * 8
    }

    impl HeldRank {
        pub(super) fn enter(rank: Rank) -> Self {
            let held = HELD.load();
            let first = if rank == Rank::Interest { shift(rank) + 8 } else { shift(rank) };
            assert!(held >> first == 0, "lock order: {rank:?} taken with {held:#x} held");
            HELD.store(held + (1 << shift(rank)));
            Self { rank }
        }
    }

    impl Drop for HeldRank {
        fn drop(&mut self) {
            HELD.store(HELD.load() - (1 << shift(self.rank)));
        }
    }
}
