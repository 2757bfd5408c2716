//! The queue of an inotify instance.
//!
//! Owns: the events that were not read yet.   Not here: copying them (`record`), who waits for them.
//! Invariant: the queue has at most one event more than its limit, the overflow; that is in the queue at most once.
//! Source: inotify(7); Linux 6.1 fs/notify/notification.c (`fsnotify_insert_event`),
//! fs/notify/inotify/inotify_fsnotify.c (`inotify_merge`).

use alloc::collections::VecDeque;

use pollee::{Events, Readiness};

use super::mask::Happened;
use super::record::Event;
use crate::abi::errno::Errno;
use crate::machine::fallible;

/// The events of an instance, in the order in which they happened.
#[derive(Debug)]
pub struct Queue {
    events: VecDeque<Event>,
    /// The total length of the records in bytes.
    len: usize,
    /// How many events it may hold.
    most: usize,
    has_overflow: bool,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pushed {
    /// It is in the queue, or the overflow is there instead: readers are notified.
    Added,
    /// The last event says the same, or the overflow was there already.
    Merged,
}

impl Queue {
    /// Makes an empty queue for at most `most` events.
    ///
    /// # Errors
    /// `ENOMEM`: there is no memory for the overflow.
    pub fn new(most: usize) -> Result<Self, Errno> {
        let mut events = VecDeque::new();
        fallible::reserve(&mut events, 1)?;
        Ok(Self { events, len: 0, most, has_overflow: false })
    }

    /// Adds an event, or an overflow if the queue is full. The queue has room for the overflow at all times, so a lack
    /// of memory is an overflow as well; `may_grow` says whether so many bytes may be taken.
    pub fn push(&mut self, event: Event, may_grow: impl FnOnce(usize) -> bool) -> Pushed {
        if self.events.len() >= self.most {
            return self.overflow();
        }
        if self.events.back().is_some_and(|last| last.stands_for(&event)) {
            return Pushed::Merged;
        }
        // One place stays free.
        let needs_room = self.events.capacity() < self.events.len() + 2;
        // The places double, and the queue may be the last that keeps the name.
        let places = if needs_room { 2 * self.events.capacity() * size_of::<Event>() } else { 0 };
        if !may_grow(places + event.name().len())
            || needs_room && fallible::reserve(&mut self.events, 2).is_err()
        {
            return self.overflow();
        }
        self.append(event);
        Pushed::Added
    }

    fn overflow(&mut self) -> Pushed {
        if self.has_overflow {
            return Pushed::Merged;
        }
        self.has_overflow = true;
        self.append(Event::own(-1, Happened::OVERFLOW));
        Pushed::Added
    }

    fn append(&mut self, event: Event) {
        self.len += event.size();
        self.events.push_back(event);
    }

    /// Returns the first event.
    #[must_use]
    pub fn first(&self) -> Option<&Event> {
        self.events.front()
    }

    /// Takes the first event, to be dropped without the lock.
    #[must_use]
    pub fn take(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.len -= event.size();
        self.has_overflow &= !event.happened.contains(Happened::OVERFLOW);
        Some(event)
    }

    /// Returns the number of bytes that all records have: `FIONREAD`.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there is no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl Readiness for Queue {
    fn readiness(&self) -> Events {
        if self.is_empty() { Events::empty() } else { Events::READABLE }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn opened(watch: i32) -> Event {
        Event::own(watch, Happened::OPEN)
    }

    fn numbers(queue: &mut Queue) -> Vec<i32> {
        core::iter::from_fn(|| queue.take()).map(|event| event.watch).collect()
    }

    #[test]
    fn only_the_last_event_is_merged() {
        let mut queue = Queue::new(10).unwrap();
        let pushed: Vec<_> = [1, 1, 2, 1].map(|watch| queue.push(opened(watch), |_| true)).into();
        assert_eq!(pushed, [Pushed::Added, Pushed::Merged, Pushed::Added, Pushed::Added]);
        assert_eq!(queue.len(), 48);
        assert_eq!(numbers(&mut queue), [1, 2, 1]);
        assert!(queue.is_empty() && queue.readiness().is_empty());
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_full_queue_overflows_once() {
        let mut queue = Queue::new(2).unwrap();
        for watch in 1..6 {
            let _ = queue.push(opened(watch), |_| true);
        }
        // Checked before the last event is compared.
        assert_eq!(queue.push(opened(2), |_| true), Pushed::Merged);
        assert_eq!(numbers(&mut queue), [1, 2, -1]);
        for watch in 1..6 {
            let _ = queue.push(opened(watch), |_| true);
        }
        assert_eq!(numbers(&mut queue), [1, 2, -1]);
    }

    #[test]
    fn missing_memory_is_an_overflow() {
        let mut queue = Queue::new(100).unwrap();
        let mut added = 0;
        while queue.push(opened(added), |bytes| bytes == 0) == Pushed::Added && !queue.has_overflow {
            added += 1;
        }
        assert_eq!(numbers(&mut queue).pop(), Some(-1));
        assert!(added < 10);
    }
}
