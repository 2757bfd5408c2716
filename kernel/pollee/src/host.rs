//! What the embedding kernel supplies: a policy, locks, sleeping tasks, counters.
//!
//! Lock order: owner's lock, or list lock → ready lock. This crate never takes an owner's lock under a list lock
//! nor the other way round, and holds at most one lock of each kind.

use alloc::sync::Arc;
use core::fmt::Debug;
use core::ops::DerefMut;

use crate::Policy;

/// The kernel in which the files live.
pub trait Host: Sized + Send + Sync + 'static {
    /// When readiness is cached.
    type Policy: Policy;

    /// The lock around an object's state. The object's own operations run under it.
    type OwnerLock<T: Send>: Lock<T>;

    /// The lock around a list of watchers: held for a few dozen instructions, never across an allocation or a
    /// drop. A ready lock may be taken under it.
    ///
    /// It need not disable interrupts if interrupt handlers never notify; they should wake a task that does.
    type ListLock<T: Send>: Lock<T>;

    /// The lock around the entries of a [`ReadyList`](crate::ReadyList), the innermost of the three.
    type ReadyLock<T: Send>: Lock<T>;

    /// A handle to a task that may sleep; cloning it must not allocate (an `Arc`).
    type Task: Wake + Clone;

    /// The class of object for which [`count`](Self::count) counts.
    ///
    /// `()` for a host that does not count: its objects are made by `Locked::from(state)` and `ReadyList::default()`,
    /// and name no class. It has to be said, because stable Rust has no defaults for associated types.
    type Class: Copy + Debug + Send + Sync + 'static;

    /// Counts what happened to an object of `class`.
    ///
    /// Called on every poll and every change, sometimes under the owner's lock: keep it to a few instructions.
    #[inline]
    fn count(class: Self::Class, what: Count) {
        let _ = (class, what);
    }
}

/// A mutual exclusion lock around a `T`.
pub trait Lock<T>: Send + Sync {
    /// Access, for as long as it lives.
    type Guard<'a>: DerefMut<Target = T>
    where
        Self: 'a,
        T: 'a;

    /// Wraps `value`.
    fn new(value: T) -> Self;

    /// Waits for the lock.
    fn lock(&self) -> Self::Guard<'_>;
}

/// A task that sleeps.
pub trait Wake: Send + Sync {
    /// Ends the sleep, or the next one if the task is awake; `false` if another call has done that already.
    ///
    /// Called with no lock of this crate held.
    fn wake(&self) -> bool;
}

impl<T: Wake + ?Sized> Wake for Arc<T> {
    fn wake(&self) -> bool {
        (**self).wake()
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Count {
    /// A poll was answered from the word.
    Hit,
    /// A poll had to take the owner's lock.
    Miss,
    /// Readiness was computed from the state.
    Compute,
    /// A change without an interested watcher.
    NotifyUnwatched,
    /// A change with an interested watcher.
    NotifyWatched,
    /// A task was woken, or an entry enqueued.
    Wake,
    /// A task was woken, looked, and found nothing; counted by the task that looked.
    SpuriousWake,
}

impl Count {
    /// How many kinds there are.
    pub const KINDS: usize = Self::SpuriousWake as usize + 1;
}
