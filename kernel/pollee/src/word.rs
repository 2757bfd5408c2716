//! The word: cached readiness, the union of watched interests and a version, changed together.
//!
//! ```text
//! 63          30 29       16   15   14        0
//! [ version 34 | interests | cached | events  ]
//! ```
//!
//! Owns: when a cached answer is valid.   Not here: who watches (`watchers`), what readiness is (the object).
//! Invariant: while `cached` is set and nobody is in the middle of a change, `events` is the readiness that
//! a computation would give.
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
//! watch(interest): RMW on the word   change the state
//! compute → not ready, sleep         notify_events(): RMW on the same word
//! ```
//! Two read-modify-writes of one word are ordered. If the watcher's comes first, the changer reads its
//! interest and wakes it. If the changer's comes first, the watcher's RMW acquires it and the computation
//! sees the change. With a plain load in place of the changer's RMW both could miss each other, also on x86:
//! the load may be executed before the store that changed the state.

use crate::events::{self, Events};
use crate::fault::{self, Fault};
use crate::sync::{AtomicU64, Ordering};

const CACHED: u64 = 1 << 15;
const SET: u64 = (1 << events::BITS) - 1;
const INTERESTS_SHIFT: u32 = 16;
const INTERESTS: u64 = SET << INTERESTS_SHIFT;
const VERSION_SHIFT: u32 = INTERESTS_SHIFT + events::BITS;
const VERSION_ONE: u64 = 1 << VERSION_SHIFT;

/// The atomic word of a pollee.
#[derive(Debug)]
pub struct Word(AtomicU64);

/// The state of the cache at one moment, as the start of a computation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Version(u64);

/// What the word says about readiness.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cached {
    /// The file's readiness.
    Known(Events),
    /// To be computed, and then given to [`Word::update_events`] with this version.
    Unknown(Version),
}

/// One value that the word had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Snapshot(u64);

const fn bits(events: Events) -> u64 {
    events.bits() as u64
}

impl Snapshot {
    pub(crate) const fn is_cached(self) -> bool {
        self.0 & CACHED != 0
    }

    pub(crate) const fn events(self) -> Events {
        Events::from_bits_truncate(self.0 as u16)
    }

    pub(crate) const fn interests(self) -> Events {
        Events::from_bits_truncate((self.0 >> INTERESTS_SHIFT) as u16)
    }

    pub(crate) const fn cached(self) -> Cached {
        if self.is_cached() { Cached::Known(self.events()) } else { Cached::Unknown(self.version()) }
    }

    pub(crate) const fn version(self) -> Version {
        Version(self.0 >> VERSION_SHIFT)
    }

    /// The next version, with nothing cached.
    const fn cleared(self) -> Self {
        Self(self.0.wrapping_add(VERSION_ONE) & !(CACHED | SET))
    }

    /// The next version, with `events` cached. The interests stay: losing one would lose a wake.
    const fn published(self, events: Events) -> Self {
        Self(self.cleared().0 | CACHED | bits(events))
    }
}

impl Word {
    /// A word that knows nothing and that nobody watches.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// A word that begins with `events` cached.
    pub(crate) fn with_events(events: Events) -> Self {
        Self(AtomicU64::new(CACHED | bits(events)))
    }

    /// Reads the cache: one load.
    #[inline]
    pub fn events(&self) -> Cached {
        self.load().cached()
    }

    /// Caches `events`, which were computed after [`events`](Self::events) gave `version`.
    ///
    /// Refused, with `false`, if the file was changed since: `events` may then be out of date.
    pub fn update_events(&self, version: Version, events: Events) -> bool {
        self.rewrite(|seen| {
            let is_current = seen.version() == version || fault::is_seeded(Fault::NoVersionCheck);
            // The version stays: whoever else computes at this version has the same right to fill.
            is_current.then_some(Snapshot(seen.0 & !SET | CACHED | bits(events)))
        })
        .is_some()
    }

    /// Drops the cache after a change that no watcher needs to hear of.
    pub fn clear_events(&self) {
        self.rewrite(|seen| Some(seen.cleared()));
    }

    /// Drops the cache after a change, and returns which of `hint` somebody watches for.
    ///
    /// The caller wakes those watchers after it has released its locks.
    #[must_use]
    pub fn notify_events(&self, hint: Events) -> Events {
        self.clear().interests() & hint
    }

    /// As [`notify_events`](Self::notify_events); returns the whole word before.
    pub(crate) fn clear(&self) -> Snapshot {
        if fault::is_seeded(Fault::LoadForNotify) {
            let seen = self.load_relaxed();
            if seen.is_cached() {
                self.clear_events();
            }
            return seen;
        }
        self.rewrite(|seen| Some(seen.cleared())).unwrap_or_else(|| self.load())
    }

    /// Reads the word after a change, ordered as a read-modify-write, without dirtying the line.
    ///
    /// For a policy that never caches: there is nothing to drop, only watchers to be seen.
    pub(crate) fn fence_and_load(&self) -> Snapshot {
        if fault::is_seeded(Fault::LoadForNotify) {
            return self.load_relaxed();
        }
        Snapshot(self.0.fetch_or(0, Ordering::AcqRel))
    }

    #[inline]
    pub(crate) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// For a holder of the owner's lock, which orders all that matters (`locked`).
    #[inline]
    pub(crate) fn load_relaxed(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Relaxed))
    }

    /// Caches `events` whatever the version; for a holder of the owner's lock (`locked`). Returns the word
    /// before.
    pub(crate) fn publish(&self, events: Events) -> Snapshot {
        self.rewrite(|seen| {
            let after = seen.published(events);
            if fault::is_seeded(Fault::PublishDropsInterests) {
                return Some(Snapshot(after.0 & !INTERESTS));
            }
            Some(after)
        })
        .unwrap_or_else(|| self.load())
    }

    /// Adds `interest` to what is watched for; under the list lock (`watchers`). Returns the word before.
    pub(crate) fn watch(&self, interest: Events) -> Snapshot {
        Snapshot(self.0.fetch_or(bits(interest) << INTERESTS_SHIFT, Ordering::AcqRel))
    }

    /// Takes `interests` out of what is watched for; under the list lock (`watchers`).
    pub(crate) fn unwatch(&self, interests: Events) {
        self.0.fetch_and(!(bits(interests) << INTERESTS_SHIFT), Ordering::AcqRel);
    }

    /// Applies `change` until it meets an unchanged word; the word before, or `None` if `change` refused.
    #[inline]
    fn rewrite(&self, mut change: impl FnMut(Snapshot) -> Option<Snapshot>) -> Option<Snapshot> {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                change(Snapshot(word)).map(|after| after.0)
            })
            .ok()
            .map(Snapshot)
    }
}

impl Default for Word {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(any(feature = "loom", feature = "shuttle"))))]
mod tests {
    use super::{Cached, Word};
    use crate::Events;

    fn version(word: &Word) -> super::Version {
        match word.events() {
            Cached::Unknown(version) => version,
            Cached::Known(events) => panic!("cached {events:?}"),
        }
    }

    #[test]
    fn a_fill_is_kept_until_the_next_change() {
        let word = Word::new();
        assert!(word.update_events(version(&word), Events::IN | Events::RDHUP));
        assert_eq!(word.events(), Cached::Known(Events::IN | Events::RDHUP));
        word.clear_events();
        version(&word);
    }

    #[test]
    fn a_fill_that_a_change_overtook_is_refused() {
        let word = Word::new();
        let before = version(&word);
        assert!(word.notify_events(Events::IN).is_empty());
        assert!(!word.update_events(before, Events::OUT));
        assert!(word.update_events(version(&word), Events::OUT));
    }

    #[test]
    fn nothing_but_unwatch_loses_an_interest() {
        let word = Word::new();
        word.watch(Events::IN | Events::HUP);
        assert!(word.update_events(version(&word), Events::OUT));
        word.publish(Events::all());
        word.clear_events();
        assert_eq!(word.notify_events(Events::IN | Events::OUT), Events::IN);
        word.unwatch(Events::IN);
        assert_eq!(word.notify_events(Events::all()), Events::HUP);
    }

    #[test]
    fn the_version_wraps_without_touching_the_rest() {
        let word = Word(core::sync::atomic::AtomicU64::new(u64::MAX));
        word.clear_events();
        assert_eq!(word.load().interests(), Events::all());
        assert_eq!(word.load().version(), super::Version(0));
    }
}
