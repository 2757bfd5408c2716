//! An object whose state is behind one lock: the readiness word under that lock.
//!
//! | path | what runs |
//! |---|---|
//! | poll | [`events`](crate::ReadinessWord::events); on a miss `update_events` under the owner's lock |
//! | change | the guard's drop: `notify_events` or `clear_events` under the owner's lock; watchers are woken after it |
//!
//! Owns: the state, and the word that follows it.   Not here: the watchers (`watchers`).
//! Invariant: whenever the owner's lock is free and the word is cached, its events are the state's readiness.
//!
//! # Three cases, and why a load suffices in two of them
//! A change ends in `notify_events`, which loads the word under the owner's lock. (A raised
//! event for which the file was not ready before, and which meets no interest, ends in `clear_events`: see below.)
//!
//! *Not cached.* Nothing is written. A watcher must compute, under the same lock, so one of two critical sections
//! comes first:
//! ```text
//! watcher                            changer
//! interests |= IN (RMW)              lock; change; load the word; unlock
//! lock; compute; update_events; unlock
//! ```
//! If the changer's section is first, the computation sees the change. If the watcher's is first, the lock
//! makes the changer's load see the interest, and it wakes.
//!
//! *Cached and still right.* Nothing is written. Readiness did not change, so no sleeper is owed a wake.
//! (Edge-triggered watchers are notified by the interests in the loaded word. A watcher whose interest that load
//! misses has not yet read the word in which it is cached that the file is ready.)
//!
//! *Cached and wrong.* One read-modify-write replaces the events, and the watcher's registration is one of the same
//! word: either the changer reads the interest, or the watcher reads the new readiness. A load in its place loses
//! the wake.
//!
//! No case depends on the memory order of the word itself: the lock orders the rest.
//!
//! # Why a raised event may only clear
//! `clear_events` is a compare-exchange from a word without interests. If it succeeds, nobody was watching; a watcher
//! that registers after it finds nothing cached, and computes under the lock after the change. If a watcher comes between
//! the load and the exchange, the exchange fails and the change notifies. The computation is left to the next poll, which
//! may never come: the reader of what was raised tries in any case. After a change that raised nothing, a drain, the
//! events are replaced: a cached "not ready" saves the next read its try.
//!
//! # Why notify under the lock and wake after it
//! ```text
//! A                                  B
//! close; unlock
//!                                    lock; read → end of file; unlock
//!                                    poll → cached "not hung up"
//! notify_events
//! ```
//! Notifying after the lock would let B see the readiness from before a change that it has observed, and
//! would let a level-triggered waiter spin on a cached "readable" whose item another thread has taken.
//! Waking under the lock would run the scheduler there, and send the woken task straight into the lock.

mod guard;

use core::fmt;

pub use self::guard::{Guard, ReadGuard};
use crate::fault::{self, Fault};
use crate::header::ReadinessHeader;
use crate::host::{Count, Lock};
use crate::list::List;
use crate::notification::Notification;
use crate::pollable::{Pollable, ReadinessSource};
use crate::sync::const_fn;
use crate::watcher::{NoMemory, Token, WakeMode, Watcher};
use crate::watchers::Watchers;
use crate::word::{ReadinessWord, Snapshot};
use crate::{Events, Host, Policy};

/// Readiness as one pure function of the state.
pub trait Readiness {
    /// What an operation on this state would find. An event that is set promises that its operation does not
    /// block; it must depend on nothing but `self`.
    fn readiness(&self) -> Events;
}

/// A state `S` behind a lock `L`, with the readiness that follows from it and its watchers.
// In this order: the word lies on the cache line of the lock that its writers hold.
#[repr(C)]
pub struct Locked<S, H: Host, L = <H as Host>::OwnerLock<S>> {
    header: ReadinessHeader<H>,
    state: L,
    watchers: Watchers<H>,
    marker: core::marker::PhantomData<fn() -> S>,
}

impl<S: Readiness + Send + 'static, H: Host, L: Lock<S>> Locked<S, H, L> {
    /// Wraps `state`, an object of `class`.
    pub fn new(class: H::Class, state: S) -> Self {
        let word = if H::Policy::EAGER {
            ReadinessWord::with_events(state.readiness())
        } else {
            ReadinessWord::new()
        };
        Self {
            header: ReadinessHeader::new(word, class),
            state: L::new(state),
            watchers: Watchers::new(),
            marker: core::marker::PhantomData,
        }
    }

    const_fn! {
        /// Wraps a state and a [`WatcherList::new`](crate::WatcherList::new) that are behind their locks already: for a
        /// `static`, where the host's locks have a constructor that is `const`.
        ///
        /// [`Stateful`](crate::Stateful) caches from the first poll then, not from birth.
        pub fn with_locks(class: H::Class, state: L, watchers: H::ListLock<List<H>>) -> Self {
            Self {
                header: ReadinessHeader::new(ReadinessWord::new(), class),
                state,
                watchers: Watchers::with_list(watchers),
                marker: core::marker::PhantomData,
            }
        }
    }

    /// Locks the state for a change. When the guard is dropped, the word follows the change and watchers are
    /// notified.
    #[inline]
    pub fn lock(&self) -> Guard<'_, S, H, L> {
        Guard::new(self)
    }

    /// Locks the state to look at it. Writes nothing and wakes nobody.
    pub fn read(&self) -> ReadGuard<'_, S, L> {
        ReadGuard::new(self.state.lock())
    }

    /// The readiness word, for looks without a lock.
    pub const fn header(&self) -> &ReadinessHeader<H> {
        &self.header
    }

    /// The readiness, as far as `interest` asks: one load if it is cached.
    #[inline]
    pub fn poll(&self, interest: Events) -> Events {
        let events = match self.header.events() {
            Some(events) if H::Policy::CACHES => {
                self.header.count(Count::Hit);
                events
            }
            _ => self.update_events(),
        };
        events & interest
    }

    /// Computes the readiness and caches it, in one critical section of the owner's lock.
    fn update_events(&self) -> Events {
        self.header.count(Count::Miss);
        self.header.count(Count::Compute);
        let state = self.state.lock();
        let events = state.readiness();
        if H::Policy::CACHES {
            self.header.word.update_events(events);
        }
        drop(state);
        events
    }

    /// The readiness in `seen`, or computed now if it is not there.
    fn resolve(&self, seen: Snapshot) -> Events {
        if H::Policy::CACHES && seen.is_cached() {
            self.header.count(Count::Hit);
            seen.events()
        } else {
            self.update_events()
        }
    }

    /// Notifies the watchers of `hint` as if it had just happened, with no change of the state. No lock may be held.
    pub fn notify(&self, hint: Events) {
        let hint = hint & self.header.word.load().interests();
        Notification::new(&self.header, &self.watchers, hint).deliver();
    }

    /// Whether a task waits for exclusive events that was not chosen yet; a look without a lock.
    pub(crate) fn has_exclusive_task(&self) -> bool {
        self.watchers.has_exclusive_task()
    }

    /// Whether anybody watches.
    pub(crate) fn is_watched(&self) -> bool {
        !self.header.word.load().interests().is_empty()
    }

    /// Wakes one exclusive watcher of `hint`, for events that the caller leaves to others. No lock may be held.
    pub(crate) fn hand_on(&self, hint: Events) {
        self.watchers.hand_on(&self.header, hint);
    }
}

impl<S: Readiness + Send + 'static, H: Host, L: Lock<S>> ReadinessSource<H> for Locked<S, H, L> {
    fn header(&self) -> &ReadinessHeader<H> {
        &self.header
    }

    fn poll(&self, interest: Events) -> Events {
        self.poll(interest)
    }

    fn register(
        &self,
        watcher: Watcher<H>,
        interest: Events,
        mode: WakeMode,
    ) -> Result<(Token, Events), NoMemory> {
        let early = fault::is_seeded(Fault::WatchAfterCompute).then(|| self.poll(interest));
        let (token, seen) = self.watchers.insert(&self.header, watcher, interest, mode)?;
        let ready = match early {
            Some(ready) => ready,
            None => self.resolve(seen) & interest,
        };
        Ok((token, ready))
    }

    fn set_interest(&self, token: &Token, interest: Events) -> Events {
        let seen = self.watchers.set_interest(&self.header, token, interest);
        self.resolve(seen) & interest
    }

    fn rearm(&self, token: &Token) {
        self.watchers.rearm(&self.header, token);
    }

    fn unregister(&self, token: Token) -> Watcher<H> {
        self.watchers.remove(&self.header, token, |interest| self.poll(interest))
    }
}

impl<S: Readiness + Send + 'static, H: Host, L: Lock<S>> Pollable<H> for Locked<S, H, L> {
    fn source(&self) -> &dyn ReadinessSource<H> {
        self
    }

    // As the default, which does not get inlined through `source`: seven instructions less for each item of an epoll.
    fn poll(&self, interest: Events) -> Events {
        Self::poll(self, interest)
    }
}

/// For a host that counts nothing.
impl<S: Readiness + Send + 'static, H: Host<Class = ()>, L: Lock<S>> From<S> for Locked<S, H, L> {
    fn from(state: S) -> Self {
        Self::new((), state)
    }
}

impl<S: Readiness + Send + Default + 'static, H: Host<Class = ()>, L: Lock<S>> Default for Locked<S, H, L> {
    fn default() -> Self {
        Self::from(S::default())
    }
}

impl<S, H: Host, L> fmt::Debug for Locked<S, H, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(H::Policy::NAME).field(&self.header.word).finish()
    }
}
