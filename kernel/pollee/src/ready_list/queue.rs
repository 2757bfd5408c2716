//! The rule of a ready list: places in the order of their first event, each queued at most once.
//!
//! Owns: places, their order, what is in flight.   Not here: locks and notifications (`ready_list`).
//! Invariant: a place is linked exactly if it is queued; stamps grow from head to tail.
//!
//! A scan takes a place out, polls the file, and settles the place: gone, back at the end (level-triggered),
//! or back at the front (the program's memory was not writable). The place can be queued again as soon as it
//! is taken, *before* the file is polled: an event that comes meanwhile must queue it again.

use alloc::vec::Vec;

use crate::fault::{self, Fault};

const NIL: u32 = u32::MAX;

/// The places that the first item brings.
const FIRST_CAPACITY: usize = 8;

/// The places of all items, and those that are queued.
#[derive(Debug)]
pub(crate) struct Queue {
    places: Vec<Place>,
    free: u32,
    head: u32,
    tail: u32,
    next_stamp: u64,
    in_flight: u32,
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
pub(super) struct Place {
    prev: u32,
    next: u32,
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

impl Queue {
    /// An empty queue without places.
    pub(super) const fn new() -> Self {
        Self { places: Vec::new(), free: NIL, head: NIL, tail: NIL, next_stamp: 0, in_flight: 0 }
    }

    /// Whether nothing is queued or in flight: a level-triggered item stays in sight during a scan.
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.head == NIL && self.in_flight == 0
    }

    /// How many places to allocate for [`grow`](Self::grow); `None` while there is room.
    pub(super) fn wanted_capacity(&self) -> Option<usize> {
        let has_room = self.free != NIL || self.places.len() < self.places.capacity();
        (!has_room).then(|| (self.places.capacity() * 2).max(FIRST_CAPACITY))
    }

    /// Moves the places into `larger`; returns what is to be dropped once the lock around `self` is free.
    #[must_use]
    pub(super) fn grow(&mut self, mut larger: Vec<Place>) -> Vec<Place> {
        if larger.capacity() > self.places.capacity() {
            larger.append(&mut self.places);
            core::mem::swap(&mut self.places, &mut larger);
        }
        larger
    }

    /// Gives a place to a new item. Allocates nothing if there was [room](Self::wanted_capacity).
    pub(super) fn open(&mut self) -> Key {
        let place = Place { prev: NIL, next: NIL, stamp: Stamp(0), is_queued: false, is_armed: true };
        let index = self.free;
        if index == NIL {
            self.places.push(place);
            return Key((self.places.len() - 1) as u32);
        }
        self.free = self.places[index as usize].next;
        self.places[index as usize] = place;
        Key(index)
    }

    /// Takes the place back from an item that goes. No notification can reach it any more.
    pub(super) fn close(&mut self, key: Key) {
        if self.places[key.index()].is_queued {
            self.unlink(key.0);
        }
        self.places[key.index()].next = self.free;
        self.free = key.0;
    }

    /// Queues the place after an event; `false` if the item is disarmed and wants to hear nothing.
    pub(super) fn enqueue(&mut self, key: Key) -> bool {
        if !self.places[key.index()].is_armed {
            return false;
        }
        self.append(key.0);
        true
    }

    /// Whether the place is in the queue.
    pub(super) fn is_queued(&self, key: Key) -> bool {
        self.places[key.index()].is_queued
    }

    /// Lets a disarmed item hear of events again.
    pub(super) fn arm(&mut self, key: Key) {
        self.places[key.index()].is_armed = true;
    }

    /// The present moment.
    pub(super) const fn now(&self) -> Stamp {
        Stamp(self.next_stamp)
    }

    /// Takes the first place out, unless it was queued after the scan began at `start`.
    pub(super) fn take(&mut self, start: Stamp) -> Option<Taken> {
        let index = self.head;
        let place = self.places.get(index as usize)?;
        let stamp = place.stamp;
        if stamp >= start {
            return None;
        }
        self.unlink(index);
        if fault::is_seeded(Fault::DequeueAfterPoll) {
            self.places[index as usize].is_queued = true;
        }
        self.in_flight += 1;
        Some(Taken { key: Key(index), stamp })
    }

    /// Ends what [`take`](Self::take) began.
    pub(super) fn settle(&mut self, taken: &Taken, how: Settle) {
        self.in_flight -= 1;
        let index = taken.key.0;
        if fault::is_seeded(Fault::DequeueAfterPoll) {
            self.places[index as usize].is_queued = false;
        }
        match how {
            Settle::Gone => {}
            Settle::Disarmed => {
                self.places[index as usize].is_armed = false;
                if self.places[index as usize].is_queued {
                    self.unlink(index);
                }
            }
            Settle::Back => self.append(index),
            Settle::Front => self.prepend(index, taken.stamp),
        }
    }

    /// Links the place at the tail unless it is linked.
    fn append(&mut self, index: u32) {
        let stamp = Stamp(self.next_stamp);
        let tail = self.tail;
        let place = &mut self.places[index as usize];
        if core::mem::replace(&mut place.is_queued, true) {
            return;
        }
        self.next_stamp += 1;
        place.stamp = stamp;
        place.prev = tail;
        place.next = NIL;
        self.tail = index;
        if tail == NIL {
            self.head = index;
        } else {
            self.places[tail as usize].next = index;
        }
    }

    fn prepend(&mut self, index: u32, stamp: Stamp) {
        if self.places[index as usize].is_queued {
            self.unlink(index);
        }
        let head = self.head;
        let place = &mut self.places[index as usize];
        place.is_queued = true;
        place.stamp = stamp;
        place.prev = NIL;
        place.next = head;
        self.head = index;
        if head == NIL {
            self.tail = index;
        } else {
            self.places[head as usize].prev = index;
        }
    }

    fn unlink(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        place.is_queued = false;
        let (prev, next) = (place.prev, place.next);
        if prev == NIL {
            self.head = next;
        } else {
            self.places[prev as usize].next = next;
        }
        if next == NIL {
            self.tail = prev;
        } else {
            self.places[next as usize].prev = prev;
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
