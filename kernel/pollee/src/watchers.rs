//! The watchers of one file: the list under its lock, kept in step with the word's interests.
//!
//! Owns: the list lock, registration, choice and delivery.   Not here: the order in the list (`list`).
//! Invariant: under the list lock, the word's interests cover the interest of every eligible watcher: of
//! everybody in the list but the exclusive ones that are chosen, who are awake and will look for themselves.
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
//! # Why an exclusive watcher that leaves passes on
//! A watcher is chosen under the list lock and may at that very moment be leaving, because its try succeeded
//! on an earlier event, because its time is up, or because it is killed. Only the removal, under the same
//! lock, can tell. If the file is still ready the event is still there, and its next taker is chosen. If it is
//! not ready, somebody has used it, and choosing would be a wake that finds nothing.

use alloc::vec::Vec;
// Not the model checker's: a hint, by which nothing is ordered.
use core::sync::atomic::{AtomicU32, Ordering};

use crate::fault::{self, Fault};
use crate::front::Front;
use crate::host::{Count, Lock, Mark, Marked, Taker, Wake};
use crate::list::{List, Removed, Slot, Visit, Walk};
use crate::watch::{NoMemory, Share, Token};
use crate::word::Snapshot;
use crate::{Events, Host, Watcher};

/// Handles collected under the list lock at a time; more watchers take more rounds.
const BATCH: usize = 8;

/// Who is to be woken, or announced, once the list lock is gone.
enum Told<H: Host> {
    Task(H::Task),
    Mark(H::Mark),
}

/// The watchers of a file, beside its [`Front`].
pub(crate) struct Watchers<H: Host> {
    list: H::ListLock<List<H>>,
    /// What [`List::takers`] was when the list lock was last released.
    takers: AtomicU32,
}

impl<H: Host> Watchers<H> {
    pub(crate) fn new() -> Self {
        Self { list: Lock::new(List::new()), takers: AtomicU32::new(0) }
    }

    /// Registers, and returns the word as it was at that moment: readiness is decided from this or later.
    pub(crate) fn insert(
        &self,
        front: &Front<H>,
        watcher: Watcher<H>,
        interest: Events,
        share: Share,
    ) -> Result<(Token, Snapshot), NoMemory> {
        let mut list = self.list.lock();
        while !list.has_room() {
            let capacity = list.next_capacity();
            drop(list);
            let mut larger: Vec<Slot<H>> = Vec::new();
            larger.try_reserve_exact(capacity).map_err(|_| NoMemory)?;
            list = self.list.lock();
            let unused = list.grow(larger);
            drop(list);
            drop(unused);
            list = self.list.lock();
        }
        let token = list.push(watcher, interest, share);
        self.note_takers(&list);
        let seen = front.word.watch(interest);
        drop(list);
        Ok((token, seen))
    }

    /// Replaces an interest, and returns the word as it was at that moment.
    pub(crate) fn set_interest(&self, front: &Front<H>, token: &Token, interest: Events) -> Snapshot {
        let mut list = self.list.lock();
        list.set_interest(token, interest);
        front.word.watch(interest)
    }

    pub(crate) fn rearm(&self, front: &Front<H>, token: &Token) {
        let mut list = self.list.lock();
        let interest = list.rearm(token);
        self.note_takers(&list);
        front.word.watch(interest);
    }

    /// Unregisters; `poll` says how far the file is still ready for an interest, if that matters.
    pub(crate) fn remove(
        &self,
        front: &Front<H>,
        token: Token,
        poll: impl FnOnce(Events) -> Events,
    ) -> Watcher<H> {
        let Removed { watcher, interest, owes } = self.unlink(front, token);
        if owes && !fault::is_seeded(Fault::NoHandOver) {
            let left = poll(interest);
            if !left.is_empty() {
                self.deliver(front, Walk::exclusive(left));
            }
        }
        watcher
    }

    fn unlink(&self, front: &Front<H>, token: Token) -> Removed<H> {
        let mut list = self.list.lock();
        let removed = list.remove(token);
        self.note_takers(&list);
        if !list.has_eligible() {
            if fault::is_seeded(Fault::UnwatchOutsideLock) {
                drop(list);
                front.word.unwatch(Events::all());
                return removed;
            }
            front.word.unwatch(Events::all());
        }
        removed
    }

    /// Tells everybody who is interested in `hint`, and one exclusive watcher. No lock may be held.
    #[inline]
    pub(crate) fn wake(&self, front: &Front<H>, hint: Events) {
        if self.deliver(front, Walk::new(hint)) == 0 {
            self.forget_old_interests(front);
        }
    }

    /// Tells one exclusive watcher who is interested in `hint`, and nobody else. No lock may be held.
    pub(crate) fn wake_one(&self, front: &Front<H>, hint: Events) {
        self.deliver(front, Walk::exclusive(hint));
    }

    /// Walks in rounds of [`BATCH`]: collect under the lock, wake and drop the handles after it. An announcement
    /// ends its round, so that an epoll around the one that was marked hears of that before the watchers that
    /// come next hear of the event itself: ready items keep the order that Linux gives them. Returns how many
    /// were told.
    fn deliver(&self, front: &Front<H>, mut walk: Walk) -> usize {
        let hint = walk.hint();
        let mut told = 0;
        while !walk.is_done() {
            let mut batch: heapless::Vec<Told<H>, BATCH> = heapless::Vec::new();
            let mut announces = false;
            let mut list = self.list.lock();
            list.visit(&mut walk, |watcher| {
                if announces || batch.is_full() {
                    return Visit::Full;
                }
                told += 1;
                let task = match watcher {
                    Watcher::Task(task) => task,
                    Watcher::Standing(standing) => match standing.ring() {
                        Some(task) => task,
                        None => return Visit::Passed,
                    },
                    Watcher::Mark(mark) => {
                        front.count(Count::Wake);
                        let Marked::Announce(taker) = mark.mark(hint) else {
                            return Visit::Passed;
                        };
                        // There is room: it was asked above.
                        let _ = batch.push(Told::Mark(mark.clone()));
                        announces = true;
                        return if taker == Taker::Waits { Visit::Taken } else { Visit::Passed };
                    }
                };
                front.count(Count::Wake);
                let _ = batch.push(Told::Task(task.clone()));
                Visit::Taken
            });
            if told > 0 && !list.has_eligible() {
                front.word.unwatch(Events::all());
            }
            self.note_takers(&list);
            drop(list);
            for told in batch {
                match told {
                    Told::Task(task) => {
                        task.wake();
                    }
                    Told::Mark(mark) => mark.announce(),
                }
            }
        }
        told
    }

    /// Whether an exclusive task waits that was not chosen yet: whoever would use up an event.
    ///
    /// A look without the lock. A waiter that comes or goes at the same time may be missed or seen: who comes looks
    /// for events that were before, and who goes passes on.
    pub(crate) fn has_taker(&self) -> bool {
        self.takers.load(Ordering::Relaxed) > 0
    }

    fn note_takers(&self, list: &List<H>) {
        self.takers.store(list.takers(), Ordering::Relaxed);
    }

    /// Takes out of the word what nobody in the list is interested in any more.
    ///
    /// Interests grow with each watcher and shrink when the list is empty. A list that never empties would
    /// keep an old interest for ever, and each such change would walk the list in vain: the first one that
    /// does, pays for the rest.
    fn forget_old_interests(&self, front: &Front<H>) {
        let list = self.list.lock();
        let old = front.word.load().interests() - list.interests();
        if !old.is_empty() {
            front.word.unwatch(old);
        }
        drop(list);
    }
}
