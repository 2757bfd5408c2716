//! How many pages are mapped where.
//!
//! Counted per leaf table (2 MiB). It tells the resident size, and it tells where there is a page table at
//! all: making an OSTD cursor for a narrow range builds the tables down to it, which an unmap or a
//! fork of an untouched range must not pay for and a hostile program must not cause.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

use super::super::layout::PAGE_SIZE;

/// Bytes that one leaf table maps.
pub(super) const LEAF_SIZE: usize = 512 * PAGE_SIZE;

/// Leaf tables without a page that are kept for the next use.
const IDLE_MAX: usize = 16;

/// The pages in each leaf table.
#[derive(Default)]
pub(super) struct Residency {
    /// By first address. An entry of zero is a table that is empty and still there.
    leaves: BTreeMap<usize, usize>,
    pages: usize,
    idle: usize,
}

impl Residency {
    /// All pages.
    pub(super) fn pages(&self) -> usize {
        self.pages
    }

    /// How many leaf tables there are.
    pub(super) fn table_count(&self) -> usize {
        self.leaves.len()
    }

    /// Whether the leaf table for `addr` is there.
    pub(super) fn has_table(&self, addr: usize) -> bool {
        self.leaves.contains_key(&leaf_of(addr))
    }

    /// Notes `pages` new pages in the leaf of `addr`.
    pub(super) fn add(&mut self, addr: usize, pages: usize) {
        match self.leaves.get_mut(&leaf_of(addr)) {
            Some(count) => {
                self.idle -= usize::from(*count == 0 && pages > 0);
                *count += pages;
            }
            None => {
                self.idle += usize::from(pages == 0);
                self.leaves.insert(leaf_of(addr), pages);
            }
        }
        self.pages += pages;
    }

    /// Notes that `pages` pages of the leaf of `addr` are gone.
    pub(super) fn subtract(&mut self, addr: usize, pages: usize) {
        if pages == 0 {
            return;
        }
        if let Some(count) = self.leaves.get_mut(&leaf_of(addr)) {
            *count -= pages;
            self.idle += usize::from(*count == 0);
            self.pages -= pages;
        }
    }

    /// Forgets the tables inside `range`, which starts and ends between leaves.
    pub(super) fn forget(&mut self, range: Range<usize>) {
        while let Some((&leaf, &count)) = self.leaves.range(range.clone()).next() {
            self.leaves.remove(&leaf);
            self.pages -= count;
            self.idle -= usize::from(count == 0);
        }
    }

    /// The parts of `range` that have a page in their leaf, in order.
    pub(super) fn populated(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        self.leaves.range(leaf_of(range.start)..range.end.max(leaf_of(range.start))).filter_map(
            move |(&leaf, &count)| {
                let part = range.start.max(leaf)..range.end.min(leaf + LEAF_SIZE);
                (count > 0).then_some(part)
            },
        )
    }

    /// The smallest run of whole leaves inside `range` that holds all tables in there.
    pub(super) fn tables(&self, range: Range<usize>) -> Option<Range<usize>> {
        let mut leaves = self.leaves.range(range.start..range.end.max(range.start));
        let first = *leaves.next()?.0;
        let last = leaves.next_back().map_or(first, |(leaf, _)| *leaf);
        Some(first..last + LEAF_SIZE)
    }

    /// Whether `range` has a page.
    pub(super) fn is_populated(&self, range: Range<usize>) -> bool {
        self.populated(range).next().is_some()
    }

    /// The empty tables, once there are too many to keep.
    pub(super) fn take_idle(&mut self) -> Vec<usize> {
        if self.idle <= IDLE_MAX {
            return Vec::new();
        }
        self.idle = 0;
        self.leaves.extract_if(.., |_, count| *count == 0).map(|(leaf, _)| leaf).collect()
    }
}

/// The first address of the leaf table's range that `addr` is in.
pub(super) const fn leaf_of(addr: usize) -> usize {
    addr & !(LEAF_SIZE - 1)
}
