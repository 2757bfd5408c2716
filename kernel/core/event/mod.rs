//! Readiness in this kernel: the pollee crate joined to OSTD's locks and tasks.
//!
//! A file keeps its state in a [`Locked`] and says in one pure function what is ready; everything else
//! (caching, registration, wakes) follows. A thread that has to wait does so in [`wait`], nowhere else.

pub(crate) mod class;
mod host;
pub(crate) mod parker;
pub(crate) mod rank;
pub(crate) mod ready;
pub(crate) mod trace;
pub(crate) mod wait;

pub(crate) use host::{Pollux, Task};

/// When readiness is kept: the policy this kernel was built with (features `policy-stateful` and
/// `policy-stateless`).
#[cfg(not(any(feature = "policy-stateful", feature = "policy-stateless")))]
pub(crate) type Policy = pollee::Hybrid;
#[cfg(feature = "policy-stateful")]
pub(crate) type Policy = pollee::Stateful;
#[cfg(all(feature = "policy-stateless", not(feature = "policy-stateful")))]
pub(crate) type Policy = pollee::Stateless;

/// An object's state behind its lock, with its readiness and its watchers.
pub(crate) type Locked<S> = pollee::Locked<S, Policy, Pollux>;

/// Exclusive access to such a state, for a change.
pub(crate) type Guard<'a, S> = pollee::Guard<'a, S, Policy, Pollux>;

/// What a file shows without a lock.
pub(crate) type Front = pollee::Front<Pollux>;

/// What a file lends to those who want to watch it.
pub(crate) type Watch = dyn pollee::Watch<Pollux>;

/// What files ring to wake a thread that waits for many of them.
pub(crate) type Bell = pollee::Bell<Pollux>;

/// A file's part in the waits of one thread.
pub(crate) type Standing = pollee::Standing<Pollux>;

/// A thread's registrations with the files `F` of one select or poll.
pub(crate) type Poller<F> = pollee::Poller<Pollux, F>;
