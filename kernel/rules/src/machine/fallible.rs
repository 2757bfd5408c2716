//! Allocations that can fail: the one place through which memory is asked for on behalf of a program.
//!
//! Owns: the question to the budget, the lists and boxes that are built after it.   Not here: how much there is, and
//! for whom (the kernel's `machine/memory/budget`, which answers).
//! Invariant: what is not granted is not allocated. On the host there is no budget, and everything is granted.
//!
//! The heap gives what exceeds half a page in whole frames, in one piece. So a list that a program can make long has
//! its parts in pages, or an error ends its growth.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use core::hash::{BuildHasher, Hash};

use hashbrown::HashMap;
use smallvec::{Array, SmallVec};
use spin::Once;

use crate::abi::errno::Errno;

/// Answers for all memory.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Holds so many bytes, or refuses.
    pub take: fn(usize) -> bool,
    /// Releases what was held.
    pub give: fn(usize),
}

static BUDGET: Once<Budget> = Once::new();

/// Has every grant from now on decided by `budget`. The first call counts.
pub fn install(budget: Budget) {
    BUDGET.call_once(|| budget);
}

/// Bytes that are held for the caller, who allocates them before it drops this.
#[derive(Debug)]
#[must_use = "the bytes are given back when it is dropped"]
pub struct Grant(usize);

impl Grant {
    /// Holds `bytes`.
    ///
    /// # Errors
    /// `ENOMEM`: there are not so many.
    #[inline]
    pub fn new(bytes: usize) -> Result<Self, Errno> {
        let is_granted = BUDGET.get().is_none_or(|budget| (budget.take)(bytes));
        if is_granted { Ok(Self(bytes)) } else { Err(Errno::ENOMEM) }
    }
}

impl Drop for Grant {
    #[inline]
    fn drop(&mut self) {
        if let Some(budget) = BUDGET.get() {
            (budget.give)(self.0);
        }
    }
}

/// A collection that can be asked for room.
pub trait Grow {
    /// The size of an item.
    const ITEM: usize;

    /// How many items it has.
    fn items(&self) -> usize;

    /// How many items it has room for.
    fn capacity(&self) -> usize;

    /// Makes room for so many more; false if there is no memory.
    fn grow(&mut self, more: usize) -> bool;
}

macro_rules! grow {
    ($collection:ty, $item:expr $(, $parameter:ident)?) => {
        impl$(<$parameter>)? Grow for $collection {
            const ITEM: usize = $item;

            #[inline]
            fn items(&self) -> usize {
                self.len()
            }

            #[inline]
            fn capacity(&self) -> usize {
                self.capacity()
            }

            fn grow(&mut self, more: usize) -> bool {
                self.try_reserve_exact(more).is_ok()
            }
        }
    };
}

grow!(Vec<T>, size_of::<T>(), T);
grow!(VecDeque<T>, size_of::<T>(), T);
grow!(String, 1);

impl<A: Array> Grow for SmallVec<A> {
    const ITEM: usize = size_of::<A::Item>();

    #[inline]
    fn items(&self) -> usize {
        self.len()
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn grow(&mut self, more: usize) -> bool {
        self.try_reserve_exact(more).is_ok()
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> Grow for HashMap<K, V, S> {
    const ITEM: usize = size_of::<(K, V)>() + 1;

    #[inline]
    fn items(&self) -> usize {
        self.len()
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn grow(&mut self, more: usize) -> bool {
        self.try_reserve(more).is_ok()
    }
}

/// Makes room for `more` items; a collection that must grow doubles, so that many small steps cost little.
///
/// # Errors
/// `ENOMEM`: the collection is unchanged.
#[inline]
pub fn reserve<C: Grow>(collection: &mut C, more: usize) -> Result<(), Errno> {
    if collection.capacity() - collection.items() >= more {
        return Ok(());
    }
    let target = (2 * collection.capacity()).max(collection.items().saturating_add(more)).max(4);
    resize(collection, target)
}

/// Makes room for exactly `more` items.
///
/// # Errors
/// As [`reserve`].
#[inline]
pub fn reserve_exact<C: Grow>(collection: &mut C, more: usize) -> Result<(), Errno> {
    if collection.capacity() - collection.items() >= more {
        return Ok(());
    }
    let target = collection.items().saturating_add(more);
    resize(collection, target)
}

/// Makes room for `target` items in all.
#[cold]
fn resize<C: Grow>(collection: &mut C, target: usize) -> Result<(), Errno> {
    let _grant = Grant::new(target.saturating_mul(C::ITEM))?;
    let more = target - collection.items();
    if collection.grow(more) { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Appends an item.
///
/// # Errors
/// `ENOMEM`: the item is dropped.
#[inline]
pub fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), Errno> {
    reserve(list, 1)?;
    list.push(item);
    Ok(())
}

/// Makes a list of `len` zero bytes.
///
/// # Errors
/// `ENOMEM`.
pub fn zeroes(len: usize) -> Result<Vec<u8>, Errno> {
    let mut list = Vec::new();
    reserve_exact(&mut list, len)?;
    list.resize(len, 0);
    Ok(list)
}

/// Copies a slice.
///
/// # Errors
/// `ENOMEM`.
pub fn copy<T: Copy>(items: &[T]) -> Result<Vec<T>, Errno> {
    let mut list = Vec::new();
    reserve_exact(&mut list, items.len())?;
    list.extend_from_slice(items);
    Ok(list)
}

/// Collects items.
///
/// # Errors
/// `ENOMEM`: not all of them have room.
pub fn collect<T>(items: impl IntoIterator<Item = T>) -> Result<Vec<T>, Errno> {
    let items = items.into_iter();
    let mut list = Vec::new();
    reserve_exact(&mut list, items.size_hint().0)?;
    for item in items {
        push(&mut list, item)?;
    }
    Ok(list)
}

/// Moves a value to the heap.
///
/// # Errors
/// `ENOMEM`: the value is dropped.
pub fn boxed<T>(value: T) -> Result<Box<T>, Errno> {
    let _grant = Grant::new(size_of::<T>())?;
    Box::try_new(value).map_err(|_| Errno::ENOMEM)
}

/// Moves a value to the heap, to be shared.
///
/// # Errors
/// `ENOMEM`: the value is dropped.
pub fn shared<T>(value: T) -> Result<Arc<T>, Errno> {
    /// The two reference counts.
    const COUNTS: usize = 2 * size_of::<usize>();
    let _grant = Grant::new(size_of::<T>() + COUNTS)?;
    Arc::try_new(value).map_err(|_| Errno::ENOMEM)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{boxed, collect, copy, push, reserve, reserve_exact, shared, zeroes};
    use crate::abi::errno::Errno;

    #[test]
    fn without_a_budget_everything_is_granted() {
        assert_eq!(zeroes(3), Ok(Vec::from([0; 3])));
        assert_eq!(copy(b"abc").as_deref(), Ok(&b"abc"[..]));
        assert_eq!(collect([1, 2, 3].into_iter().filter(|n| n % 2 == 1)).as_deref(), Ok(&[1, 3][..]));
        assert_eq!(boxed(5).as_deref(), Ok(&5));
        assert_eq!(shared(5).as_deref(), Ok(&5));
    }

    #[test]
    fn a_list_doubles_unless_it_is_told_its_length() {
        let mut list: Vec<u64> = Vec::new();
        push(&mut list, 1).unwrap();
        assert_eq!(list.capacity(), 4);
        (0..4).for_each(|n| push(&mut list, n).unwrap());
        assert_eq!(list.capacity(), 8);
        let mut exact: Vec<u64> = Vec::new();
        reserve_exact(&mut exact, 5).unwrap();
        assert_eq!(exact.capacity(), 5);
    }

    #[test]
    fn more_than_there_can_be_is_refused() {
        let mut list: Vec<u64> = Vec::from([1]);
        assert_eq!(reserve(&mut list, usize::MAX), Err(Errno::ENOMEM));
        assert_eq!(zeroes(usize::MAX), Err(Errno::ENOMEM));
        assert_eq!(list, [1]);
    }
}
