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
//! `clear_events` is a compare-exchange from a word without interests. If it succeeds, there was no watcher; one
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
//!
//! Why: decision 0099.

use core::fmt;
use core::ops::{Deref, DerefMut};

use crate::fault::{self, Fault};
use crate::host::{Count, Lock};
use crate::list::List;
use crate::pollable::{Pollable, ReadinessSource};
use crate::sync::const_fn;
use crate::watcher::{NoMemory, Token, WakeMode, Watcher};
use crate::watchers::{Notification, Watchers};
use crate::word::{ReadinessHeader, ReadinessWord, Snapshot};
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

    /// Locks the state to look at it. Writes nothing and wakes no thread.
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

    /// Whether it has a watcher with an interest.
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

    fn leave(&self, token: Token, last_look: &mut dyn FnMut()) -> Watcher<H> {
        self.watchers.remove(&self.header, token, last_look, |interest| self.poll(interest))
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

/// Exclusive access to the state, for a change.
#[must_use]
pub struct Guard<'a, S: Readiness + Send + 'static, H: Host, L: Lock<S> + 'a = <H as Host>::OwnerLock<S>> {
    // Fields drop in this order: the lock is released, then watchers are woken.
    state: L::Guard<'a>,
    notification: Notification<'a, H>,
    /// Readiness before the change; `None` if nothing was cached and there was no watcher.
    before: Option<Events>,
    raised: Events,
}

impl<'a, S: Readiness + Send + 'static, H: Host, L: Lock<S>> Guard<'a, S, H, L> {
    #[inline]
    fn new(object: &'a Locked<S, H, L>) -> Self {
        let state = object.state.lock();
        let seen = object.header.word.load_relaxed();
        let before = if seen.is_cached() {
            Some(seen.events())
        } else if seen.interests().is_empty() {
            // No watcher is owed a wake: one that registers from now on must compute after this change.
            None
        } else {
            object.header.count(Count::Compute);
            Some(state.readiness())
        };
        let notification = Notification::new(&object.header, &object.watchers, Events::empty());
        Self { state, notification, before, raised: Events::empty() }
    }

    /// Says that `events` happened, even if the file was ready for them before.
    ///
    /// Edge-triggered and exclusive watchers are notified of each: a pipe raises `IN` for every write. It is passed on
    /// as it is, true or not: on Linux an eventfd's write of 0 says `IN`, too, and a watcher polls for what is ready.
    /// Forgetting it costs edges, never a level-triggered wake.
    #[inline]
    pub fn raise(&mut self, events: Events) {
        self.raised |= events;
    }

    /// Returns whether a watcher is interested in one of `events`; a hint, which changes at any time.
    #[inline]
    pub fn is_awaited(&self, events: Events) -> bool {
        self.notification.header().word.load_relaxed().interests().intersects(events)
    }

    /// Caches the readiness, as a poll that missed does, for a caller that has the lock anyway.
    pub(crate) fn update_events(&mut self) {
        if H::Policy::CACHES {
            // What the cache says is what a change by this guard is compared with.
            let events = *self.before.get_or_insert_with(|| self.state.readiness());
            self.notification.header().word.update_events(events);
        }
    }

    /// Ends the change and releases the lock, but leaves the wakes to the caller, who holds other locks.
    pub(crate) fn release(mut self) -> Notification<'a, H> {
        self.notify_events();
        self.notification.take()
    }

    /// Makes the word follow the change, and finds out which watchers' interests it met. The lock is still held.
    #[inline]
    fn notify_events(&mut self) {
        let Some(before) = self.before.take() else {
            return;
        };
        let header = self.notification.header();
        let is_news = !before.contains(self.raised);
        if !H::Policy::EAGER && is_news && header.word.clear_events() {
            header.count(Count::NotifyUnwatched);
            return;
        }
        header.count(Count::Compute);
        let after = self.state.readiness();
        let interests = header.word.notify_events(before, after);
        let happened = (after - before) | self.raised;
        if !happened.is_empty() {
            let hint = happened & interests;
            header.count(if hint.is_empty() { Count::NotifyUnwatched } else { Count::NotifyWatched });
            self.notification.set(hint, after - before);
        }
        #[cfg(loom)]
        if fault::is_seeded(Fault::LockedNotifyAfterUnlock) && before != after {
            self.notification.set_late(after);
        }
    }
}

impl<S: Readiness + Send + 'static, H: Host, L: Lock<S>> Deref for Guard<'_, S, H, L> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.state
    }
}

impl<S: Readiness + Send + 'static, H: Host, L: Lock<S>> DerefMut for Guard<'_, S, H, L> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.state
    }
}

impl<S: Readiness + Send + 'static, H: Host, L: Lock<S>> Drop for Guard<'_, S, H, L> {
    #[inline]
    fn drop(&mut self) {
        self.notify_events();
    }
}

/// Access to the state that can change nothing.
#[must_use]
pub struct ReadGuard<'a, S: 'a, L: Lock<S> + 'a>(L::Guard<'a>);

impl<'a, S, L: Lock<S>> ReadGuard<'a, S, L> {
    const fn new(state: L::Guard<'a>) -> Self {
        Self(state)
    }
}

impl<S, L: Lock<S>> Deref for ReadGuard<'_, S, L> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}
