//! I/O readiness for kernels: one word for each file caches its readiness and the interests of its watchers.
//!
//! A file's state changes; threads want to know when it is ready, by polling it, by sleeping until it is, or by
//! having it put into a list of ready files (epoll). This crate is what lies between: it answers most polls with one
//! load, tells a changer with the same word whether a watcher has to be woken, and cannot lose a wake.
//!
//! # How to use it
//! 1. Describe your kernel: a [`Host`] with locks and a handle to a sleeping task.
//! 2. Keep an object's state in a [`Locked`], and compute its readiness in one pure function ([`Readiness`]).
//! 3. Change the state through [`Locked::lock`]. When the guard is dropped, the word follows and watchers are woken.
//! 4. Show the object as a [`Pollable`]. To sleep for one file: [`wait_events`]; for many: [`wait_many`] with a
//!    [`Poller`] or [`PersistentRegistration`]s; for an epoll: a [`ReadyList`].
//!
//! The examples run on a host: `mailbox` (threads that block on a file), `epoll`, `select` over a thousand files, an
//! async `executor`, and `asterinas`, the interface of another kernel. README.md has a table from the words of this crate
//! to those of Linux, Asterinas, tokio and kqueue.
//!
//! # What runs
//! Each file has one atomic word:
//! ```text
//! 29       16   15   14        0
//! [ interests | cached | events  ]
//! ```
//! *Events* is what is ready, valid while *cached* is set. *Interests* is the union of what watchers wait for;
//! they set it before they look at readiness. So the two questions that must not miss each other, "is it ready?"
//! and "does a watcher wait?", are asked of the same word.
//! ```text
//! poll:    events() ── cached ──────────────────────────────→ answer, one load
//!             └── not cached → lock; compute; update_events(); unlock → answer
//! change:  lock; change; [drop] compute; notify_events(); unlock → wake the interested watchers
//!                               or clear_events(), if what was raised is new and meets no interest
//! ```
//! `notify_events` has three cases. If nothing is cached, or the cached events are still right, it is a plain load: the
//! owner's lock orders it with every watcher that could sleep. If the cached events are wrong, one read-modify-write
//! replaces them and returns the interests. The module `locked` has the argument for each case.
//!
//! The word is changed *before* the object's lock is released, so that a thread that has seen a change never polls
//! the readiness from before it. Watchers are woken *after*, so that the scheduler does not run under the lock.
//!
//! # Where this differs from the published design
//! The hybrid Pollee of Asterinas (pull request 1616) has the same operations around a cache that a change
//! *invalidates*; a poll that misses computes without a lock of the Pollee's and publishes by compare-exchange.
//! [`lock_free`] is that form. Four things are different in what runs here:
//!
//! | here | instead of | because |
//! |---|---|---|
//! | a miss fills under the owner's lock | a version, checked when filling | a change of a file that no thread polls, or whose readiness stays, writes nothing |
//! | a change replaces the cached events, or clears them | always invalidating them | what was drained is polled again soon, and then answered from the cache |
//! | interests in the word | a list that each notification walks | a change that no watcher waits for ends with the load |
//! | the guard's drop notifies | a call that the author must remember | forgotten and surplus calls were bugs for months |
//!
//! The crate's README has the measurements.
//!
//! # Map
//! | module | what it has |
//! |---|---|
//! | `word` ([`ReadinessWord`]) | the layout and the four operations |
//! | `locked` ([`Locked`]) | the word under an owner's lock; why a load suffices in two of three cases |
//! | `watchers`, `list` | registration, exclusive choice, delivery; why only list operations clear interests |
//! | `ready_list` ([`ReadyList`]) | what an epoll instance waits on |
//! | `slots` | the links of both lists |
//! | `wait` ([`wait_events`], [`Registration`]) | the loop in which threads sleep |
//! | `poller` ([`Poller`]) | one wait for many files |
//! | `persistent` ([`PersistentRegistration`]) | why a registration may outlive a wait |
//! | [`lock_free`] | the word with a version, for state that is not behind one lock; in Pollux, the pidfds |
//!
//! # Policies
//! [`Hybrid`] caches after a poll, [`Stateful`] caches readiness always, [`Stateless`] never. They
//! differ by two constants; choose one at build time ([`Host::Policy`]) and measure.
//!
//! # What is promised
//! *Fresh*: after a change no later poll returns the old readiness. *Causal*: a thread that has observed a change
//! never polls the readiness from before it. *Awake*: a watcher that registered, found nothing and slept is woken by
//! any later change that it is interested in. *Quiet*: a thread that waits for a file that is not ready sleeps, and
//! does not spin. *Once*: an exclusive event wakes one waiter, and is handed on however the woken waiter leaves.
//! *Clean*: a dropped watcher leaves nothing behind. Each is checked by loom for three threads within a stated
//! preemption bound, and each check is checked by faults that it must catch (`tests/loom`).
//!
//! # What is asked of the host
//! Notifications come from tasks: an interrupt handler wakes a task that does the work. An object that derives
//! its readiness from others, or from time without a callback, must not keep "ready" in a [`Locked`] state;
//! a hint may be kept, and the others polled (as an epoll does).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod events;
#[cfg(not(loom))]
#[expect(dead_code, unreachable_pub, reason = "seeding exists only with `--cfg loom`")]
mod fault;
#[cfg(loom)]
pub mod fault;
mod host;
mod list;
pub mod lock_free;
mod locked;
mod persistent;
mod policy;
mod pollable;
mod poller;
pub mod ready_list;
mod slots;
mod sync;
mod wait;
mod watcher;
mod watchers;
mod word;

pub use events::Events;
pub use host::{Count, Host, Lock, Wake};
pub use list::List as WatcherList;
pub use locked::{Guard, Locked, ReadGuard, Readiness};
pub use persistent::{PersistentRegistration, WaitEpochs};
pub use policy::{Hybrid, Policy, Stateful, Stateless};
pub use pollable::{Pollable, ReadinessSource};
pub use poller::Poller;
pub use ready_list::{ReadyList, ReadyListEntry};
pub use wait::{
    Recheck, Registration, Sleep, WaitError, WaitTarget, WakeReason, wait_events, wait_events_after_try,
    wait_many,
};
pub use watcher::{NoMemory, Observe, Token, WakeMode, Watcher};
pub use watchers::Notification;
pub use word::{ReadinessHeader, ReadinessWord};

/// The examples of the README, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
