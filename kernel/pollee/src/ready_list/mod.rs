//! The ready list of an epoll instance: entries that may be ready, and the tasks that wait for one.
//!
//! | who | calls |
//! |---|---|
//! | `epoll_ctl` | [`open`](ReadyList::open), [`entry`](ReadyList::entry), [`arm`](ReadyList::arm), [`enqueue`](ReadyList::enqueue), [`close`](ReadyList::close) |
//! | a notification of an item's file | `ReadyListEntry::enqueue` under the file's list lock, `notify` after it |
//! | a scan (`epoll_wait`) | [`take`](ReadyList::take) a batch, poll the files, [`settle`](ReadyList::settle) it; at the end [`hand_on`](ReadyList::hand_on) |
//!
//! Why: decision 0001, decision 0059.
//! Owns: the queue under its lock, the readiness "something is queued", the tasks that wait for that.
//! Not here: items and their interest, polling (the epoll instance).
//!
//! A ready list is a [`Locked`] like any file, under the innermost lock. A notification enqueues under the list lock
//! of the file that changed, and notifies the ready list's own watchers once that lock is gone. An epoll in an epoll
//! is notified from there: a recursion that is as deep as instances nest, which the kernel bounds.
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

mod batch;
mod queue;

use alloc::sync::Arc;
use alloc::vec::Vec;

pub use self::batch::Batch;
use self::queue::Queue;
pub use self::queue::{Key, Settle, Stamp, Taken};
use crate::fault::{self, Fault};
use crate::locked::{Locked, Readiness};
use crate::pollable::{Pollable, ReadinessSource};
use crate::watcher::{NoMemory, Watcher};
use crate::watchers::Notification;
use crate::{Events, Host};

/// A list of entries that may be ready, one for each item of an epoll instance, each in it at most once.
pub struct ReadyList<H: Host>(Locked<Queue, H, H::ReadyLock<Queue>>);

/// The entry of one item, as a [`Watcher`] of the item's file.
pub struct ReadyListEntry<H: Host> {
    list: Arc<ReadyList<H>>,
    key: Key,
}

/// What follows from an entry's enqueuing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Enqueued {
    /// Nobody watches the list. An exclusive event goes on to the next watcher.
    Unwatched,
    /// The list has watchers to be notified, such as an outer list; none of them may ever look. An exclusive event
    /// goes on to the next watcher.
    Watched,
    /// A task sleeps on the list to take what is in it: an exclusive event ends here.
    TaskWaits,
}

impl Readiness for Queue {
    /// A hint to the list's own watchers: the files say whether they are still ready.
    fn readiness(&self) -> Events {
        if self.is_empty() { Events::empty() } else { Events::READABLE }
    }
}

impl<H: Host> ReadyList<H> {
    /// An empty list of an instance of `class`.
    pub fn new(class: H::Class) -> Self {
        Self(Locked::new(class, Queue::new()))
    }

    /// Gives a new item its place.
    ///
    /// # Errors
    /// [`NoMemory`] for a place.
    pub fn open(&self) -> Result<Key, NoMemory> {
        let mut queue = self.0.lock();
        while let Some(capacity) = queue.wanted_capacity() {
            drop(queue);
            let mut larger = Vec::new();
            larger.try_reserve_exact(capacity).map_err(|_| NoMemory)?;
            queue = self.0.lock();
            let unused = queue.grow(larger);
            drop(queue);
            drop(unused);
            queue = self.0.lock();
        }
        Ok(queue.open())
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
        if !queue.is_queued(key) && queue.enqueue(key) {
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
            batch.push(taken);
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
        batch.settle(&mut queue);
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
