//! What the pollee crate asks of its kernel.

use alloc::sync::Arc;

use pollee::{Count, Host, Lock, Wake};

use super::class::{self, Class};
use super::parker::Parker;
use super::rank::{Rank, Ranked, RankedGuard};
use super::ready::Mark;

/// This kernel, as the pollee crate sees it.
#[derive(Debug)]
pub(crate) enum Pollux {}

impl Host for Pollux {
    type OwnerLock<T: Send> = OwnerLock<T>;
    type ListLock<T: Send> = ListLock<T>;
    type Task = Task;
    type Mark = Mark;
    type Class = Class;

    #[inline]
    fn count(class: Class, what: Count) {
        class::count(class, what);
    }
}

/// A thread that may sleep.
#[derive(Clone)]
pub(crate) struct Task(Arc<Parker>);

impl Task {
    /// The thread that sleeps there.
    pub(crate) const fn new(waker: Arc<Parker>) -> Self {
        Self(waker)
    }
}

impl Wake for Task {
    fn wake(&self) -> bool {
        self.0.unpark()
    }
}

/// The lock around an object's state, or around a ready queue.
pub(crate) struct OwnerLock<T>(Ranked<T>);

impl<T> OwnerLock<T> {
    /// The lock of a ready queue, which is taken under a list lock.
    pub(crate) const fn of_ready_queue(value: T) -> Self {
        Self(Ranked::new(Rank::ReadyQueue, value))
    }
}

impl<T: Send> Lock<T> for OwnerLock<T> {
    type Guard<'a>
        = RankedGuard<'a, T>
    where
        T: 'a;

    fn new(value: T) -> Self {
        Self(Ranked::new(Rank::Object, value))
    }

    #[inline]
    fn lock(&self) -> RankedGuard<'_, T> {
        self.0.lock()
    }
}

/// The lock around a list of watchers.
pub(crate) struct ListLock<T>(Ranked<T>);

impl<T: Send> Lock<T> for ListLock<T> {
    type Guard<'a>
        = RankedGuard<'a, T>
    where
        T: 'a;

    fn new(value: T) -> Self {
        Self(Ranked::new(Rank::Watchers, value))
    }

    #[inline]
    fn lock(&self) -> RankedGuard<'_, T> {
        self.0.lock()
    }
}
