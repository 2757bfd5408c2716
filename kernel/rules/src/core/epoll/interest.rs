//! The interest list of an epoll instance: which files, for which events, reported how.
//!
//! Owns: the items and their identities.   Not here: the ready list, polling (`core/object/epoll`).
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
use crate::machine::fallible;

/// The identity of an item: its open file description, by a `D` that is unique among living ones, and its number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity<D> {
    /// The open file description.
    pub description: D,
    /// The descriptor number with which it was added.
    pub fd: i32,
}

/// An entry of the interest list: a file `F` and its events.
#[derive(Debug)]
pub struct Item<D, F> {
    /// Its identity.
    pub identity: Identity<D>,
    /// The kernel's reference to the file.
    pub file: F,
    /// The events, flags and data, as the program passed them.
    pub event: EpollEvent,
}

/// The interest list.
#[derive(Debug)]
pub struct Table<D, F> {
    items: Vec<Option<Item<D, F>>>,
    index: HashMap<D, Numbers, FixedState>,
    len: usize,
}

/// The numbers with which one description was added, in ascending order. Mostly there is one.
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

/// Checks whether `operation` may set an item's `event`, before the item is looked up.
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
    /// Returns the flags.
    #[must_use]
    pub const fn flags(&self) -> EpollFlags {
        EpollFlags::from_bits_truncate(self.events)
    }

    /// Returns the events that the file is polled for. Errors and hang-ups are always among them.
    #[must_use]
    pub fn interest(&self) -> Events {
        // Linux keeps unknown bits, which are never ready.
        let [low, high, _, _] = self.events.to_le_bytes();
        Events::from_bits_truncate(u16::from_le_bytes([low, high])) | Events::ALWAYS
    }

    /// Returns what happens to an item's place after its events were reported.
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
        // Programs do not choose the keys, so the hash needs no secret against forced collisions.
        Self { items: Vec::new(), index: HashMap::with_hasher(FixedState::with_seed(0)), len: 0 }
    }

    /// Finds the place of an item.
    #[must_use]
    pub fn find(&self, identity: Identity<D>) -> Option<Key> {
        let numbers = self.index.get(&identity.description)?;
        position(numbers, identity.fd).ok().map(|at| numbers[at].1)
    }

    /// Returns the item with the place `key`.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Item<D, F>> {
        self.items.get(key.index())?.as_ref()
    }

    /// Returns the item with the place `key`.
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
            fallible::reserve(&mut self.items, missing)?;
            self.items.resize_with(key.index() + 1, || None);
        }
        fallible::reserve(&mut self.index, 1)?;
        let Identity { description, fd } = item.identity;
        let numbers = self.index.entry(description).or_default();
        if let Err(at) = position(numbers, fd) {
            fallible::reserve(numbers, 1)?;
            numbers.insert(at, (fd, key));
        }
        self.items[key.index()] = Some(item);
        self.len += 1;
        Ok(())
    }

    /// Removes an item and returns the place that it had.
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

    /// Returns the numbers with which one description was added, in ascending order.
    pub fn numbers_of(&self, description: D) -> impl Iterator<Item = i32> {
        self.index.get(&description).into_iter().flatten().map(|&(fd, _)| fd)
    }

    /// Returns the first item whose place is `from` or later, and where to look for the next.
    pub fn next(&self, from: usize) -> Option<(usize, &Item<D, F>)> {
        let at = (from..self.items.len()).find(|&at| self.items[at].is_some())?;
        Some((at + 1, self.items[at].as_ref()?))
    }

    /// Returns how many items there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there is no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Returns where `fd` is among the numbers, or where it belongs.
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
