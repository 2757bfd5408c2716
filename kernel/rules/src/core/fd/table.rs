//! Gives out descriptor numbers, the lowest free one first.
//!
//! Owns: the policy.   Not here: the pieces (`leaf`), RLIMIT_NOFILE's value (its process).
//!
//! A new number is *reserved*, the caller does what may fail, and then *commits* a file to it: a program never sees a
//! number that does not work, and an error leaks none.

use alloc::vec::Vec;

use super::leaf::{BRANCH, Branch, FAN_OUT, Leaf};
use super::{Fd, MOST, OnExec, Row};
use crate::abi::errno::Errno;
use crate::machine::fallible;

/// The capacity of a new table: Linux's `NR_OPEN_DEFAULT`.
const SMALLEST_CAPACITY: u32 = 64;

/// Linux grows tables to this many numbers times a power of two.
const CAPACITY_STEP: u32 = 128;

/// A table of file descriptors with files `T`.
pub struct FdTable<T> {
    branches: Vec<Branch<T>>,
    capacity: u32,
    /// No number below this one is free.
    lowest: u32,
}

/// A reserved number, to be [committed](FdTable::commit) or [cancelled](FdTable::cancel).
#[derive(Debug)]
#[must_use]
pub struct Reserved(u32);

impl Reserved {
    /// Returns the number, which may be copied to a program before it is open.
    #[must_use]
    pub const fn fd(&self) -> Fd {
        Fd(self.0)
    }
}

impl<T> FdTable<T> {
    /// Creates an empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { branches: Vec::new(), capacity: SMALLEST_CAPACITY, lowest: 0 }
    }

    /// Returns the capacity of Linux's table with these numbers: select(2) ignores numbers beyond it.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Returns the file behind `fd`.
    #[inline]
    #[must_use]
    pub fn get(&self, fd: Fd) -> Option<&T> {
        self.leaf(fd.index() / FAN_OUT)?.file(fd.index() % FAN_OUT)
    }

    /// Returns the row of descriptors from `nr` times [`ROW`](super::ROW) on.
    #[inline]
    #[must_use]
    pub fn row(&self, nr: usize) -> Row<'_, T> {
        self.leaf(nr).map_or(Row::empty(), Row::of)
    }

    /// Reserves the lowest free number from `from` on and below `limit`.
    ///
    /// # Errors
    /// No number was taken. `EMFILE`: there is none below `limit`. `ENOMEM`: the table cannot grow.
    pub fn reserve(&mut self, from: Fd, limit: u32) -> Result<Reserved, Errno> {
        let start = from.0.max(self.lowest);
        let number = self.next_free(start);
        if number >= limit.min(MOST) {
            return Err(Errno::EMFILE);
        }
        self.take_number(number)?;
        if start == self.lowest {
            self.lowest = number + 1;
        }
        Ok(Reserved(number))
    }

    /// Opens a reserved number.
    pub fn commit(&mut self, reserved: Reserved, file: T, on_exec: OnExec) {
        let index = reserved.0 as usize;
        if let Some(leaf) = self.leaf_mut(index / FAN_OUT) {
            let previous = leaf.put(index % FAN_OUT, file, on_exec);
            debug_assert!(previous.is_none(), "a reserved number was open");
        }
    }

    /// Frees a reserved number.
    pub fn cancel(&mut self, reserved: Reserved) {
        let file = self.release(reserved.0);
        debug_assert!(file.is_none(), "a reserved number was open");
    }

    /// Opens `file` at `fd`, as dup2(2), and returns the file that was there; the caller drops it without the table's
    /// lock.
    ///
    /// # Errors
    /// Nothing changed. `EBADF`: the number is not below `limit`. `EBUSY`: another thread has reserved it and not
    /// committed yet. `ENOMEM`: the table cannot grow.
    pub fn replace(&mut self, fd: Fd, limit: u32, file: T, on_exec: OnExec) -> Result<Option<T>, Errno> {
        if fd.0 >= limit.min(MOST) {
            return Err(Errno::EBADF);
        }
        let (leaf, slot) = (fd.index() / FAN_OUT, fd.index() % FAN_OUT);
        let is_taken = self.leaf(leaf).is_some_and(|leaf| leaf.taken & 1 << slot != 0);
        if is_taken && self.get(fd).is_none() {
            return Err(Errno::EBUSY);
        }
        self.take_number(fd.0)?;
        Ok(self.leaf_mut(leaf).and_then(|leaf| leaf.put(slot, file, on_exec)))
    }

    /// Closes `fd` and returns its file; the caller drops it without the table's lock.
    ///
    /// # Errors
    /// `EBADF`: it is not open.
    pub fn close(&mut self, fd: Fd) -> Result<T, Errno> {
        self.get(fd).ok_or(Errno::EBADF)?;
        self.release(fd.0).ok_or(Errno::EBADF)
    }

    /// Returns what execve(2) does to `fd`.
    ///
    /// # Errors
    /// `EBADF`: it is not open.
    pub fn on_exec(&self, fd: Fd) -> Result<OnExec, Errno> {
        self.get(fd).ok_or(Errno::EBADF)?;
        let marks = self.leaf(fd.index() / FAN_OUT).map_or(0, |leaf| leaf.close_on_exec);
        Ok(if marks & 1 << (fd.index() % FAN_OUT) != 0 { OnExec::Close } else { OnExec::Keep })
    }

    /// Sets what execve(2) does to `fd`.
    ///
    /// # Errors
    /// `EBADF`: it is not open.
    pub fn set_on_exec(&mut self, fd: Fd, on_exec: OnExec) -> Result<(), Errno> {
        self.get(fd).ok_or(Errno::EBADF)?;
        let leaf = self.leaf_mut(fd.index() / FAN_OUT).ok_or(Errno::EBADF)?;
        leaf.set_on_exec(fd.index() % FAN_OUT, on_exec);
        Ok(())
    }

    /// Finds the first open number from `from` to `last`.
    #[must_use]
    pub fn next_open(&self, from: Fd, last: Fd) -> Option<Fd> {
        let mut slot = from.index() % FAN_OUT;
        for leaf in from.index() / FAN_OUT..self.branches.len() * FAN_OUT {
            if let Some(slot) = self.leaf(leaf).and_then(|leaf| leaf.next_open(slot)) {
                return Self::fd(leaf, slot).filter(|fd| *fd <= last);
            }
            slot = 0;
        }
        None
    }

    /// Finds the first number from `from` on that execve(2) closes.
    #[must_use]
    pub fn next_close_on_exec(&self, from: Fd) -> Option<Fd> {
        let mut fd = self.next_open(from, Fd(u32::MAX));
        while let Some(candidate) = fd
            && self.on_exec(candidate) == Ok(OnExec::Keep)
        {
            fd = self.next_open(Fd(candidate.0 + 1), Fd(u32::MAX));
        }
        fd
    }

    /// Copies the table for another process, without numbers that are only reserved.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn try_clone(&self) -> Result<Self, Errno>
    where
        T: Clone,
    {
        let mut copy = Self::new();
        fallible::reserve_exact(&mut copy.branches, self.branches.len())?;
        for branch in &self.branches {
            copy.branches.push(branch.try_clone()?);
        }
        let used = copy
            .branches
            .iter()
            .rposition(|branch| !branch.leaves.is_empty())
            .map_or(0, |last| last * BRANCH + copy.branches[last].leaves.len() * FAN_OUT);
        copy.grow_capacity(u32::try_from(used).unwrap_or(MOST).saturating_sub(1));
        copy.lowest = copy.next_free(0);
        Ok(copy)
    }

    fn leaf(&self, leaf: usize) -> Option<&Leaf<T>> {
        self.branches.get(leaf / FAN_OUT)?.leaves.get(leaf % FAN_OUT)
    }

    fn leaf_mut(&mut self, leaf: usize) -> Option<&mut Leaf<T>> {
        self.branches.get_mut(leaf / FAN_OUT)?.leaves.get_mut(leaf % FAN_OUT)
    }

    fn fd(leaf: usize, slot: usize) -> Option<Fd> {
        u32::try_from(leaf * FAN_OUT + slot).ok().map(Fd)
    }

    /// Finds the first free number from `start` on; it may be beyond every limit.
    fn next_free(&self, start: u32) -> u32 {
        let start = start as usize;
        // The leaf of `start` counts from `start` on, every later leaf from its beginning.
        if let Some(leaf) = self.leaf(start / FAN_OUT) {
            let free = !leaf.taken & u64::MAX << (start % FAN_OUT);
            if free != 0 {
                return number(start - start % FAN_OUT + free.trailing_zeros() as usize);
            }
        } else {
            return number(start);
        }
        let mut leaf = start / FAN_OUT + 1;
        while let Some(branch) = self.branches.get(leaf / FAN_OUT) {
            let with_room = !branch.full & u64::MAX << (leaf % FAN_OUT);
            if with_room != 0 {
                leaf = leaf - leaf % FAN_OUT + with_room.trailing_zeros() as usize;
                let taken = self.leaf(leaf).map_or(0, |leaf| leaf.taken);
                return number(leaf * FAN_OUT + taken.trailing_ones() as usize);
            }
            leaf = leaf - leaf % FAN_OUT + FAN_OUT;
        }
        number(leaf * FAN_OUT)
    }

    /// Marks a number below [`MOST`] as taken.
    fn take_number(&mut self, number: u32) -> Result<(), Errno> {
        let (leaf, slot) = (number as usize / FAN_OUT, number as usize % FAN_OUT);
        while self.branches.len() <= leaf / FAN_OUT {
            fallible::reserve(&mut self.branches, 1)?;
            self.branches.push(Branch::new());
        }
        let branch = &mut self.branches[leaf / FAN_OUT];
        branch.leaf_mut(leaf % FAN_OUT)?.taken |= 1 << slot;
        branch.note(leaf % FAN_OUT);
        self.grow_capacity(number);
        Ok(())
    }

    fn release(&mut self, number: u32) -> Option<T> {
        let (leaf, slot) = (number as usize / FAN_OUT, number as usize % FAN_OUT);
        let file = self.leaf_mut(leaf)?.take(slot);
        self.branches[leaf / FAN_OUT].note(leaf % FAN_OUT);
        self.lowest = self.lowest.min(number);
        file
    }

    /// Returns the capacity that Linux's `alloc_fdtable` chooses for `number`: 128 times a power of two.
    fn grow_capacity(&mut self, number: u32) {
        if number >= self.capacity {
            self.capacity = ((number / CAPACITY_STEP + 1).next_power_of_two() * CAPACITY_STEP).min(MOST);
        }
    }
}

impl<T> Default for FdTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
