//! The ready list of an epoll instance: entries that may be ready, and the tasks that wait for one.
//!
//! | caller | calls |
//! |---|---|
//! | `epoll_ctl` | [`open`](ReadyList::open), [`entry`](ReadyList::entry), [`arm`](ReadyList::arm), [`enqueue`](ReadyList::enqueue), [`close`](ReadyList::close) |
//! | a notification of an item's file | `ReadyListEntry::enqueue` under the file's list lock, `notify` after it |
//! | a scan (`epoll_wait`) | [`take`](ReadyList::take) a batch, poll the files, [`settle`](ReadyList::settle) it; at the end [`hand_on`](ReadyList::hand_on) |
//!
//! Why: decision 0001, decision 0059.
//! Owns: a place for each item, their order, the readiness "something is queued", the tasks that wait for that.
//! Not here: links (`slots`), items and their interest, polling (the epoll instance).
//! Invariant: a place is linked exactly if it is queued; stamps grow from head to tail.
//!
//! A ready list is a [`Locked`] like any file, under the innermost lock. Its own watchers are notified once the list
//! lock of the file that changed is gone. An epoll in an epoll is notified from there: a recursion that is as deep as
//! instances nest, which the kernel bounds.
//!
//! # Why no ready item is lost
//! ```text
//! scan                               notification
//! take: no longer queued             change; notify_events
//! poll the file → not ready          enqueue: queued again
//! settle as gone: still queued
//! ```
//! An entry can be enqueued again as soon as it is taken, *before* its file is polled. So a change that the poll
//! misses comes after the taking, and enqueues.

use alloc::sync::Arc;
use core::ops::{Deref, DerefMut};

use crate::fault::{self, Fault};
use crate::locked::{Locked, Readiness};
use crate::pollable::{Pollable, ReadinessSource};
use crate::slots::{NIL, Queue, Slots};
use crate::watcher::{NoMemory, Watcher};
use crate::watchers::Notification;
use crate::{Events, Host};

/// A list of entries that may be ready, one for each item of an epoll instance, each in it at most once.
pub struct ReadyList<H: Host>(Locked<Places, H, H::ReadyLock<Places>>);

/// The entry of one item, as a [`Watcher`] of the item's file.
pub struct ReadyListEntry<H: Host> {
    list: Arc<ReadyList<H>>,
    key: Key,
}

/// What follows from an entry's enqueuing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Enqueued {
    /// The list has no watcher. An exclusive event goes on to the next watcher.
    Unwatched,
    /// The list has watchers to be notified, such as an outer list; perhaps none of them ever scans it. An exclusive
    /// event goes on to the next watcher.
    Watched,
    /// A task sleeps on the list to take what is in it: an exclusive event ends here.
    TaskWaits,
}

/// The name of a place; an item has one from its addition to its removal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key(u32);

impl Key {
    /// The key with this [`index`](Self::index).
    #[must_use]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }

    /// For tables beside the queue.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A moment in the life of a ready list: entries queued before it and after it can be told apart.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stamp(u64);

/// Room for one item.
#[derive(Debug)]
struct Place {
    stamp: Stamp,
    is_queued: bool,
    is_armed: bool,
}

/// An entry that was taken out of a ready list, to be settled.
#[derive(Debug)]
#[must_use]
pub struct Taken {
    /// The item's place.
    pub key: Key,
    stamp: Stamp,
}

/// What becomes of an entry after its file was polled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settle {
    /// Not ready, or reported and edge-triggered: out of the list until the next event.
    Gone,
    /// Reported and one-shot: out of the list until it is armed again.
    Disarmed,
    /// Reported and level-triggered: behind the others, to be polled again by the next scan.
    Back,
    /// Not reported after all: where it was.
    Front,
}

impl Readiness for Places {
    /// A hint to the list's own watchers: the files say whether they are still ready.
    fn readiness(&self) -> Events {
        if self.is_empty() { Events::empty() } else { Events::READABLE }
    }
}

impl<H: Host> ReadyList<H> {
    /// An empty list of an instance of `class`.
    pub fn new(class: H::Class) -> Self {
        Self(Locked::new(class, Places::new()))
    }

    /// Gives a new item its place.
    ///
    /// # Errors
    /// [`NoMemory`] for a place.
    pub fn open(&self) -> Result<Key, NoMemory> {
        Ok(Slots::reserve(|| self.0.lock(), |queue| &mut queue.places)?.open())
    }

    /// Takes back the place of an item whose registration has ended.
    pub fn close(&self, key: Key) {
        self.0.lock().close(key);
    }

    /// The watcher to register with the file of the item at `key`.
    pub fn entry(self: &Arc<Self>, key: Key) -> Watcher<H> {
        Watcher::ReadyListEntry(ReadyListEntry { list: Arc::clone(self), key })
    }

    /// Enqueues an item that was found ready. The list's watchers are notified when the result is dropped.
    pub fn enqueue(&self, key: Key) -> Notification<'_, H> {
        let mut queue = self.0.lock();
        if !queue.places[key.0].is_queued && queue.enqueue(key) {
            queue.raise(Events::READABLE);
        }
        queue.release()
    }

    /// Lets an item that was [disarmed](Settle::Disarmed) be enqueued again.
    pub fn arm(&self, key: Key) {
        self.0.lock().arm(key);
    }

    /// Takes up to `most` entries into `batch`, of those that were queued before `start`. `start` is set by the first
    /// call of a scan, so a scan ends although level-triggered entries go back into the list.
    ///
    /// The caller polls each file and says in the batch what becomes of the entry; the default is [`Settle::Gone`].
    #[inline(always)]
    pub fn take(&self, start: &mut Option<Stamp>, most: usize, batch: &mut Batch) {
        let mut queue = self.0.lock();
        let start = *start.get_or_insert(queue.now());
        while batch.len() < most.min(Batch::CAPACITY)
            && let Some(taken) = queue.take(start)
        {
            // There is room: the loop has asked.
            let _ = batch.0.push((taken, Settle::Gone));
        }
        if batch.is_empty() {
            // The next scan knows it without the lock.
            queue.update_events();
        }
    }

    /// Settles the entries that were [taken](Self::take).
    #[inline(always)]
    pub fn settle(&self, batch: &Batch) {
        let mut queue = self.0.lock();
        let mut has_front = false;
        for (taken, how) in batch.iter() {
            if *how == Settle::Front {
                has_front = true;
            } else {
                queue.settle(taken, *how);
            }
        }
        if has_front {
            // The first of them is to be the first again.
            for (taken, _) in batch.iter().rev().filter(|(_, how)| *how == Settle::Front) {
                queue.settle(taken, Settle::Front);
            }
        }
    }

    /// Whether nothing is queued; one load if that is cached.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.poll(Events::IN).is_empty()
    }

    /// Whether it is known without a lock that nothing is queued: one load.
    #[inline]
    pub fn is_known_empty(&self) -> bool {
        self.0.header().events().is_some_and(|events| events.is_empty())
    }

    /// Wakes one more waiter if something is queued. A waiter that takes a part and leaves calls this.
    pub fn hand_on(&self) {
        if self.0.is_watched() && !self.is_empty() && !fault::is_seeded(Fault::NoHandOn) {
            self.0.hand_on(Events::READABLE);
        }
    }
}

/// For a host that counts nothing.
impl<H: Host<Class = ()>> Default for ReadyList<H> {
    fn default() -> Self {
        Self::new(())
    }
}

impl<H: Host> ReadyListEntry<H> {
    /// Enqueues the entry for an event of its file; under the list lock of that file.
    pub(crate) fn enqueue(&self) -> Enqueued {
        let mut queue = self.list.0.lock();
        if !queue.enqueue(self.key) {
            return Enqueued::Unwatched;
        }
        queue.raise(Events::READABLE);
        // All entries raise the same event, so there is nothing to remember until `notify`.
        let hint = queue.release().give_up();
        if hint.is_empty() {
            Enqueued::Unwatched
        } else if self.list.0.has_exclusive_task() {
            Enqueued::TaskWaits
        } else {
            Enqueued::Watched
        }
    }

    /// Notifies the list's watchers, with no lock held.
    pub(crate) fn notify(&self) {
        self.list.0.notify(Events::READABLE);
    }
}

impl<H: Host> Clone for ReadyListEntry<H> {
    fn clone(&self) -> Self {
        Self { list: Arc::clone(&self.list), key: self.key }
    }
}

/// For the tasks that wait until something is queued, ready or not.
impl<H: Host> Pollable<H> for ReadyList<H> {
    fn source(&self) -> &dyn ReadinessSource<H> {
        &self.0
    }
}

/// Entries that were taken together, to be settled together: in their order, each with what becomes of it.
#[derive(Debug, Default)]
pub struct Batch(heapless::Vec<(Taken, Settle), { Batch::CAPACITY }>);

impl Batch {
    /// The most entries in a batch.
    pub const CAPACITY: usize = 32;

    /// An empty batch.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self(heapless::Vec::new())
    }
}

impl Deref for Batch {
    type Target = [(Taken, Settle)];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Batch {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// The rule of a ready list: the places of all items, and which are queued.
#[derive(Debug)]
struct Places {
    places: Slots<Place>,
    queue: Queue,
    next_stamp: u64,
    in_flight: u32,
}

impl Places {
    const fn new() -> Self {
        Self { places: Slots::new(), queue: Queue::EMPTY, next_stamp: 0, in_flight: 0 }
    }

    /// Whether nothing is queued or in flight: a level-triggered item still counts during a scan.
    #[inline]
    const fn is_empty(&self) -> bool {
        self.queue.head == NIL && self.in_flight == 0
    }

    /// Gives a place to a new item. Allocates nothing if there was [room](Slots::reserve).
    fn open(&mut self) -> Key {
        Key(self.places.add(|_| Place { stamp: Stamp(0), is_queued: false, is_armed: true }))
    }

    /// Takes the place back from an item that goes. No notification can reach it any more.
    fn close(&mut self, key: Key) {
        if self.places[key.0].is_queued {
            self.unlink(key.0);
        }
        self.places.free(key.0);
    }

    /// Queues the place after an event; `false` if the item is disarmed.
    fn enqueue(&mut self, key: Key) -> bool {
        let is_armed = self.places[key.0].is_armed;
        if is_armed {
            self.append(key.0);
        }
        is_armed
    }

    /// Lets events queue a disarmed item again.
    fn arm(&mut self, key: Key) {
        self.places[key.0].is_armed = true;
    }

    /// The present moment.
    const fn now(&self) -> Stamp {
        Stamp(self.next_stamp)
    }

    /// Takes the first place out, unless it was queued after the scan began at `start`.
    fn take(&mut self, start: Stamp) -> Option<Taken> {
        let index = self.queue.head;
        let stamp = self.places.slot(index)?.value.stamp;
        if stamp >= start {
            return None;
        }
        self.unlink(index);
        if fault::is_seeded(Fault::DequeueAfterPoll) {
            self.places[index].is_queued = true;
        }
        self.in_flight += 1;
        Some(Taken { key: Key(index), stamp })
    }

    /// Ends what [`take`](Self::take) began.
    fn settle(&mut self, taken: &Taken, how: Settle) {
        self.in_flight -= 1;
        let index = taken.key.0;
        if fault::is_seeded(Fault::DequeueAfterPoll) {
            self.places[index].is_queued = false;
        }
        if matches!(how, Settle::Disarmed | Settle::Front) && self.places[index].is_queued {
            self.unlink(index);
        }
        match how {
            Settle::Gone => {}
            Settle::Disarmed => self.places[index].is_armed = false,
            Settle::Back => self.append(index),
            Settle::Front => {
                let place = &mut self.places[index];
                place.is_queued = true;
                place.stamp = taken.stamp;
                self.places.push_front(&mut self.queue, index);
            }
        }
    }

    /// Links the place at the end unless it is linked.
    fn append(&mut self, index: u32) {
        let place = &mut self.places[index];
        if core::mem::replace(&mut place.is_queued, true) {
            return;
        }
        place.stamp = Stamp(self.next_stamp);
        self.next_stamp += 1;
        self.places.push_back(&mut self.queue, index);
    }

    fn unlink(&mut self, index: u32) {
        self.places[index].is_queued = false;
        self.places.unlink(&mut self.queue, index);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
