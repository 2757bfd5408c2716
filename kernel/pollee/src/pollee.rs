//! The raw pollee: for state that is atomic, or spread over several locks.
//!
//! Owns: a word and its watchers.   Not here: the state; its owner tells of each change.
//! Prefer [`Locked`](crate::Locked) where one lock guards the state: it cannot be forgotten, and writes less.
//! The two protocols must not be mixed on one word: a locked object's silent changes do not move the version
//! that protects a raw fill.
//!
//! The owner changes its state, *then* calls [`notify_events`](Pollee::notify_events) or
//! [`clear_events`](Pollee::clear_events) before it releases the locks under which the change can be
//! observed, and drops the returned [`Notification`] after. `word` says why this loses nothing.
//!
//! Under [`Stateful`](crate::Stateful) the events are computed again after each notification, once the
//! notifier's locks are gone. That costs each change one computation, with the owner's locks if it takes any,
//! whether anybody polls or not; until it is done a poller computes for itself.

use core::fmt;
use core::marker::PhantomData;

use crate::front::Front;
use crate::host::Count;
use crate::locked::Readiness;
use crate::watch::{NoMemory, Share, Token};
use crate::watchers::Watchers;
use crate::word::{Cached, Snapshot, Version, Word};
use crate::{Events, Host, Policy, Watcher};

/// A readiness word and those who watch it.
pub struct Pollee<P: Policy, H: Host> {
    front: Front<H>,
    watchers: Watchers<H>,
    policy: PhantomData<P>,
}

impl<P: Policy, H: Host> Pollee<P, H> {
    /// A pollee that nobody watches, of an object of `class`.
    pub fn new(class: H::Class) -> Self {
        Self { front: Front::new(Word::new(), class), watchers: Watchers::new(), policy: PhantomData }
    }

    /// What can be looked at without a lock.
    pub const fn front(&self) -> &Front<H> {
        &self.front
    }

    /// The cached events, or the version at which to compute them.
    #[inline]
    pub fn events(&self) -> Cached {
        self.front.word.events()
    }

    /// Caches `events`, computed after [`events`](Self::events) gave `version`; `false` if they may be old.
    pub fn update_events(&self, version: Version, events: Events) -> bool {
        P::KEEPS && self.front.word.update_events(version, events)
    }

    /// Forgets the cached events, after a change that made nothing ready.
    pub fn clear_events(&self) {
        if P::KEEPS {
            self.front.word.clear_events();
        }
    }

    /// Forgets the cached events, after a change that may have made `hint` ready.
    ///
    /// To be called while the change cannot be observed yet, and the result to be dropped with no lock held:
    /// that wakes the watchers.
    pub fn notify_events<'a, R: Readiness>(
        &'a self,
        hint: Events,
        owner: &'a R,
    ) -> Notification<'a, R, P, H> {
        let seen = if P::KEEPS { self.front.word.clear() } else { self.front.word.fence_and_load() };
        let hint = seen.interests() & hint;
        self.front.count(if hint.is_empty() { Count::Unwatched } else { Count::Watched });
        Notification { pollee: self, owner, hint }
    }

    /// The readiness of `owner`, as far as `interest` asks: cached, or computed and cached.
    #[inline]
    pub fn poll<R: Readiness>(&self, interest: Events, owner: &R) -> Events {
        self.resolve(self.front.word.load(), owner) & interest
    }

    /// Registers `watcher` and *then* gives the present readiness.
    ///
    /// # Errors
    /// [`NoMemory`]; the watcher was dropped.
    pub fn register<R: Readiness>(
        &self,
        watcher: Watcher<H>,
        interest: Events,
        share: Share,
        owner: &R,
    ) -> Result<(Token, Events), NoMemory> {
        if crate::fault::is_seeded(crate::fault::Fault::WatchAfterCompute) {
            let early = self.poll(interest, owner);
            let (token, _) = self.watchers.insert(&self.front, watcher, interest, share)?;
            return Ok((token, early));
        }
        let (token, seen) = self.watchers.insert(&self.front, watcher, interest, share)?;
        Ok((token, self.resolve(seen, owner) & interest))
    }

    /// As [`Watch::set_interest`](crate::Watch::set_interest).
    pub fn set_interest<R: Readiness>(&self, token: &Token, interest: Events, owner: &R) -> Events {
        let seen = self.watchers.set_interest(&self.front, token, interest);
        self.resolve(seen, owner) & interest
    }

    /// As [`Watch::rearm`](crate::Watch::rearm).
    pub fn rearm(&self, token: &Token) {
        self.watchers.rearm(&self.front, token);
    }

    /// As [`Watch::unregister`](crate::Watch::unregister).
    pub fn unregister<R: Readiness>(&self, token: Token, owner: &R) -> Watcher<H> {
        self.watchers.remove(&self.front, token, |interest| self.poll(interest, owner))
    }

    #[inline]
    fn resolve<R: Readiness>(&self, seen: Snapshot, owner: &R) -> Events {
        match seen.cached() {
            Cached::Known(events) => {
                self.front.count(Count::Hit);
                events
            }
            Cached::Unknown(version) => {
                self.front.count(Count::Miss);
                self.front.count(Count::Compute);
                let events = owner.readiness();
                self.update_events(version, events);
                events
            }
        }
    }
}

/// A change that has been noted, and whose watchers have still to be woken. Does so when dropped, which must
/// not happen under a lock.
#[must_use]
pub struct Notification<'a, R: Readiness, P: Policy, H: Host> {
    pollee: &'a Pollee<P, H>,
    owner: &'a R,
    hint: Events,
}

impl<R: Readiness, P: Policy, H: Host> Notification<'_, R, P, H> {
    /// Wakes now.
    pub fn deliver(self) {}
}

impl<R: Readiness, P: Policy, H: Host> Drop for Notification<'_, R, P, H> {
    fn drop(&mut self) {
        let pollee = self.pollee;
        if P::EAGER
            && let Cached::Unknown(version) = pollee.front.word.events()
        {
            pollee.front.count(Count::Compute);
            pollee.update_events(version, self.owner.readiness());
        }
        if !self.hint.is_empty() {
            pollee.watchers.wake(&pollee.front, self.hint);
        }
    }
}

impl<P: Policy, H: Host> fmt::Debug for Pollee<P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(P::NAME).field(&self.front.word).finish()
    }
}
