//! The interest table of an epoll instance: which files, for which events, reported how.
//!
//! Owns: the items and what identifies them.   Not here: their places in the ready list (`pollee::ready_list`), polling.
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
use pollee::ready_list::{Key, Settle};
use smallvec::SmallVec;

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
pub enum TargetKind {
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
pub fn check(operation: Operation, event: &EpollEvent, target: TargetKind) -> Result<(), Errno> {
    if !event.flags().contains(EpollFlags::EXCLUSIVE) {
        return Ok(());
    }
    let allowed = EpollFlags::EXCLUSIVE | EpollFlags::WAKEUP | EpollFlags::EDGE;
    let others = event.events & !(allowed.bits() | EXCLUSIVE_EVENTS);
    match operation {
        Operation::Delete => Ok(()),
        Operation::Add if target == TargetKind::Other && others == 0 => Ok(()),
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
mod tests;
