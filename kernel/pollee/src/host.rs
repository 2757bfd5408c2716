//! What the embedding kernel supplies: locks, sleeping tasks, ready queues, counters.
//!
//! Lock order: owner's lock, or list lock → ready queue's lock. This crate never takes an owner's lock under
//! a list lock nor the other way round, and holds at most one lock of each kind.

use alloc::sync::Arc;
use core::fmt::Debug;
use core::ops::DerefMut;

use crate::Events;

/// The kernel in which the pollees live.
pub trait Host: Sized + Send + Sync + 'static {
    /// The lock around an object's state. The object's own operations run under it.
    type OwnerLock<T: Send>: Lock<T>;

    /// The lock around a list of watchers: held for a few dozen instructions, never across an allocation,
    /// a drop, or foreign code other than [`Clone`] of a handle and [`Mark::mark`].
    ///
    /// It need not disable interrupts if interrupt handlers never notify; they should wake a task that does.
    type ListLock<T: Send>: Lock<T>;

    /// A handle to a task that may sleep; cloning it must not allocate (an `Arc`).
    type Task: Wake + Clone;

    /// A handle to a place in a ready queue; cloning it must not allocate.
    type Mark: Mark + Clone;

    /// The class of object for which [`count`](Self::count) counts; `()` for a host that does not count.
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

/// Something that sleeps.
pub trait Wake: Send + Sync {
    /// Ends the sleep, or the next one if there is none now; `false` if another call has done that already.
    ///
    /// Called with no lock of this crate held.
    fn wake(&self) -> bool;
}

/// A place in a queue of things that may be ready, such as one item of an epoll instance.
pub trait Mark: Send + Sync {
    /// Puts the place into its queue unless it is there already.
    ///
    /// Called under the list lock of the file that changed: it must not allocate, call into a file, or
    /// notify anybody. What it owes to those that wait on the queue is told by its result.
    fn mark(&self, hint: Events) -> Marked;

    /// Notifies those that wait on the queue; called after [`mark`](Self::mark) asked for it, with no lock of
    /// this crate held.
    fn announce(&self);
}

impl Count {
    /// How many there are.
    pub const KINDS: usize = Self::VainWake as usize + 1;
}

impl<T: Wake + ?Sized> Wake for Arc<T> {
    fn wake(&self) -> bool {
        (**self).wake()
    }
}

impl<T: Mark + ?Sized> Mark for Arc<T> {
    fn mark(&self, hint: Events) -> Marked {
        (**self).mark(hint)
    }

    fn announce(&self) {
        (**self).announce();
    }
}

/// What remains to be done after a mark.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Marked {
    /// Nobody watches the queue. An exclusive event goes on to the next watcher.
    Quietly,
    /// Somebody watches the queue: announce it once the lock is gone.
    Announce(Taker),
}

/// Whether a marked event has found who will use it up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taker {
    /// A task sleeps on the queue to take what is in it: an exclusive event ends here.
    Waits,
    /// There are others who want to hear of it, as a queue in which this one is an item; none of them may ever look.
    /// An exclusive event goes on to the next watcher.
    Missing,
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
    /// A change that nobody watched for.
    Unwatched,
    /// A change that met the interest of a watcher.
    Watched,
    /// A task was woken, or a place marked.
    Wake,
    /// A task was woken, looked, and found nothing; counted by who looked.
    VainWake,
}
