//! The arithmetic of buddies: aligned blocks of 2ⁿ frames.
//!
//! Frames are named by their number, the physical address divided by the page size.
//!
//! Source: Knuth, The Art of Computer Programming 1, 2.5, "The buddy system".

use core::ops::Range;

/// The number of block sizes: from one frame to 2²³ frames, 32 GiB.
pub const ORDERS: usize = 24;

/// Frames `frame..frame + 2^order`.
///
/// Invariant: `frame` is a multiple of `2^order`, and `order < ORDERS`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Block {
    /// The number of the first frame.
    pub frame: usize,
    /// The binary logarithm of the size.
    pub order: usize,
}

impl Block {
    /// The number of frames in the block.
    #[must_use]
    pub const fn frames(self) -> usize {
        1 << self.order
    }

    /// The block that forms the next larger one together with this.
    #[must_use]
    pub const fn buddy(self) -> Self {
        Self { frame: self.frame ^ self.frames(), order: self.order }
    }

    /// The block that consists of this one and its buddy.
    #[must_use]
    pub const fn parent(self) -> Self {
        Self { frame: self.frame & !self.frames(), order: self.order + 1 }
    }

    /// The lower and the upper half. The order must not be 0.
    #[must_use]
    pub const fn halves(self) -> (Self, Self) {
        let lower = Self { frame: self.frame, order: self.order - 1 };
        (lower, lower.buddy())
    }
}

/// The smallest order whose blocks have at least `frames` frames.
#[must_use]
pub const fn order_of(frames: usize) -> usize {
    frames.next_power_of_two().trailing_zeros() as usize
}

/// The fewest blocks that a range of frames consists of, in ascending order.
pub fn blocks(range: Range<usize>) -> impl Iterator<Item = Block> {
    let Range { mut start, end } = range;
    core::iter::from_fn(move || {
        let longest = end.checked_sub(start)?.checked_ilog2()?;
        let order = longest.min(start.trailing_zeros()).min(ORDERS as u32 - 1) as usize;
        let block = Block { frame: start, order };
        start += block.frames();
        Some(block)
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::{Block, ORDERS, blocks, order_of};

    #[test]
    fn buddies_have_each_other_and_one_parent() {
        let block = Block { frame: 12, order: 2 };
        assert_eq!(block.buddy(), Block { frame: 8, order: 2 });
        assert_eq!(block.buddy().buddy(), block);
        assert_eq!(block.parent(), Block { frame: 8, order: 3 });
        assert_eq!(block.parent().halves(), (block.buddy(), block));
    }

    #[test]
    fn an_order_covers_the_frames_asked_for() {
        assert_eq!([1, 2, 3, 4, 5, 8, 9].map(order_of), [0, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn a_range_is_split_at_its_alignment() {
        let split: Vec<_> = blocks(3..17).map(|block| (block.frame, block.order)).collect();
        assert_eq!(split, [(3, 0), (4, 2), (8, 3), (16, 0)]);
        assert_eq!(blocks(5..5).count(), 0);
    }

    #[test]
    fn no_block_is_larger_than_the_largest_order() {
        let largest = 1 << (ORDERS - 1);
        assert!(blocks(0..4 * largest).all(|block| block.order == ORDERS - 1));
        assert_eq!(blocks(0..4 * largest).count(), 4);
    }
}
