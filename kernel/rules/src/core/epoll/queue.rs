//! The ready queue of an epoll instance: the items that may be ready, each at most once.
//!
//! Owns: places, their order, what is in flight.   Not here: what an item is (`interest`), locks, waiters.
//! Invariant: a place is linked exactly if it is queued; stamps grow from head to tail.
//!
//! A scan takes a place out, asks the file, and settles the place: gone, back at the end (level-triggered),
//! or back at the front (the caller's memory was not writable). The place can be marked again as soon as it
//! is taken, *before* the file is asked: the event that comes while it is asked must queue it again.

use alloc::vec::Vec;

const NIL: u32 = u32::MAX;

/// The places that the first item brings.
const FIRST_CAPACITY: usize = 8;

/// The ready queue.
#[derive(Debug)]
pub struct Queue {
    places: Vec<Place>,
    free: u32,
    head: u32,
    tail: u32,
    next_stamp: u64,
    in_flight: u32,
}

/// The name of a place; an epoll item has one from its addition to its removal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key(u32);

impl Key {
    /// For tables beside the queue.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A moment in the queue's life: places queued before it and after it can be told apart.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stamp(u64);

/// Room for one item.
#[derive(Debug)]
pub struct Place {
    prev: u32,
    next: u32,
    stamp: Stamp,
    is_queued: bool,
    is_armed: bool,
}

/// A place that was taken out of the queue, to be settled.
#[derive(Debug)]
#[must_use]
pub struct Taken {
    /// Whose place it is.
    pub key: Key,
    stamp: Stamp,
}

/// What becomes of a place after its file was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settle {
    /// Not ready, or reported and edge-triggered: out of the queue until the next event.
    Gone,
    /// Reported and one-shot: out of the queue until it is armed again.
    Disarmed,
    /// Reported and level-triggered: behind the others, to be asked again by the next scan.
    Back,
    /// Not reported after all: where it was.
    Front,
}

impl Queue {
    /// An empty queue without places.
    #[must_use]
    pub const fn new() -> Self {
        Self { places: Vec::new(), free: NIL, head: NIL, tail: NIL, next_stamp: 0, in_flight: 0 }
    }

    /// Whether nothing is queued or being asked: a level-triggered item stays in sight during a scan.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.head == NIL && self.in_flight == 0
    }

    /// How many places to allocate for [`grow`](Self::grow); `None` while there is room.
    #[must_use]
    pub fn wanted_capacity(&self) -> Option<usize> {
        let has_room = self.free != NIL || self.places.len() < self.places.capacity();
        (!has_room).then(|| (self.places.capacity() * 2).max(FIRST_CAPACITY))
    }

    /// Moves the places into `larger`; returns what is to be dropped once the lock around `self` is free.
    #[must_use]
    pub fn grow(&mut self, mut larger: Vec<Place>) -> Vec<Place> {
        if larger.capacity() > self.places.capacity() {
            larger.append(&mut self.places);
            core::mem::swap(&mut self.places, &mut larger);
        }
        larger
    }

    /// Gives a place to a new item. Allocates nothing if there was [room](Self::wanted_capacity).
    pub fn open(&mut self) -> Key {
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

    /// Takes the place back from an item that goes. Nobody can mark it any more.
    pub fn close(&mut self, key: Key) {
        if self.places[key.index()].is_queued {
            self.unlink(key.0);
        }
        self.places[key.index()].next = self.free;
        self.free = key.0;
    }

    /// Queues the place after an event; `false` if the item is disarmed and wants to hear nothing.
    pub fn mark(&mut self, key: Key) -> bool {
        if !self.places[key.index()].is_armed {
            return false;
        }
        self.queue(key.0);
        true
    }

    /// Whether the place is in the queue.
    #[must_use]
    pub fn is_queued(&self, key: Key) -> bool {
        self.places[key.index()].is_queued
    }

    /// Lets a disarmed item hear of events again.
    pub fn arm(&mut self, key: Key) {
        self.places[key.index()].is_armed = true;
    }

    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> Stamp {
        Stamp(self.next_stamp)
    }

    /// Takes the first place out, unless it was queued after the scan began at `start`.
    pub fn take(&mut self, start: Stamp) -> Option<Taken> {
        let index = self.head;
        let place = self.places.get(index as usize)?;
        let stamp = place.stamp;
        if stamp >= start {
            return None;
        }
        self.unlink(index);
        self.in_flight += 1;
        Some(Taken { key: Key(index), stamp })
    }

    /// Ends what [`take`](Self::take) began.
    pub fn settle(&mut self, taken: &Taken, how: Settle) {
        self.in_flight -= 1;
        let index = taken.key.0;
        match how {
            Settle::Gone => {}
            Settle::Disarmed => {
                self.places[index as usize].is_armed = false;
                if self.places[index as usize].is_queued {
                    self.unlink(index);
                }
            }
            Settle::Back => self.queue(index),
            Settle::Front => self.queue_first(index, taken.stamp),
        }
    }

    /// Links the place at the tail unless it is linked.
    fn queue(&mut self, index: u32) {
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

    fn queue_first(&mut self, index: u32, stamp: Stamp) {
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

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{Key, Queue, Settle};

    fn queue_of(items: usize) -> (Queue, Vec<Key>) {
        let mut queue = Queue::new();
        let keys = (0..items).map(|_| queue.open()).collect();
        (queue, keys)
    }

    /// What one scan reports, each item settled as `how`.
    fn scan(queue: &mut Queue, how: Settle) -> Vec<Key> {
        let start = queue.now();
        let mut seen = Vec::new();
        while let Some(taken) = queue.take(start) {
            seen.push(taken.key);
            queue.settle(&taken, how);
        }
        seen
    }

    #[test]
    fn items_are_reported_in_the_order_of_their_first_event() {
        let (mut queue, keys) = queue_of(3);
        for nr in [2, 0, 2, 1, 0] {
            assert!(queue.mark(keys[nr]));
        }
        assert_eq!(scan(&mut queue, Settle::Gone), [keys[2], keys[0], keys[1]]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_level_triggered_item_is_seen_once_by_each_scan() {
        let (mut queue, keys) = queue_of(2);
        queue.mark(keys[0]);
        queue.mark(keys[1]);
        for _ in 0..3 {
            assert_eq!(scan(&mut queue, Settle::Back), [keys[0], keys[1]]);
        }
    }

    #[test]
    fn scans_with_little_room_go_round_all_level_triggered_items() {
        let (mut queue, keys) = queue_of(3);
        for &key in &keys {
            queue.mark(key);
        }
        for nr in [0, 1, 2, 0, 1, 2] {
            let start = queue.now();
            let taken = queue.take(start).unwrap();
            assert_eq!(taken.key, keys[nr]);
            queue.settle(&taken, Settle::Back);
        }
    }

    #[test]
    fn an_event_while_the_file_is_asked_queues_the_item_again() {
        let (mut queue, keys) = queue_of(1);
        queue.mark(keys[0]);
        let taken = queue.take(queue.now()).unwrap();
        assert!(!queue.is_empty(), "in flight, and in sight");
        queue.mark(keys[0]);
        queue.settle(&taken, Settle::Gone);
        assert_eq!(scan(&mut queue, Settle::Gone), [keys[0]]);
    }

    #[test]
    fn an_item_that_could_not_be_copied_out_stays_the_first() {
        let (mut queue, keys) = queue_of(2);
        queue.mark(keys[0]);
        queue.mark(keys[1]);
        let taken = queue.take(queue.now()).unwrap();
        queue.settle(&taken, Settle::Front);
        assert_eq!(scan(&mut queue, Settle::Gone), [keys[0], keys[1]]);
    }

    #[test]
    fn a_disarmed_item_hears_nothing_until_it_is_armed() {
        let (mut queue, keys) = queue_of(1);
        queue.mark(keys[0]);
        let taken = queue.take(queue.now()).unwrap();
        queue.mark(keys[0]);
        queue.settle(&taken, Settle::Disarmed);
        assert!(queue.is_empty());
        assert!(!queue.mark(keys[0]));
        queue.arm(keys[0]);
        assert!(queue.mark(keys[0]));
    }

    #[test]
    fn a_closed_place_is_not_reported_and_is_used_again() {
        let (mut queue, keys) = queue_of(3);
        for &key in &keys {
            queue.mark(key);
        }
        queue.close(keys[1]);
        assert_eq!(queue.open(), keys[1]);
        assert_eq!(scan(&mut queue, Settle::Gone), [keys[0], keys[2]]);
    }
}
