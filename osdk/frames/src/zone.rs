//! The zone: the free blocks of all memory, one list for each order.
//!
//! Owns: which block is split and which are merged.   Not here: locks (`allocator`), single frames of a CPU (`cache`).
//! Invariant: no two buddies of one order are both free; they are merged when the second is inserted.

use core::ops::Range;

use crate::block::{Block, ORDERS, blocks, order_of};
use crate::counted::FreeFrames;

/// The storage of the free lists. It allocates nothing.
pub trait Links {
    /// Adds a free block to the list of its order.
    fn push(&mut self, block: Block);

    /// Removes any block from the list of an order, and gives its first frame.
    fn pop(&mut self, order: usize) -> Option<usize>;

    /// Removes this block from the list of its order; false if it is not in it.
    ///
    /// Any block may be asked for, also of frames that do not exist.
    fn remove(&mut self, block: Block) -> bool;

    /// Whether the list of an order is empty.
    fn is_empty(&self, order: usize) -> bool;
}

/// The free blocks.
pub struct Zone<L> {
    links: L,
    free: usize,
    /// One bit for each order: whether its list has a block.
    occupied: u32,
}

impl<L> Zone<L> {
    /// A zone without memory. `links` must be empty.
    pub const fn new(links: L) -> Self {
        Self { links, free: 0, occupied: 0 }
    }
}

impl<L> FreeFrames for Zone<L> {
    fn free_frames(&self) -> usize {
        self.free
    }
}

impl<L: Links> Zone<L> {
    /// Frees a block and merges it with its buddies as far as they are free.
    pub fn insert(&mut self, mut block: Block) {
        self.free += block.frames();
        while block.order + 1 < ORDERS && self.remove(block.buddy()) {
            block = block.parent();
        }
        self.push(block);
    }

    /// Frees a range of frames.
    pub fn insert_range(&mut self, range: Range<usize>) {
        blocks(range).for_each(|block| self.insert(block));
    }

    /// Frees single frames, which must be sorted: neighbours go in as one range.
    pub fn insert_sorted(&mut self, frames: &[usize]) {
        for run in frames.chunk_by(|frame, next| frame + 1 == *next) {
            if let [first, ..] = run {
                self.insert_range(*first..*first + run.len());
            }
        }
    }

    /// Allocates a block, from the smallest one that is large enough, and gives its first frame.
    pub fn take(&mut self, order: usize) -> Option<usize> {
        let block = self.take_any(self.occupied & (u32::MAX << order))?;
        self.free -= 1 << order;
        Some(self.trim(block, order))
    }

    /// Allocates `frames` contiguous frames, the first a multiple of `2^alignment`, and gives the first.
    pub fn take_range(&mut self, frames: usize, alignment: usize) -> Option<usize> {
        let order = order_of(frames).max(alignment);
        if order >= ORDERS {
            return None;
        }
        let start = self.take(order)?;
        self.insert_range(start + frames..start + (1 << order));
        Some(start)
    }

    /// Allocates up to `count` frames, the smallest blocks first, and hands each over.
    ///
    /// The frames need not be contiguous: what is too small for anything else goes first.
    pub fn take_singles(&mut self, count: usize, mut give: impl FnMut(usize)) {
        let mut missing = count;
        while let Some(longest) = missing.checked_ilog2()
            && let Some(block) = self.take_any(self.occupied)
        {
            let order = block.order.min(longest as usize);
            let start = self.trim(block, order);
            self.free -= 1 << order;
            missing -= 1 << order;
            // The lowest last: a cache gives them out again from the end, in ascending order.
            (start..start + (1 << order)).rev().for_each(&mut give);
        }
    }

    /// Removes a block of the lowest of these orders. It stays counted as free.
    fn take_any(&mut self, orders: u32) -> Option<Block> {
        if orders == 0 {
            return None;
        }
        let order = orders.trailing_zeros() as usize;
        let frame = self.links.pop(order)?;
        self.note_removal(order);
        Some(Block { frame, order })
    }

    /// Puts all but the first `2^order` frames of a block back, and gives the first frame.
    fn trim(&mut self, mut block: Block, order: usize) -> usize {
        while block.order > order {
            let (lower, upper) = block.halves();
            self.push(upper);
            block = lower;
        }
        block.frame
    }

    fn push(&mut self, block: Block) {
        self.occupied |= 1 << block.order;
        self.links.push(block);
    }

    fn remove(&mut self, block: Block) -> bool {
        let is_free = self.occupied & (1 << block.order) != 0 && self.links.remove(block);
        if is_free {
            self.note_removal(block.order);
        }
        is_free
    }

    fn note_removal(&mut self, order: usize) {
        if self.links.is_empty(order) {
            self.occupied &= !(1 << order);
        }
    }
}
