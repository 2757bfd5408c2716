//! Access to a locked state; the end of a change.
//!
//! Why: decision 0099.

use core::ops::{Deref, DerefMut};

use super::{Locked, Readiness};
#[cfg(loom)]
use crate::fault::{self, Fault};
use crate::host::{Count, Lock};
use crate::notification::Notification;
use crate::{Events, Host, Policy};

/// Exclusive access to the state, for a change.
#[must_use]
pub struct Guard<'a, S: Readiness + Send + 'static, H: Host, L: Lock<S> + 'a = <H as Host>::OwnerLock<S>> {
    // Fields drop in this order: the lock is released, then watchers are woken.
    state: L::Guard<'a>,
    notification: Notification<'a, H>,
    /// Readiness before the change; `None` if nothing was cached and nobody watched.
    before: Option<Events>,
    raised: Events,
}

impl<'a, S: Readiness + Send + 'static, H: Host, L: Lock<S>> Guard<'a, S, H, L> {
    #[inline]
    pub(super) fn new(object: &'a Locked<S, H, L>) -> Self {
        let state = object.state.lock();
        let seen = object.header.word.load_relaxed();
        let before = if seen.is_cached() {
            Some(seen.events())
        } else if seen.interests().is_empty() {
            // Nobody is owed anything: a watcher that registers from now on must compute after this change.
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
            self.notification.set(hint);
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
    pub(super) const fn new(state: L::Guard<'a>) -> Self {
        Self(state)
    }
}

impl<S, L: Lock<S>> Deref for ReadGuard<'_, S, L> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}
