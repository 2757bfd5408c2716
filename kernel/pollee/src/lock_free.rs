//! The lock-free form: for state that is atomic, or under several locks.
//!
//! Pollux uses it for pidfds: whether a process has ended is an atomic of the process, which changes under a lock of its
//! parent. All other objects have their state behind one lock, and a [`Locked`](crate::Locked) writes its word less often:
//! the lock orders what here takes a version and a read-modify-write for each change.
//!
//! The word is the same, with the same operations; its upper 34 bits are a version, which each change increments.
//! The owner changes its state, *then* calls [`notify_events`](Pollee::notify_events) or
//! [`clear_events`](Pollee::clear_events), before it releases the locks under which the change can be observed, and
//! drops the returned [`Notification`] after.
//!
//! # Why a fill is safe
//! ```text
//! poller                             changer
//! events() = Unknown(v)
//! compute → old readiness
//!                                    change the state
//!                                    notify_events(): version v+1, uncached
//! update_events(v, old): refused
//! ```
//! The other order, change and notify before `events()`, gives the poller version v+1, and its acquire load
//! of what the notifier released makes the computation see the change. A wrong fill needs exactly 2³⁴ changes
//! during one computation, almost three minutes of nothing else at 100 million a second.
//!
//! # Why no wake is lost
//! ```text
//! watcher                            changer
//! register(interest): RMW            change the state
//! compute → not ready, sleep         notify_events(): RMW on the same word
//! ```
//! Two read-modify-writes of one word are ordered. If the watcher's comes first, the changer reads its
//! interest and wakes it. If the changer's comes first, the watcher's RMW acquires it and the computation
//! sees the change. With a plain load in place of the changer's RMW both could miss each other, also on x86:
//! the load may be executed before the store that changed the state.
//!
//! A [`Stateful`](crate::Stateful) host gets what a [`Hybrid`](crate::Hybrid) one gets: to compute after each change
//! would need the owner's locks.

use core::fmt;

use crate::fault::{self, Fault};
use crate::host::Count;
use crate::locked::Readiness;
use crate::watcher::{NoMemory, Token, WakeMode, Watcher};
use crate::watchers::{Notification, Watchers};
use crate::word::{ReadinessHeader, ReadinessWord, SPARE_SHIFT, Snapshot};
use crate::{Events, Host, Policy};

const VERSION_ONE: u64 = 1 << SPARE_SHIFT;

/// The state of the cache at one moment, as the start of a computation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Version(u64);

/// What the word says about readiness.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cached {
    /// The file's readiness.
    Known(Events),
    /// To be computed, and then given to [`Pollee::update_events`] with this version.
    Unknown(Version),
}

/// A versioned readiness word and its watchers.
pub struct Pollee<H: Host> {
    header: ReadinessHeader<H>,
    watchers: Watchers<H>,
}

impl<H: Host> Pollee<H> {
    /// A pollee without watchers, of an object of `class`.
    pub fn new(class: H::Class) -> Self {
        Self { header: ReadinessHeader::new(ReadinessWord::new(), class), watchers: Watchers::new() }
    }

    /// The readiness word, for looks without a lock.
    pub const fn header(&self) -> &ReadinessHeader<H> {
        &self.header
    }

    /// The cached events, or the version at which to compute them.
    #[inline]
    pub fn events(&self) -> Cached {
        cached(self.header.word.load())
    }

    /// Caches `events`, computed after [`events`](Self::events) gave `version`. Refused, with `false`, if the file
    /// was changed since: `events` may then be out of date.
    pub fn update_events(&self, version: Version, events: Events) -> bool {
        let update = |seen| {
            let is_current = version_of(seen) == version || fault::is_seeded(Fault::NoVersionCheck);
            // The version stays: others who compute at this version have the same right to fill.
            is_current.then(|| seen.updated(events))
        };
        H::Policy::CACHES && self.header.word.rewrite(update).is_some()
    }

    /// Forgets the cached events, after a change that made nothing ready.
    pub fn clear_events(&self) {
        if H::Policy::CACHES {
            self.header.word.rewrite(|seen| Some(changed(seen)));
        }
    }

    /// Forgets the cached events, after a change that may have made `hint` ready.
    ///
    /// To be called while the change cannot be observed yet, and the result to be dropped with no lock held:
    /// that wakes the watchers.
    pub fn notify_events(&self, hint: Events) -> Notification<'_, H> {
        let hint = self.interests_after_change() & hint;
        self.header.count(if hint.is_empty() { Count::NotifyUnwatched } else { Count::NotifyWatched });
        Notification::new(&self.header, &self.watchers, hint)
    }

    fn interests_after_change(&self) -> Events {
        let word = &self.header.word;
        if fault::is_seeded(Fault::LoadForNotify) {
            let seen = word.load_relaxed();
            if seen.is_cached() {
                self.clear_events();
            }
            return seen.interests();
        }
        let cleared = H::Policy::CACHES.then(|| word.rewrite(|seen| Some(changed(seen)))).flatten();
        // Without a cache there is nothing to forget, only watchers to be seen.
        cleared.unwrap_or_else(|| word.fence_and_load()).interests()
    }

    /// The readiness of `owner`, as far as `interest` asks: cached, or computed and cached.
    #[inline]
    pub fn poll<R: Readiness>(&self, interest: Events, owner: &R) -> Events {
        self.resolve(self.header.word.load(), owner) & interest
    }

    /// Registers `watcher` and *then* gives the present readiness.
    ///
    /// # Errors
    /// [`NoMemory`]; the watcher was dropped.
    pub fn register<R: Readiness>(
        &self,
        watcher: Watcher<H>,
        interest: Events,
        mode: WakeMode,
        owner: &R,
    ) -> Result<(Token, Events), NoMemory> {
        let (token, seen) = self.watchers.insert(&self.header, watcher, interest, mode)?;
        Ok((token, self.resolve(seen, owner) & interest))
    }

    /// As [`ReadinessSource::set_interest`](crate::ReadinessSource::set_interest).
    pub fn set_interest<R: Readiness>(&self, token: &Token, interest: Events, owner: &R) -> Events {
        let seen = self.watchers.set_interest(&self.header, token, interest);
        self.resolve(seen, owner) & interest
    }

    /// As [`ReadinessSource::rearm`](crate::ReadinessSource::rearm).
    pub fn rearm(&self, token: &Token) {
        self.watchers.rearm(&self.header, token);
    }

    /// As [`ReadinessSource::unregister`](crate::ReadinessSource::unregister).
    pub fn unregister<R: Readiness>(&self, token: Token, owner: &R) -> Watcher<H> {
        self.leave(token, &mut || (), owner)
    }

    /// As [`ReadinessSource::leave`](crate::ReadinessSource::leave).
    pub fn leave<R: Readiness>(&self, token: Token, last_look: &mut dyn FnMut(), owner: &R) -> Watcher<H> {
        self.watchers.remove(&self.header, token, last_look, |interest| self.poll(interest, owner))
    }

    #[inline]
    fn resolve<R: Readiness>(&self, seen: Snapshot, owner: &R) -> Events {
        match cached(seen) {
            Cached::Known(events) => {
                self.header.count(Count::Hit);
                events
            }
            Cached::Unknown(version) => {
                self.header.count(Count::Miss);
                self.header.count(Count::Compute);
                let events = owner.readiness();
                self.update_events(version, events);
                events
            }
        }
    }
}

/// For a host that counts nothing.
impl<H: Host<Class = ()>> Default for Pollee<H> {
    fn default() -> Self {
        Self::new(())
    }
}

const fn version_of(seen: Snapshot) -> Version {
    Version(seen.0 >> SPARE_SHIFT)
}

const fn cached(seen: Snapshot) -> Cached {
    if seen.is_cached() { Cached::Known(seen.events()) } else { Cached::Unknown(version_of(seen)) }
}

/// The next version, with nothing cached. The carry of the last one is lost beyond bit 63.
const fn changed(seen: Snapshot) -> Snapshot {
    Snapshot(seen.cleared().0.wrapping_add(VERSION_ONE))
}

impl<H: Host> fmt::Debug for Pollee<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(H::Policy::NAME).field(&self.header.word).finish()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::{Snapshot, Version, cached, changed, version_of};
    use crate::Events;

    #[test]
    fn a_change_forgets_the_events_and_keeps_the_interests() {
        let seen = Snapshot(0).updated(Events::IN | Events::RDHUP);
        let after = changed(seen);
        assert_eq!(cached(after), super::Cached::Unknown(Version(1)));
        assert_eq!(changed(after.updated(Events::OUT)).interests(), Events::empty());
    }

    #[test]
    fn the_version_wraps_without_touching_the_rest() {
        let after = changed(Snapshot(u64::MAX));
        assert_eq!(after.interests(), Events::all());
        assert_eq!(version_of(after), Version(0));
    }
}
