//! The interest table of an epoll instance: which files, for which events, reported how.
//!
//! Owns: the items and what identifies them.   Not here: their places in the queue (`queue`), polling.
//! Invariant: the index and the items name each other; an item's slot is its place's key. No numbers are kept of a
//! description without items.
//!
//! An item is identified by the open file description *and* the number: a number that was closed and is used
//! again names another item, and one description under two numbers is two items.
//!
//! Why: decision 0058.

use alloc::vec::Vec;
use core::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use pollee::Events;
use smallvec::SmallVec;

use super::queue::{Key, Settle};
use crate::abi::epoll::{EpollEvent, EpollFlags, Operation};
use crate::abi::errno::Errno;

/// What makes an item this item: the description, known by a `D` that no other living one has, and a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity<D> {
    /// The open file description.
    pub description: D,
    /// The number by which it was added.
    pub fd: i32,
}

/// One entry: a file `F` and what is wanted of it.
#[derive(Debug)]
pub struct Item<D, F> {
    /// What it is found by.
    pub identity: Identity<D>,
    /// The file, as the kernel holds on to it.
    pub file: F,
    /// Wanted events, flags and data, as the program gave them.
    pub event: EpollEvent,
}

/// The interest table.
#[derive(Debug)]
pub struct Table<D, F> {
    items: Vec<Option<Item<D, F>>>,
    index: HashMap<D, Numbers, FixedState>,
    len: usize,
}

/// The numbers under which one description was added, in their order. Mostly there is one.
type Numbers = SmallVec<[(i32, Key); 1]>;

/// The events that an exclusive item may ask for (`EPOLLEXCLUSIVE_OK_BITS`): IN, OUT, ERR, HUP.
const EXCLUSIVE_EVENTS: u32 = 0x1 | 0x4 | 0x8 | 0x10;

/// Whether the file to be added is itself an epoll instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// It is.
    Epoll,
    /// It is any other file.
    Other,
}

/// Whether `operation` may give an item `event`, before it is known whether there is such an item.
///
/// # Errors
/// `EINVAL`: `EPOLLEXCLUSIVE` for an item that exists, for an epoll instance, or with anything but IN, OUT,
/// ERR, HUP, WAKEUP and ET.
pub fn check(operation: Operation, event: &EpollEvent, target: Target) -> Result<(), Errno> {
    if !event.flags().contains(EpollFlags::EXCLUSIVE) {
        return Ok(());
    }
    let allowed = EpollFlags::EXCLUSIVE | EpollFlags::WAKEUP | EpollFlags::EDGE;
    let others = event.events & !(allowed.bits() | EXCLUSIVE_EVENTS);
    match operation {
        Operation::Delete => Ok(()),
        Operation::Add if target == Target::Other && others == 0 => Ok(()),
        Operation::Add | Operation::Modify => Err(Errno::EINVAL),
    }
}

impl EpollEvent {
    /// The flags.
    #[must_use]
    pub const fn flags(&self) -> EpollFlags {
        EpollFlags::from_bits_truncate(self.events)
    }

    /// The events that the file is asked for. Errors and hang-ups are always among them.
    #[must_use]
    pub fn interest(&self) -> Events {
        // Linux keeps what it does not know and never finds it ready.
        let [low, high, _, _] = self.events.to_le_bytes();
        Events::from_bits_truncate(u16::from_le_bytes([low, high])) | Events::ALWAYS
    }

    /// What becomes of an item's place when its events were reported.
    #[must_use]
    pub const fn settle_reported(&self) -> Settle {
        if self.flags().contains(EpollFlags::ONESHOT) {
            Settle::Disarmed
        } else if self.flags().contains(EpollFlags::EDGE) {
            Settle::Gone
        } else {
            Settle::Back
        }
    }
}

impl<D: Copy + Eq + Hash, F> Table<D, F> {
    /// A table with nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        // Who is looked up is not chosen by programs: no key is needed against those who would make them collide.
        Self { items: Vec::new(), index: HashMap::with_hasher(FixedState::with_seed(0)), len: 0 }
    }

    /// The place of the item that `identity` names.
    #[must_use]
    pub fn find(&self, identity: Identity<D>) -> Option<Key> {
        let numbers = self.index.get(&identity.description)?;
        position(numbers, identity.fd).ok().map(|at| numbers[at].1)
    }

    /// The item with the place `key`.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Item<D, F>> {
        self.items.get(key.index())?.as_ref()
    }

    /// The item with the place `key`.
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Item<D, F>> {
        self.items.get_mut(key.index())?.as_mut()
    }

    /// Adds an item whose identity is not in the table, with the place `key`.
    ///
    /// # Errors
    /// `ENOMEM`; nothing was added.
    pub fn insert(&mut self, key: Key, item: Item<D, F>) -> Result<(), Errno> {
        if self.items.len() <= key.index() {
            let missing = key.index() + 1 - self.items.len();
            self.items.try_reserve(missing).map_err(|_| Errno::ENOMEM)?;
            self.items.resize_with(key.index() + 1, || None);
        }
        self.index.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let Identity { description, fd } = item.identity;
        let numbers = self.index.entry(description).or_default();
        if let Err(at) = position(numbers, fd) {
            numbers.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            numbers.insert(at, (fd, key));
        }
        self.items[key.index()] = Some(item);
        self.len += 1;
        Ok(())
    }

    /// Takes an item out, and gives the place that it had.
    pub fn remove(&mut self, identity: Identity<D>) -> Option<(Key, Item<D, F>)> {
        let Entry::Occupied(mut entry) = self.index.entry(identity.description) else { return None };
        let numbers = entry.get_mut();
        let (_, key) = numbers.remove(position(numbers, identity.fd).ok()?);
        if numbers.is_empty() {
            entry.remove();
        }
        self.len -= 1;
        Some((key, self.items.get_mut(key.index())?.take()?))
    }

    /// The numbers under which one description was added, in their order.
    pub fn numbers_of(&self, description: D) -> impl Iterator<Item = i32> {
        self.index.get(&description).into_iter().flatten().map(|&(fd, _)| fd)
    }

    /// The first item whose place is `from` or later, and where the search for the next begins.
    pub fn next(&self, from: usize) -> Option<(usize, &Item<D, F>)> {
        let at = (from..self.items.len()).find(|&at| self.items[at].is_some())?;
        Some((at + 1, self.items[at].as_ref()?))
    }

    /// How many items there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Where `fd` is among the numbers, or belongs.
fn position(numbers: &Numbers, fd: i32) -> Result<usize, usize> {
    numbers.binary_search_by_key(&fd, |&(number, _)| number)
}

impl<D: Copy + Eq + Hash, F> Default for Table<D, F> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Item, Table, Target, check};
    use crate::abi::epoll::{EpollEvent, EpollFlags, Operation};
    use crate::abi::errno::Errno;
    use crate::core::epoll::queue::{Queue, Settle};
    use pollee::Events;

    const IN: u32 = 1;
    const PRI: u32 = 2;

    const fn event(events: u32, flags: EpollFlags) -> EpollEvent {
        EpollEvent { events: events | flags.bits(), data: 0 }
    }

    fn item(fd: i32, description: usize) -> Item<usize, ()> {
        Item { identity: Identity { description, fd }, file: (), event: event(IN, EpollFlags::empty()) }
    }

    #[test]
    fn a_description_under_two_numbers_is_two_items() {
        let (mut table, mut queue) = (Table::new(), Queue::new());
        let (first, second) = (queue.open(), queue.open());
        table.insert(first, item(3, 0x1000)).unwrap();
        table.insert(second, item(4, 0x1000)).unwrap();
        assert_eq!(table.len(), 2);
        assert_eq!(table.numbers_of(0x1000).collect::<alloc::vec::Vec<_>>(), [3, 4]);
        assert_eq!(table.numbers_of(0x0fff).count(), 0);
        assert_eq!(table.find(Identity { description: 0x1000, fd: 3 }), Some(first));
        assert_eq!(table.find(Identity { description: 0x2000, fd: 3 }), None);
        let third = Identity { description: 0x1000, fd: 3 };
        assert_eq!(table.remove(third).map(|(key, item)| (key, item.identity)), Some((first, third)));
        assert!(table.remove(third).is_none());
        let (next, item) = table.next(0).unwrap();
        assert_eq!((item.identity.fd, table.len()), (4, 1));
        assert!(table.next(next).is_none());
    }

    #[test]
    fn exclusive_allows_little_and_no_epoll() {
        let exclusive = EpollFlags::EXCLUSIVE;
        let add = |events, flags, target| check(Operation::Add, &event(events, flags), target);
        assert_eq!(add(IN, exclusive | EpollFlags::EDGE, Target::Other), Ok(()));
        assert_eq!(add(IN, exclusive | EpollFlags::ONESHOT, Target::Other), Err(Errno::EINVAL));
        assert_eq!(add(PRI, exclusive, Target::Other), Err(Errno::EINVAL));
        assert_eq!(add(IN, exclusive, Target::Epoll), Err(Errno::EINVAL));
        assert_eq!(add(PRI, EpollFlags::ONESHOT, Target::Epoll), Ok(()));
    }

    #[test]
    fn no_item_becomes_exclusive() {
        let exclusive = event(IN, EpollFlags::EXCLUSIVE);
        assert_eq!(check(Operation::Modify, &exclusive, Target::Other), Err(Errno::EINVAL));
        assert_eq!(check(Operation::Delete, &exclusive, Target::Other), Ok(()));
    }

    #[test]
    fn the_file_is_asked_for_what_it_may_know_and_for_its_end() {
        let wanted = event(IN | 0x2000 | 0x0800, EpollFlags::EDGE).interest();
        assert_eq!(wanted, Events::IN | Events::RDHUP | Events::ALWAYS);
    }

    #[test]
    fn one_shot_beats_edge_beats_level() {
        let both = EpollFlags::ONESHOT | EpollFlags::EDGE;
        assert_eq!(event(IN, both).settle_reported(), Settle::Disarmed);
        assert_eq!(event(IN, EpollFlags::EDGE).settle_reported(), Settle::Gone);
        assert_eq!(event(IN, EpollFlags::empty()).settle_reported(), Settle::Back);
    }

    #[test]
    fn an_event_survives_the_packed_layout() {
        let event = EpollEvent { events: 0x8000_0001, data: 0x0123_4567_89ab_cdef };
        let bytes = event.to_bytes();
        assert_eq!(bytes[..5], [1, 0, 0, 0x80, 0xef]);
        assert_eq!(EpollEvent::from_bytes(bytes), event);
    }
}
