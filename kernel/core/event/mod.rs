//! Readiness in this kernel: the pollee crate joined to OSTD's locks and tasks.
//!
//! A file keeps its state in a [`Locked`] and computes its readiness in one pure function; caching, registration and
//! wakes follow from that. Threads wait only in [`pollee::wait_events`] or [`pollee::wait_many`].

pub(crate) mod class;
mod host;
pub(crate) mod parker;
pub(crate) mod rank;

pub(crate) use host::Pollux;

// When readiness is cached: the policy this kernel was built with.
#[cfg(not(any(feature = "policy-stateful", feature = "policy-stateless")))]
use pollee::Hybrid as Policy;
#[cfg(feature = "policy-stateful")]
use pollee::Stateful as Policy;
#[cfg(all(feature = "policy-stateless", not(feature = "policy-stateful")))]
use pollee::Stateless as Policy;

/// An object's state behind its lock, with its readiness and its watchers.
pub(crate) type Locked<S> = pollee::Locked<S, Pollux>;

/// Exclusive access to such a state, for a change.
pub(crate) type Guard<'a, S> = pollee::Guard<'a, S, Pollux>;

/// The readiness word and the watchers of a state that is not behind one lock.
pub(crate) type LockFree = pollee::lock_free::Pollee<Pollux>;

/// The wake-ups that a change owes. They happen when it is dropped, which must be after the locks are released.
pub(crate) type Notification<'a> = pollee::Notification<'a, Pollux>;

/// The part of a file that can be read without a lock: its class and its readiness word.
pub(crate) type ReadinessHeader = pollee::ReadinessHeader<Pollux>;

/// A file that can be polled and watched.
pub(crate) type Pollable = dyn pollee::Pollable<Pollux> + Sync;

/// The list of an epoll instance's items that may be ready.
pub(crate) type ReadyList = pollee::ReadyList<Pollux>;

/// The successive waits of one thread for many files.
pub(crate) type WaitEpochs = pollee::WaitEpochs<Pollux>;

/// A registration with one file that a thread keeps between its waits.
pub(crate) type PersistentRegistration = pollee::PersistentRegistration<Pollux>;

/// A thread's registrations with the files `F` of one select or poll.
pub(crate) type Poller<F> = pollee::Poller<Pollux, F>;
