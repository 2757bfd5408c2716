//! An object whose state is behind one lock: publishing cannot be forgotten.
//!
//! Owns: the state, and the word that follows it.   Not here: who watches (`watchers`).
//! Invariant: whenever the owner's lock is free and the word is cached, its events are the state's readiness.
//!
//! # Why a load suffices where the raw word needs a read-modify-write
//! The word is written under the owner's lock, except for the interests. At the end of a change the guard
//! loads the word; there are three cases.
//!
//! *Not cached.* A watcher must compute, under the same lock, so one of two critical sections comes first:
//! ```text
//! watcher                            changer
//! interests |= IN (RMW)              lock; change; load the word; unlock
//! lock; compute; fill; unlock
//! ```
//! If the changer's section is first, the computation sees the change. If the watcher's is first, the lock
//! makes the changer's load see the interest, and it wakes.
//!
//! *Cached, and still right.* Readiness did not change, so no sleeper is owed a wake. (Edge-triggered
//! watchers are told by the interests in the loaded word. A watcher whose interest that load misses has not
//! yet read the word in which it is cached that the file is ready.)
//!
//! *Cached, and wrong now.* Publishing is a read-modify-write, and the watcher's registration is one of the
//! same word: either the changer reads the interest, or the watcher reads the new readiness. A load in its
//! place loses the wake.
//!
//! No case depends on the memory order of the word itself: the lock orders the rest.
//!
//! # Why publish under the lock and wake after it
//! ```text
//! A                                  B
//! close; unlock
//!                                    lock; read → end of file; unlock
//!                                    poll → cached "not hung up"
//! publish
//! ```
//! Publishing after the lock would let B see the readiness from before a change that it has observed, and
//! would let a level-triggered waiter spin on a cached "readable" whose item another thread has taken.
//! Waking under the lock would run the scheduler there, and send the woken task straight into it.

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use crate::fault::{self, Fault};
use crate::front::Front;
use crate::host::{Count, Lock, Taker};
use crate::watch::{NoMemory, Share, Token, Watch};
use crate::watchers::Watchers;
use crate::word::{Snapshot, Word};
use crate::{Events, Host, Policy, Watcher};

/// Readiness as one pure function of the state.
pub trait Readiness {
    /// What an operation on this state would find. An event that is set promises that its operation does not
    /// block; it must depend on nothing but `self`.
    fn readiness(&self) -> Events;
}

type OwnerLock<S, H> = <H as Host>::OwnerLock<S>;
type OwnerGuard<'a, S, H> = <OwnerLock<S, H> as Lock<S>>::Guard<'a>;

/// A state `S` behind a lock, with the readiness that follows from it and those who watch it.
// In this order: the word lies on the cache line of the lock that its writers hold.
#[repr(C)]
pub struct Locked<S: Readiness + Send + 'static, P: Policy, H: Host> {
    front: Front<H>,
    state: OwnerLock<S, H>,
    watchers: Watchers<H>,
    policy: PhantomData<P>,
}

impl<S: Readiness + Send + 'static, P: Policy, H: Host> Locked<S, P, H> {
    /// Wraps `state`, an object of `class`.
    pub fn new(class: H::Class, state: S) -> Self {
        Self::with_lock(class, Lock::new(state))
    }

    /// As [`new`](Self::new), for a host whose locks are not all made alike.
    pub fn with_lock(class: H::Class, state: H::OwnerLock<S>) -> Self {
        let word = if P::EAGER { Word::with_events(state.lock().readiness()) } else { Word::new() };
        Self { front: Front::new(word, class), state, watchers: Watchers::new(), policy: PhantomData }
    }

    /// Locks the state for a change. Whatever the change does to readiness is published when the guard goes,
    /// and watchers are woken after the lock is free.
    #[inline]
    pub fn lock(&self) -> Guard<'_, S, P, H> {
        let state = self.state.lock();
        let seen = self.front.word.load_relaxed();
        let before = if seen.is_cached() {
            Some(seen.events())
        } else if seen.interests().is_empty() {
            // Nobody is owed anything: who registers from now on must compute after this change.
            None
        } else {
            self.front.count(Count::Compute);
            Some(state.readiness())
        };
        Guard {
            state,
            before,
            activity: Events::empty(),
            is_published: false,
            wakeup: Wakeup {
                front: &self.front,
                watchers: &self.watchers,
                hint: Events::empty(),
                #[cfg(feature = "loom")]
                late: None,
            },
            policy: PhantomData,
        }
    }

    /// Locks the state to look at it. Writes nothing and wakes nobody.
    pub fn read(&self) -> ReadGuard<'_, S, H> {
        ReadGuard(self.state.lock())
    }

    /// The file's readiness, as far as `interest` asks.
    #[inline]
    pub fn poll(&self, interest: Events) -> Events {
        self.resolve(self.front.word.load()) & interest
    }

    /// What can be looked at without a lock.
    pub const fn front(&self) -> &Front<H> {
        &self.front
    }

    /// Tells the watchers of `hint` as if it had just happened, with no change of the state.
    ///
    /// For a wake that was [deferred](Wakeup::defer). No lock may be held.
    pub fn wake(&self, hint: Events) {
        self.wakeup(hint & self.front.word.load().interests()).deliver();
    }

    /// Tells one exclusive watcher of `hint`, who may find what the caller has left. No lock may be held.
    pub fn wake_one(&self, hint: Events) {
        if self.front.word.load().interests().intersects(hint) {
            self.watchers.wake_one(&self.front, hint);
        }
    }

    fn wakeup(&self, hint: Events) -> Wakeup<'_, H> {
        Wakeup {
            front: &self.front,
            watchers: &self.watchers,
            hint,
            #[cfg(feature = "loom")]
            late: None,
        }
    }

    /// The readiness in `seen`, or computed now if it is not there.
    #[inline]
    fn resolve(&self, seen: Snapshot) -> Events {
        if P::KEEPS && seen.is_cached() {
            self.front.count(Count::Hit);
            seen.events()
        } else {
            self.compute()
        }
    }

    /// Computes and fills in one critical section of the owner's lock.
    fn compute(&self) -> Events {
        self.front.count(Count::Miss);
        self.front.count(Count::Compute);
        let state = self.state.lock();
        let events = state.readiness();
        if P::KEEPS {
            self.front.word.publish(events);
        }
        drop(state);
        events
    }
}

impl<S: Readiness + Send + 'static, P: Policy, H: Host> Watch<H> for Locked<S, P, H> {
    fn register(
        &self,
        watcher: Watcher<H>,
        interest: Events,
        share: Share,
    ) -> Result<(Token, Events), NoMemory> {
        let early = fault::is_seeded(Fault::WatchAfterCompute).then(|| self.poll(interest));
        let (token, seen) = self.watchers.insert(&self.front, watcher, interest, share)?;
        let ready = match early {
            Some(ready) => ready,
            None => self.resolve(seen) & interest,
        };
        Ok((token, ready))
    }

    fn set_interest(&self, token: &Token, interest: Events) -> Events {
        let seen = self.watchers.set_interest(&self.front, token, interest);
        self.resolve(seen) & interest
    }

    fn rearm(&self, token: &Token) {
        self.watchers.rearm(&self.front, token);
    }

    fn unregister(&self, token: Token) -> Watcher<H> {
        self.watchers.remove(&self.front, token, |interest| self.poll(interest))
    }

    fn count(&self, what: Count) {
        self.front.count(what);
    }
}

/// Exclusive access to the state, for a change.
#[must_use]
pub struct Guard<'a, S: Readiness + Send + 'static, P: Policy, H: Host> {
    // Fields drop in this order: the lock is released, then watchers are woken.
    state: OwnerGuard<'a, S, H>,
    wakeup: Wakeup<'a, H>,
    /// Readiness before the change; `None` if nobody watched then.
    before: Option<Events>,
    activity: Events,
    is_published: bool,
    policy: PhantomData<P>,
}

impl<'a, S: Readiness + Send + 'static, P: Policy, H: Host> Guard<'a, S, P, H> {
    /// Reports that `events` happened, even if the file was ready for them before.
    ///
    /// Edge-triggered watchers hear of each such report, as do exclusive ones: a pipe reports `IN` for every
    /// write. It is passed on as it is, true or not: on Linux an eventfd's write of 0 says `IN`, too, and who
    /// hears it asks what is ready. Forgetting it costs edges, never a level-triggered wake.
    pub fn report(&mut self, events: Events) {
        self.activity |= events;
    }

    /// Ends the change and releases the lock, but leaves the wake to the caller, who holds other locks.
    pub fn release(mut self) -> Wakeup<'a, H> {
        self.publish();
        self.wakeup.take()
    }

    fn publish(&mut self) {
        if core::mem::replace(&mut self.is_published, true) {
            return;
        }
        let mut seen = self.wakeup.front.word.load_relaxed();
        let Some(before) = self.before else {
            return;
        };
        self.wakeup.front.count(Count::Compute);
        let after = self.state.readiness();
        if seen.is_cached() && after != before {
            #[cfg(feature = "loom")]
            if fault::is_seeded(Fault::PublishAfterUnlock) {
                self.wakeup.late = Some(after);
            }
            if !fault::is_seeded(Fault::PublishAfterUnlock) {
                let published = self.wakeup.front.word.publish(after);
                if !fault::is_seeded(Fault::LoadForPublish) {
                    seen = published;
                }
            }
        }
        let happened = (after - before) | self.activity;
        if happened.is_empty() {
            return;
        }
        self.wakeup.hint = happened & seen.interests();
        let count = if self.wakeup.is_empty() { Count::Unwatched } else { Count::Watched };
        self.wakeup.front.count(count);
    }
}

impl<S: Readiness + Send + 'static, P: Policy, H: Host> Deref for Guard<'_, S, P, H> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.state
    }
}

impl<S: Readiness + Send + 'static, P: Policy, H: Host> DerefMut for Guard<'_, S, P, H> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.state
    }
}

impl<S: Readiness + Send + 'static, P: Policy, H: Host> Drop for Guard<'_, S, P, H> {
    fn drop(&mut self) {
        self.publish();
    }
}

/// Shared access to the state, that can change nothing.
#[must_use]
pub struct ReadGuard<'a, S: Readiness + Send + 'static, H: Host>(OwnerGuard<'a, S, H>)
where
    H::OwnerLock<S>: 'a;

impl<S: Readiness + Send + 'static, H: Host> Deref for ReadGuard<'_, S, H> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

/// A wake that is owed. Delivered when dropped, which must not happen under a lock.
#[must_use]
pub struct Wakeup<'a, H: Host> {
    front: &'a Front<H>,
    watchers: &'a Watchers<H>,
    hint: Events,
    /// What the seeded fault publishes too late.
    #[cfg(feature = "loom")]
    late: Option<Events>,
}

impl<H: Host> Wakeup<'_, H> {
    /// Whether nobody watches for what happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hint.is_empty()
    }

    /// Whether among them is a task that would use the event up.
    #[must_use]
    pub fn taker(&self) -> Taker {
        if self.watchers.has_taker() { Taker::Waits } else { Taker::Missing }
    }

    /// Wakes now.
    pub fn deliver(self) {}

    /// Gives up the wake, which the caller passes to [`Locked::wake`] once its locks are gone.
    #[must_use]
    pub fn defer(mut self) -> Events {
        core::mem::take(&mut self.hint)
    }

    fn take(&mut self) -> Self {
        Self {
            hint: core::mem::take(&mut self.hint),
            #[cfg(feature = "loom")]
            late: self.late.take(),
            ..*self
        }
    }
}

impl<H: Host> Drop for Wakeup<'_, H> {
    fn drop(&mut self) {
        #[cfg(feature = "loom")]
        if let Some(late) = self.late.take() {
            self.hint |= late & self.front.word.publish(late).interests();
        }
        if !self.hint.is_empty() {
            self.watchers.wake(self.front, self.hint);
        }
    }
}

impl<S: Readiness + Send + 'static, P: Policy, H: Host> fmt::Debug for Locked<S, P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(P::NAME).field(&self.front.word).finish()
    }
}
