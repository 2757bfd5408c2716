//! The readiness word: cached events and the union of watched interests, in one atomic variable.
//!
//! ```text
//! 63        30 29       16   15   14        0
//! [ 0 or version | interests | cached | events ]
//! ```
//!
//! | operation | caller | effect |
//! |---|---|---|
//! | [`events`](ReadinessWord::events) | a poll | one load: the readiness, if it is cached |
//! | [`update_events`](ReadinessWord::update_events) | a poll that missed | caches what it computed |
//! | [`notify_events`](ReadinessWord::notify_events) | a change | makes the cache right, returns the interests |
//! | [`clear_events`](ReadinessWord::clear_events) | a change | forgets the cache |
//!
//! Owns: the layout and the atomic operations.   Not here: locks, computing readiness (`locked`), the watchers
//! whose interests these are (`watchers`), versions (`lock_free`).
//! Invariant: *events* is zero unless *cached* is set. Events change under the owner's lock only, interests under
//! the list lock only, so each side sees the other's half change under it and never its own.
//!
//! `locked` has the argument why no wake is lost. A `Locked` leaves bits 30 to 63 zero.
//!
//! Why: decision 0054.

use crate::Host;
use crate::events::{self, Events};
use crate::fault::{self, Fault};
use crate::host::Count;
use crate::sync::{AtomicU64, Ordering, const_fn};

const CACHED: u64 = 1 << 15;
const EVENTS: u64 = (1 << events::BITS) - 1;
const INTERESTS_SHIFT: u32 = 16;
/// The first bit that is neither event nor interest.
pub(crate) const SPARE_SHIFT: u32 = INTERESTS_SHIFT + events::BITS;

/// The atomic word of one file.
#[derive(Debug)]
pub struct ReadinessWord(AtomicU64);

/// One value that the word had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Snapshot(pub(crate) u64);

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

    /// The same word with nothing cached.
    pub(crate) const fn cleared(self) -> Self {
        Self(self.0 & !(CACHED | EVENTS))
    }

    /// The same word with `events` cached. The interests stay: losing one would lose a wake.
    pub(crate) const fn updated(self, events: Events) -> Self {
        Self(self.cleared().0 | CACHED | bits(events))
    }
}

impl ReadinessWord {
    const_fn! {
        /// A word with nothing cached and no interests.
        #[must_use]
        pub fn new() -> Self {
            Self(AtomicU64::new(0))
        }

        /// A word with `events` cached and no interests.
        pub(crate) fn with_events(events: Events) -> Self {
            Self(AtomicU64::new(CACHED | bits(events)))
        }
    }

    /// The readiness, if it is cached: one load.
    #[inline]
    pub fn events(&self) -> Option<Events> {
        let seen = self.load();
        seen.is_cached().then(|| seen.events())
    }

    /// Caches `events`, which the caller has computed under the owner's lock and still holds it.
    #[inline]
    pub(crate) fn update_events(&self, events: Events) {
        let seen = self.load_relaxed();
        if seen.is_cached() {
            // Another poll has cached them meanwhile; the state has not changed since.
            debug_assert_eq!(seen.events(), events, "readiness depends on more than the state");
        } else if fault::is_seeded(Fault::UpdateDropsInterests) {
            self.0.store(CACHED | bits(events), Ordering::Release);
        } else {
            // Nothing was cached, so these bits are zero, and no other thread writes them now.
            self.0.fetch_or(CACHED | bits(events), Ordering::AcqRel);
        }
    }

    /// Makes the cache right after a change from `before` to `after`, under the owner's lock, and returns the
    /// interests of the watchers. The caller notifies those that are concerned, once its locks are gone.
    ///
    /// The three cases are those of `locked`: only a cache that has become wrong takes a read-modify-write.
    #[inline]
    pub(crate) fn notify_events(&self, before: Events, after: Events) -> Events {
        let seen = self.load_relaxed();
        if !seen.is_cached() || before == after || fault::is_seeded(Fault::LockedNotifyAfterUnlock) {
            return seen.interests();
        }
        if fault::is_seeded(Fault::UpdateDropsInterests) {
            return Snapshot(self.0.swap(CACHED | bits(after), Ordering::AcqRel)).interests();
        }
        // The cached events are `before`, and no other thread writes them now. So adding the difference replaces
        // them, touches no other bit, and needs no loop.
        let difference = bits(after).wrapping_sub(bits(before));
        let old = Snapshot(self.0.fetch_add(difference, Ordering::AcqRel));
        let exact = if fault::is_seeded(Fault::LockedLoadForNotify) { seen } else { old };
        exact.interests()
    }

    /// What the seeded fault writes too late, where something is cached.
    #[cfg(loom)]
    pub(crate) fn replace_late(&self, events: Events) -> Events {
        let old = self.rewrite(|seen| seen.is_cached().then(|| seen.updated(events)));
        old.map_or(Events::empty(), Snapshot::interests)
    }

    /// Forgets the cache after a change, under the owner's lock, and leaves the computation to the next poll. `false`,
    /// with nothing done, if there are interests: then the change has to [notify](Self::notify_events).
    #[inline]
    pub(crate) fn clear_events(&self) -> bool {
        let seen = self.load_relaxed();
        if fault::is_seeded(Fault::ClearUnconditionally) && seen.interests().is_empty() {
            self.0.fetch_and(!(CACHED | EVENTS), Ordering::AcqRel);
            return true;
        }
        seen.interests().is_empty()
            && self.0.compare_exchange(seen.0, seen.cleared().0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Adds `interest`; under the list lock. Returns the word before, from which the watcher learns readiness.
    pub(crate) fn watch(&self, interest: Events) -> Snapshot {
        Snapshot(self.0.fetch_or(bits(interest) << INTERESTS_SHIFT, Ordering::AcqRel))
    }

    /// Takes `interests` out; under the list lock.
    pub(crate) fn unwatch(&self, interests: Events) {
        self.0.fetch_and(!(bits(interests) << INTERESTS_SHIFT), Ordering::AcqRel);
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

    /// Reads the word with the order of a read-modify-write; on x86 without dirtying its line.
    pub(crate) fn fence_and_load(&self) -> Snapshot {
        Snapshot(self.0.fetch_or(0, Ordering::AcqRel))
    }

    /// Applies `change` until it meets an unchanged word. Returns the word before, or `None` if `change` refused.
    pub(crate) fn rewrite(&self, mut change: impl FnMut(Snapshot) -> Option<Snapshot>) -> Option<Snapshot> {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                change(Snapshot(word)).map(|after| after.0)
            })
            .ok()
            .map(Snapshot)
    }
}

impl Default for ReadinessWord {
    fn default() -> Self {
        Self::new()
    }
}

/// The readiness word of a file, and the class of object for which its events are counted.
///
/// A caller that polls thousands of files can hold each file's header and skip the virtual call.
pub struct ReadinessHeader<H: Host> {
    pub(crate) word: ReadinessWord,
    class: H::Class,
}

impl<H: Host> ReadinessHeader<H> {
    pub(crate) const fn new(word: ReadinessWord, class: H::Class) -> Self {
        Self { word, class }
    }

    /// The file's readiness, if it is cached: one load. The caller counts the [`Count::Hit`]. On `None` it polls
    /// the file, which counts by itself.
    #[inline]
    pub fn events(&self) -> Option<Events> {
        self.word.events()
    }

    /// The class of object.
    #[inline]
    pub const fn class(&self) -> H::Class {
        self.class
    }

    #[inline]
    pub(crate) fn count(&self, what: Count) {
        H::count(self.class, what);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::ReadinessWord;
    use crate::Events;

    #[test]
    fn an_update_is_kept_until_it_is_cleared() {
        let word = ReadinessWord::new();
        assert_eq!(word.events(), None);
        word.update_events(Events::IN | Events::RDHUP);
        assert_eq!(word.events(), Some(Events::IN | Events::RDHUP));
        assert!(word.clear_events());
        assert_eq!(word.events(), None);
    }

    #[test]
    fn a_change_replaces_what_is_cached_and_caches_nothing_new() {
        let word = ReadinessWord::new();
        assert_eq!(word.notify_events(Events::empty(), Events::IN), Events::empty());
        assert_eq!(word.events(), None);
        word.update_events(Events::IN | Events::OUT);
        for (before, after) in [
            (Events::IN | Events::OUT, Events::RDHUP),
            (Events::RDHUP, Events::empty()),
            (Events::empty(), Events::all()),
            (Events::all(), Events::IN),
        ] {
            word.notify_events(before, after);
            assert_eq!(word.events(), Some(after));
        }
    }

    #[test]
    fn nothing_but_unwatch_loses_an_interest() {
        let word = ReadinessWord::new();
        word.watch(Events::IN | Events::HUP);
        word.update_events(Events::OUT);
        assert_eq!(word.notify_events(Events::OUT, Events::all()), Events::IN | Events::HUP);
        assert_eq!(word.notify_events(Events::all(), Events::empty()), Events::IN | Events::HUP);
        assert!(!word.clear_events(), "a change for which a watcher may wait");
        word.unwatch(Events::IN);
        assert_eq!(word.load().interests(), Events::HUP);
    }
}
