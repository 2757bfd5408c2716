//! The smallest pieces of a table: 64 numbers, and 64 times 64.
//!
//! Owns: the files.   Not here: which number a new file gets (`table`).
//! Invariant: a file is behind taken numbers only; close-on-exec is said of taken numbers only. A bit of
//! `Branch::full` is set exactly if that leaf has no free number.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::OnExec;
use crate::abi::errno::Errno;

/// Numbers in a leaf, and leaves in a branch.
pub(super) const FAN_OUT: usize = u64::BITS as usize;

/// Numbers in a branch.
pub(super) const BRANCH: usize = FAN_OUT * FAN_OUT;

/// 64 neighbouring numbers.
pub(super) struct Leaf<T> {
    /// Bit n: the number is reserved or open.
    pub(super) taken: u64,
    /// Bit n: the descriptor goes when its process executes another program.
    pub(super) close_on_exec: u64,
    /// A place for each number; none at all as long as no number was ever taken.
    files: Box<[Option<T>]>,
}

/// 4096 neighbouring numbers. Its leaves come into being as they are needed; small allocations all, because
/// large ones need contiguous frames.
pub(super) struct Branch<T> {
    /// Bit n: leaf n has no free number.
    pub(super) full: u64,
    pub(super) leaves: Vec<Leaf<T>>,
}

impl<T> Leaf<T> {
    fn new() -> Self {
        Self { taken: 0, close_on_exec: 0, files: Box::default() }
    }

    /// Makes places for files.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn furnish(&mut self) -> Result<(), Errno> {
        if self.files.is_empty() {
            let mut files = Vec::new();
            files.try_reserve_exact(FAN_OUT).map_err(|_| Errno::ENOMEM)?;
            files.resize_with(FAN_OUT, || None);
            self.files = files.into_boxed_slice();
        }
        Ok(())
    }

    #[inline]
    pub(super) fn file(&self, slot: usize) -> Option<&T> {
        self.files.get(slot)?.as_ref()
    }

    /// Puts `file` behind a taken number and returns the one that was there.
    pub(super) fn put(&mut self, slot: usize, file: T, on_exec: OnExec) -> Option<T> {
        debug_assert!(self.taken & 1 << slot != 0, "a number that nobody reserved");
        self.set_on_exec(slot, on_exec);
        self.files[slot].replace(file)
    }

    /// Empties a number: takes its file, which leaves the number free.
    pub(super) fn take(&mut self, slot: usize) -> Option<T> {
        self.taken &= !(1 << slot);
        self.close_on_exec &= !(1 << slot);
        self.files.get_mut(slot)?.take()
    }

    pub(super) fn set_on_exec(&mut self, slot: usize, on_exec: OnExec) {
        match on_exec {
            OnExec::Keep => self.close_on_exec &= !(1 << slot),
            OnExec::Close => self.close_on_exec |= 1 << slot,
        }
    }

    /// The first slot from `slot` on with an open file.
    pub(super) fn next_open(&self, slot: usize) -> Option<usize> {
        let mut candidates = self.taken & u64::MAX << slot;
        while candidates != 0 {
            let slot = candidates.trailing_zeros() as usize;
            if self.file(slot).is_some() {
                return Some(slot);
            }
            candidates &= candidates - 1;
        }
        None
    }

    /// A copy with the open files and without what is only reserved.
    fn try_clone(&self) -> Result<Self, Errno>
    where
        T: Clone,
    {
        let mut copy = Self::new();
        let mut next = self.next_open(0);
        if next.is_some() {
            copy.furnish()?;
        }
        while let Some(slot) = next {
            copy.taken |= 1 << slot;
            copy.files[slot].clone_from(&self.files[slot]);
            next = if slot + 1 < FAN_OUT { self.next_open(slot + 1) } else { None };
        }
        copy.close_on_exec = self.close_on_exec & copy.taken;
        Ok(copy)
    }
}

impl<T> Branch<T> {
    pub(super) const fn new() -> Self {
        Self { full: 0, leaves: Vec::new() }
    }

    /// Leaf `index`, with places for files.
    pub(super) fn leaf_mut(&mut self, index: usize) -> Result<&mut Leaf<T>, Errno> {
        while self.leaves.len() <= index {
            self.leaves.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.leaves.push(Leaf::new());
        }
        let leaf = &mut self.leaves[index];
        leaf.furnish()?;
        Ok(leaf)
    }

    /// Notes whether leaf `index` has a free number; after each change of what is taken there.
    pub(super) fn note(&mut self, index: usize) {
        if self.leaves[index].taken == u64::MAX {
            self.full |= 1 << index;
        } else {
            self.full &= !(1 << index);
        }
    }

    /// A copy with the open files and without what is only reserved, up to the last leaf with one.
    pub(super) fn try_clone(&self) -> Result<Self, Errno>
    where
        T: Clone,
    {
        let len = self.leaves.iter().rposition(|leaf| leaf.next_open(0).is_some()).map_or(0, |last| last + 1);
        let mut copy = Self::new();
        copy.leaves.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
        for (index, leaf) in self.leaves[..len].iter().enumerate() {
            copy.leaves.push(leaf.try_clone()?);
            copy.note(index);
        }
        Ok(copy)
    }
}
