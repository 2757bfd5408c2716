//! I/O readiness for kernels: one word for each file that caches what is ready and knows who cares.
//!
//! A file's state changes; threads want to know when it is ready, by polling it, by sleeping until it is, or by
//! having it put into a queue (epoll). This crate is what lies between: it answers most polls with one load,
//! tells a changer with the same word whether anybody has to be woken, and cannot lose a wake.
//!
//! # How to use it
//! 1. Describe your kernel: a [`Host`] with a lock, a handle to a sleeping task, and a place in a ready queue.
//! 2. Keep an object's state in a [`Locked`], and say what is ready in one pure function ([`Readiness`]).
//! 3. Change the state through [`Locked::lock`]. Publishing is the guard's business, and waking too.
//! 4. To poll: [`Locked::poll`]. To sleep: [`Waiting`] for one file, [`Poller`] for many; register, *then* try or
//!    poll again, then sleep.
//!
//! `examples/mailbox.rs` is a whole program: a mailbox, threads that block on it, and one that polls two.
//!
//! # How it works
//! Each file has one atomic word:
//! ```text
//! 63          30 29       16   15   14        0
//! [ version 34 | interests | cached | events  ]
//! ```
//! *Events* is what is ready, valid while *cached* is set. *Interests* is the union of what watchers wait for;
//! they set it before they look at readiness. So the two questions that must not miss each other, "is it ready?"
//! and "does anybody wait?", are asked of the same word, whose changes have one order:
//! ```text
//! watcher                                changer
//! register: interests |= IN              change the state
//! read readiness → not ready             change the word, and read the interests in it
//! sleep                                  IN is among them: wake
//! ```
//! If the changer changes the word first, the watcher reads the new readiness; if the watcher registers first,
//! the changer reads its interest. There is no third order.
//!
//! The word is changed *before* the object's lock is released, so that whoever has seen a change never polls the
//! readiness from before it. Watchers are woken *after*, so that no foreign code runs under the lock.
//!
//! | module | its argument |
//! |---|---|
//! | [`word`] | why a fill is safe, why no wake is lost: versions and read-modify-writes |
//! | `locked` ([`Locked`]) | why under one lock most of those are not needed |
//! | `watchers` | why only list operations forget interests; why who leaves passes on |
//! | `standing` ([`Standing`]) | why a registration may outlive a wait |
//!
//! # Policies
//! [`Hybrid`] caches what somebody asked for, [`Stateful`] keeps readiness always, [`Stateless`] never. They
//! differ by two constants; choose one at build time and measure.
//!
//! # What is promised
//! *Fresh*: after a change no later poll returns the old readiness. *Causal*: who has observed a change never
//! polls the readiness from before it. *Awake*: a watcher that registered, found nothing and slept is woken by
//! any later change that it is interested in. *Quiet*: who waits for a file that is not ready sleeps, and does
//! not spin. *Once*: an exclusive event wakes one waiter, and no way of leaving swallows it. *Clean*: a dropped
//! watcher leaves nothing behind. Each is checked by loom for three threads within a stated preemption bound,
//! and each check is checked by faults that it must catch (`tests/loom`).
//!
//! # What is asked of the host
//! Notifications come from tasks: an interrupt handler wakes a task that does the work. An object that derives
//! its readiness from others, or from time without a callback, must not keep "ready" in a [`Locked`] state;
//! a hint may be kept, and the others asked (as an epoll does).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod events;
#[cfg(not(feature = "loom"))]
#[expect(dead_code, unreachable_pub, reason = "seeding exists only with the feature")]
mod fault;
#[cfg(feature = "loom")]
pub mod fault;
mod front;
mod host;
mod list;
mod locked;
mod policy;
mod pollee;
mod poller;
mod standing;
mod sync;
mod watch;
mod watchers;
pub mod word;

pub use events::Events;
pub use front::Front;
pub use host::{Count, Host, Lock, Mark, Marked, Taker, Wake};
pub use locked::{Guard, Locked, ReadGuard, Readiness, Wakeup};
pub use policy::{Hybrid, Policy, Stateful, Stateless};
pub use pollee::{Notification, Pollee};
pub use poller::{Poller, Waiting};
pub use standing::{Bell, Standing};
pub use watch::{NoMemory, Share, Token, Watch, Watcher};
pub use word::Word;
