//! A [`Ranked`](super::Ranked) lock for state that is read far more often than it changes.

use core::ops::{Deref, DerefMut};

use ostd::sync::{PreemptDisabled, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{HeldRank, Rank};

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
