//! The ready queue of an epoll instance, as notifications see it.
//!
//! Owns: the queue under its lock (rank 6), and the readiness "something is queued" of the epoll file.
//! Not here: the interest table, scans (`object/epoll`).
//!
//! A notification marks a place under the list lock of the file that changed, with no lock of the epoll
//! instance but this one, and announces it after. An epoll in an epoll is announced from the inner
//! announcement: a recursion that is as deep as epolls nest, which `epoll_ctl` bounds.

use alloc::sync::Arc;
use alloc::vec::Vec;

use pollee::{Events, Marked, Readiness, Wakeup};
use rules::abi::errno::Errno;
use rules::core::epoll::queue::{Key, Queue, Settle, Stamp, Taken};

use super::class::Class;
use super::host::{OwnerLock, Pollux};
use super::{Locked, Watch};

/// A queue of places, one for each item of an epoll instance, and those who wait for it to be filled.
pub(crate) struct ReadyQueue(Locked<State>);

struct State(Queue);

impl Readiness for State {
    /// Only a hint to an epoll's own pollers: the items say whether they are still ready.
    fn readiness(&self) -> Events {
        if self.0.is_empty() { Events::empty() } else { Events::READABLE }
    }
}

/// Places that are taken at a time.
pub(crate) const CHUNK: usize = 32;

/// Places that were taken, and what becomes of them.
pub(crate) type Batch = heapless::Vec<(Taken, Settle), CHUNK>;

/// One item's place, as its file knows it.
#[derive(Clone)]
pub(crate) struct Mark {
    queue: Arc<ReadyQueue>,
    key: Key,
}

impl ReadyQueue {
    pub(crate) fn new() -> Self {
        let lock = OwnerLock::of_ready_queue(State(Queue::new()));
        Self(Locked::with_lock(Class::Epoll, lock))
    }

    /// Gives a new item its place.
    ///
    /// # Errors
    /// `ENOMEM`: there is no memory for a place.
    pub(crate) fn open(&self) -> Result<Key, Errno> {
        let mut state = self.0.lock();
        while let Some(capacity) = state.0.wanted_capacity() {
            drop(state);
            let mut larger = Vec::new();
            larger.try_reserve_exact(capacity).map_err(|_| Errno::ENOMEM)?;
            state = self.0.lock();
            let unused = state.0.grow(larger);
            drop(state);
            drop(unused);
            state = self.0.lock();
        }
        Ok(state.0.open())
    }

    /// Takes back the place of an item whose registration has ended.
    pub(crate) fn close(&self, key: Key) {
        self.0.lock().0.close(key);
    }

    /// Queues an item that was found ready; those who wait hear of it when the result is dropped.
    pub(crate) fn mark(&self, key: Key) -> Wakeup<'_, Pollux> {
        let mut state = self.0.lock();
        if !state.0.is_queued(key) && state.0.mark(key) {
            state.report(Events::READABLE);
        }
        state.release()
    }

    /// Lets an item hear of events (again).
    pub(crate) fn arm(&self, key: Key) {
        self.0.lock().0.arm(key);
    }

    /// Takes up to `most` places into `batch` that were queued before `start`, which is the first time that a scan
    /// takes any. They are to be [settled](Self::settle), as [`Settle::Gone`] if nothing else is said.
    #[inline(always)]
    pub(crate) fn take(&self, start: &mut Option<Stamp>, most: usize, batch: &mut Batch) {
        let mut state = self.0.lock();
        let start = *start.get_or_insert(state.0.now());
        while batch.len() < most
            && let Some(taken) = state.0.take(start)
        {
            // There is room, if `most` is no more than that.
            let _ = batch.push((taken, Settle::Gone));
        }
    }

    /// Settles the places that were taken.
    #[inline(always)]
    pub(crate) fn settle(&self, batch: &Batch) {
        let mut state = self.0.lock();
        let mut is_kept = false;
        for (taken, how) in batch {
            if *how == Settle::Front {
                is_kept = true;
            } else {
                state.0.settle(taken, *how);
            }
        }
        if is_kept {
            // The first of them is to be the first again.
            for (taken, _) in batch.iter().rev().filter(|(_, how)| *how == Settle::Front) {
                state.0.settle(taken, Settle::Front);
            }
        }
    }

    /// Whether nothing is queued; under a caching policy one load.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.poll(Events::IN).is_empty()
    }

    /// Tells one more waiter if something is queued: whoever takes a part passes on the rest.
    pub(crate) fn pass_on(&self) {
        if !self.is_empty() {
            self.0.wake_one(Events::READABLE);
        }
    }

    /// For those who wait for the queue to be filled.
    pub(crate) fn watch(&self) -> &Watch {
        &self.0
    }
}

impl Mark {
    pub(crate) const fn new(queue: Arc<ReadyQueue>, key: Key) -> Self {
        Self { queue, key }
    }
}

impl pollee::Mark for Mark {
    fn mark(&self, _hint: Events) -> Marked {
        let mut state = self.queue.0.lock();
        if !state.0.mark(self.key) {
            return Marked::Quietly;
        }
        state.report(Events::READABLE);
        let wakeup = state.release();
        if wakeup.is_empty() {
            return Marked::Quietly;
        }
        let taker = wakeup.taker();
        // The event is the same for every mark; only that there is one has to be remembered.
        let _ = wakeup.defer();
        Marked::Announce(taker)
    }

    fn announce(&self) {
        self.queue.0.wake(Events::READABLE);
    }
}
