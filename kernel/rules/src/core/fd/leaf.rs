//! The nodes of a descriptor table: leaves of 64 numbers, and branches of 64 leaves.
//!
//! Owns: the files.   Not here: which number a new file gets (`table`).
//! Invariant: a file is behind taken numbers only, and `open` says which; close-on-exec is said of taken numbers only.
//! A bit of `Branch::full` is set exactly if that leaf has no free number.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::OnExec;
use crate::abi::errno::Errno;
use crate::machine::fallible;

/// Numbers in a leaf, and leaves in a branch.
pub(super) const FAN_OUT: usize = super::ROW;

/// Numbers in a branch.
pub(super) const BRANCH: usize = FAN_OUT * FAN_OUT;

/// 64 neighbouring numbers.
pub(super) struct Leaf<T> {
    /// Bit n: the number is reserved or open.
    pub(super) taken: u64,
    /// Bit n: execve(2) closes the descriptor.
    pub(super) close_on_exec: u64,
    /// Bit n: there is a file.
    pub(super) open: u64,
    /// A place for each number; empty until the first number is taken.
    files: Option<Box<[Option<T>; FAN_OUT]>>,
}

/// 4096 neighbouring numbers. Leaves are allocated when they are needed, one by one, because large allocations need
/// contiguous frames.
pub(super) struct Branch<T> {
    /// Bit n: leaf n has no free number.
    pub(super) full: u64,
    pub(super) leaves: Vec<Leaf<T>>,
}

impl<T> Leaf<T> {
    fn new() -> Self {
        Self { taken: 0, close_on_exec: 0, open: 0, files: None }
    }

    /// Allocates the places for files.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn furnish(&mut self) -> Result<(), Errno> {
        if self.files.is_none() {
            let mut files = Vec::new();
            fallible::reserve_exact(&mut files, FAN_OUT)?;
            files.resize_with(FAN_OUT, || None);
            // The lengths agree, so this cannot fail.
            self.files = files.into_boxed_slice().try_into().ok();
        }
        Ok(())
    }

    pub(super) fn files(&self) -> Option<&[Option<T>; FAN_OUT]> {
        self.files.as_deref()
    }

    #[inline]
    pub(super) fn file(&self, slot: usize) -> Option<&T> {
        self.files.as_ref()?[slot % FAN_OUT].as_ref()
    }

    /// Puts `file` behind a taken number and returns the one that was there.
    pub(super) fn put(&mut self, slot: usize, file: T, on_exec: OnExec) -> Option<T> {
        debug_assert!(self.taken & 1 << slot != 0, "a number that was not reserved");
        self.set_on_exec(slot, on_exec);
        self.open |= 1 << slot;
        self.files.as_mut()?[slot].replace(file)
    }

    /// Frees a number and returns its file.
    pub(super) fn take(&mut self, slot: usize) -> Option<T> {
        self.taken &= !(1 << slot);
        self.close_on_exec &= !(1 << slot);
        self.open &= !(1 << slot);
        self.files.as_mut()?[slot].take()
    }

    pub(super) fn set_on_exec(&mut self, slot: usize, on_exec: OnExec) {
        match on_exec {
            OnExec::Keep => self.close_on_exec &= !(1 << slot),
            OnExec::Close => self.close_on_exec |= 1 << slot,
        }
    }

    /// Finds the first slot from `slot` on with an open file.
    pub(super) fn next_open(&self, slot: usize) -> Option<usize> {
        let candidates = self.open & u64::MAX << slot;
        (candidates != 0).then(|| candidates.trailing_zeros() as usize)
    }

    /// Copies the open files, without numbers that are only reserved.
    fn try_clone(&self) -> Result<Self, Errno>
    where
        T: Clone,
    {
        let mut copy = Self::new();
        if self.open != 0 {
            copy.furnish()?;
        }
        if let (Some(from), Some(to)) = (&self.files, &mut copy.files) {
            let mut rest = self.open;
            while rest != 0 {
                let slot = rest.trailing_zeros() as usize;
                to[slot].clone_from(&from[slot]);
                rest &= rest - 1;
            }
        }
        copy.open = self.open;
        copy.taken = self.open;
        copy.close_on_exec = self.close_on_exec & copy.taken;
        Ok(copy)
    }
}

impl<T> Branch<T> {
    pub(super) const fn new() -> Self {
        Self { full: 0, leaves: Vec::new() }
    }

    /// Returns leaf `index`, and allocates its places for files.
    pub(super) fn leaf_mut(&mut self, index: usize) -> Result<&mut Leaf<T>, Errno> {
        while self.leaves.len() <= index {
            fallible::reserve(&mut self.leaves, 1)?;
            self.leaves.push(Leaf::new());
        }
        let leaf = &mut self.leaves[index];
        leaf.furnish()?;
        Ok(leaf)
    }

    /// Updates whether leaf `index` has a free number, after a change of its taken numbers.
    pub(super) fn note(&mut self, index: usize) {
        if self.leaves[index].taken == u64::MAX {
            self.full |= 1 << index;
        } else {
            self.full &= !(1 << index);
        }
    }

    /// Copies the open files, without numbers that are only reserved, up to the last leaf with one.
    pub(super) fn try_clone(&self) -> Result<Self, Errno>
    where
        T: Clone,
    {
        let len = self.leaves.iter().rposition(|leaf| leaf.next_open(0).is_some()).map_or(0, |last| last + 1);
        let mut copy = Self::new();
        fallible::reserve_exact(&mut copy.leaves, len)?;
        for (index, leaf) in self.leaves[..len].iter().enumerate() {
            copy.leaves.push(leaf.try_clone()?);
            copy.note(index);
        }
        Ok(copy)
    }
}
