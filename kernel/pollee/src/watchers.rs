//! The watchers of one file: the list under its lock, kept in step with the word's interests.
//!
//! Owns: the list lock, registration, choice and delivery.   Not here: the order in the list (`list`).
//! Invariant: under the list lock, the word's interests cover the interest of every eligible watcher: of
//! all in the list but the exclusive ones that are chosen, which are awake and will look for themselves.
//!
//! # Why only list operations clear interests, under the list lock
//! ```text
//! leaver                             newcomer
//! lock; unlink; none is left; unlock
//!                                    lock; push; interests |= IN; unlock
//! interests = 0                      compute → not ready, sleep
//! ```
//! The newcomer would sleep unseen. Under the lock, the leaver's clearing comes before the newcomer's
//! setting or does not happen.
//!
//! # Why an exclusive watcher that leaves hands on
//! A watcher is chosen under the list lock and may at that very moment be leaving, because its try succeeded
//! on an earlier event, because its time is up, or because it is killed. Only the removal, under the same
//! lock, can tell. If the file is still ready the event is still there, and its next taker is chosen. If it is
//! not ready, another thread has used it, and choosing would be a wake that finds nothing.
//!
//! An event that an entry of a ready list has taken is not seen that way: its next taker may wait on another list. So a
//! watcher that gives up looks once more if it was chosen meanwhile, and takes what it was chosen for.

use alloc::sync::Arc;
// Not the model checker's: a hint, by which nothing is ordered.
use core::sync::atomic::{AtomicU32, Ordering};

use crate::fault::{self, Fault};
use crate::host::{Count, Lock, Wake};
use crate::list::{List, Removed, Visit, Walk};
use crate::ready_list::{Enqueued, ReadyListEntry};
use crate::slots::Slots;
use crate::watcher::{NoMemory, Observe, Token, WakeMode, Watcher};
use crate::word::{ReadinessHeader, Snapshot};
use crate::{Events, Host};

/// Handles collected under the list lock at a time; more watchers take more rounds.
const BATCH: usize = 8;

/// A handle that was collected under the list lock, to be used without it.
enum Collected<H: Host> {
    Task(H::Task),
    Entry(ReadyListEntry<H>),
    Observer(Arc<dyn Observe>, Events),
}

/// The watchers of a file, beside its [`ReadinessHeader`].
pub(crate) struct Watchers<H: Host> {
    list: H::ListLock<List<H>>,
    /// What [`List::exclusive_tasks`] was when the list lock was last released.
    exclusive_tasks: AtomicU32,
}

impl<H: Host> Watchers<H> {
    pub(crate) fn new() -> Self {
        Self::with_list(Lock::new(List::new()))
    }

    /// No watchers, in an empty list that is behind its lock already.
    pub(crate) const fn with_list(list: H::ListLock<List<H>>) -> Self {
        Self { list, exclusive_tasks: AtomicU32::new(0) }
    }

    /// Registers, and returns the word as it was at that moment: readiness is decided from this or later.
    pub(crate) fn insert(
        &self,
        header: &ReadinessHeader<H>,
        watcher: Watcher<H>,
        interest: Events,
        mode: WakeMode,
    ) -> Result<(Token, Snapshot), NoMemory> {
        let mut list = Slots::reserve(|| self.list.lock(), |list| &mut list.slots)?;
        let token = list.push(watcher, interest, mode);
        self.note_exclusive_tasks(&list);
        let seen = header.word.watch(interest);
        drop(list);
        Ok((token, seen))
    }

    /// Replaces an interest, and returns the word as it was at that moment.
    pub(crate) fn set_interest(
        &self,
        header: &ReadinessHeader<H>,
        token: &Token,
        interest: Events,
    ) -> Snapshot {
        let mut list = self.list.lock();
        list.set_interest(token, interest);
        header.word.watch(interest)
    }

    pub(crate) fn rearm(&self, header: &ReadinessHeader<H>, token: &Token) {
        let mut list = self.list.lock();
        let interest = list.rearm(token);
        self.note_exclusive_tasks(&list);
        header.word.watch(interest);
    }

    /// Unregisters; `poll` says how far the file is still ready for an interest, if that matters. `last_look` as in
    /// [`ReadinessSource::leave`](crate::ReadinessSource::leave).
    pub(crate) fn remove(
        &self,
        header: &ReadinessHeader<H>,
        token: Token,
        last_look: &mut dyn FnMut(),
        poll: impl FnOnce(Events) -> Events,
    ) -> Watcher<H> {
        let Removed { watcher, interest, is_chosen, must_hand_off } = self.unlink(header, token);
        if is_chosen {
            last_look();
        }
        if must_hand_off && !fault::is_seeded(Fault::NoHandoff) {
            let left = poll(interest);
            if !left.is_empty() {
                self.hand_on(header, left);
            }
        }
        watcher
    }

    fn unlink(&self, header: &ReadinessHeader<H>, token: Token) -> Removed<H> {
        let mut list = self.list.lock();
        let removed = list.remove(token);
        self.note_exclusive_tasks(&list);
        if !list.has_eligible() {
            if fault::is_seeded(Fault::UnwatchOutsideLock) {
                drop(list);
                header.word.unwatch(Events::all());
                return removed;
            }
            header.word.unwatch(Events::all());
        }
        removed
    }

    /// Notifies all watchers that are interested in `hint`, and one exclusive one; the file was not ready for `gained`
    /// before. No lock may be held.
    #[inline]
    pub(crate) fn notify(&self, header: &ReadinessHeader<H>, hint: Events, gained: Events) {
        self.deliver(header, Walk::new(hint), gained);
    }

    /// Wakes one exclusive watcher that is interested in `hint`, and no other. No lock may be held.
    pub(crate) fn hand_on(&self, header: &ReadinessHeader<H>, hint: Events) {
        self.deliver(header, Walk::exclusive(hint), Events::empty());
    }

    /// Walks in rounds of [`BATCH`]: collect under the lock, wake and drop the handles after it. An entry whose list
    /// has watchers ends its round, so that an epoll around this one is notified before the watchers that come next
    /// are notified of the event itself: ready items keep the order that Linux gives them.
    fn deliver(&self, header: &ReadinessHeader<H>, mut walk: Walk, gained: Events) {
        let mut is_met = walk.is_exclusive();
        while !walk.is_done() {
            let mut batch: heapless::Vec<Collected<H>, BATCH> = heapless::Vec::new();
            let mut ends_round = false;
            let mut list = self.list.lock();
            list.visit(&mut walk, |watcher, met| {
                if ends_round || batch.is_full() {
                    return Visit::Full;
                }
                is_met = true;
                // In each case there is room: it was asked above.
                match watcher {
                    Watcher::Task(task) => {
                        let _ = batch.push(Collected::Task(task.clone()));
                    }
                    Watcher::PersistentRegistration(registration) => {
                        let Some(task) = registration.claim_wake() else { return Visit::Passed };
                        let _ = batch.push(Collected::Task(task.clone()));
                    }
                    Watcher::Observer(observer) => {
                        let _ = batch.push(Collected::Observer(Arc::clone(observer), met));
                    }
                    Watcher::ReadyListEntry(entry) => {
                        header.count(Count::Wake);
                        let enqueued = entry.enqueue();
                        if enqueued == Enqueued::Unwatched {
                            return Visit::Passed;
                        }
                        let _ = batch.push(Collected::Entry(entry.clone()));
                        ends_round = true;
                        return if enqueued == Enqueued::TaskWaits { Visit::Taken } else { Visit::Passed };
                    }
                }
                header.count(Count::Wake);
                Visit::Taken
            });
            if !is_met && walk.is_done() {
                forget_old_interests(&list, header);
            } else if !list.has_eligible() {
                header.word.unwatch(Events::all());
            }
            self.note_exclusive_tasks(&list);
            drop(list);
            // By reference: to move the batch costs more than a wake.
            for handle in &batch {
                match handle {
                    Collected::Task(task) => {
                        task.wake();
                    }
                    Collected::Entry(entry) => entry.notify(),
                    Collected::Observer(observer, met) => observer.observe(*met, gained & *met),
                }
            }
        }
    }

    /// Whether an exclusive task waits that was not chosen yet: a taker for an event.
    ///
    /// A look without the lock. A waiter that comes or goes at the same time may be missed or seen: a new one looks
    /// for events that were before, and one that leaves hands on.
    pub(crate) fn has_exclusive_task(&self) -> bool {
        self.exclusive_tasks.load(Ordering::Relaxed) > 0
    }

    fn note_exclusive_tasks(&self, list: &List<H>) {
        self.exclusive_tasks.store(list.exclusive_tasks(), Ordering::Relaxed);
    }
}

/// A notification that is owed. Delivered when dropped, which must not happen under a lock.
#[must_use]
pub struct Notification<'a, H: Host> {
    header: &'a ReadinessHeader<H>,
    watchers: &'a Watchers<H>,
    hint: Events,
    /// What the file was not ready for before.
    gained: Events,
    /// What the seeded fault writes too late.
    #[cfg(loom)]
    late: Option<Events>,
}

impl<'a, H: Host> Notification<'a, H> {
    #[inline]
    pub(crate) fn new(header: &'a ReadinessHeader<H>, watchers: &'a Watchers<H>, hint: Events) -> Self {
        Self {
            header,
            watchers,
            hint,
            gained: Events::empty(),
            #[cfg(loom)]
            late: None,
        }
    }

    /// Wakes the watchers now.
    pub fn deliver(self) {}

    pub(crate) fn header(&self) -> &'a ReadinessHeader<H> {
        self.header
    }

    pub(crate) fn set(&mut self, hint: Events, gained: Events) {
        self.hint = hint;
        self.gained = gained;
    }

    #[cfg(loom)]
    pub(crate) fn set_late(&mut self, after: Events) {
        self.late = Some(after);
    }

    /// Gives up the notification; the caller delivers the events in another way.
    pub(crate) fn give_up(mut self) -> Events {
        core::mem::take(&mut self.hint)
    }

    pub(crate) fn take(&mut self) -> Self {
        let hint = core::mem::take(&mut self.hint);
        Self {
            hint,
            #[cfg(loom)]
            late: self.late.take(),
            ..*self
        }
    }
}

impl<H: Host> Drop for Notification<'_, H> {
    #[inline]
    fn drop(&mut self) {
        #[cfg(loom)]
        if let Some(after) = self.late.take() {
            self.hint |= after & self.header.word.replace_late(after);
        }
        if !self.hint.is_empty() {
            self.watchers.notify(self.header, self.hint, self.gained);
        }
    }
}

/// Takes out of the word what no watcher in the list is interested in any more.
///
/// Interests grow with each watcher and shrink when the list is empty. A list that never empties would
/// keep an old interest, and each change that meets it would walk the list for nothing: the first one that does
/// removes it.
#[cold]
fn forget_old_interests<H: Host>(list: &List<H>, header: &ReadinessHeader<H>) {
    let old = header.word.load().interests() - list.interests();
    if !old.is_empty() {
        header.word.unwatch(old);
    }
}
