//! Counts the resident pages by leaf table.
//!
//! Each leaf table (2 MiB) has a count and the range that its pages are in. This gives the resident size, lets
//! operations on large ranges skip empty entries, and tells where page tables exist: an OSTD cursor for a narrow range
//! builds the tables down to it, which an unmap or a fork of an untouched range must not pay for and a hostile program
//! must not cause.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use core::ops::Range;

use super::super::layout::{PAGE_SIZE, TASK_SIZE};

/// The bytes that one leaf table maps.
pub(super) const LEAF_SIZE: usize = 512 * PAGE_SIZE;

/// Empty leaf tables that are kept for reuse.
const IDLE_MAX: usize = 16;

/// The resident pages of an address space.
#[derive(Default)]
pub(super) struct Residency {
    /// By first address.
    leaves: BTreeMap<usize, Leaf>,
    totals: Totals,
    /// The number of leaf tables ever built. It bounds the tables of each upper level, which are never taken down.
    built: usize,
}

#[derive(Default)]
struct Totals {
    pages: usize,
    /// The largest number of pages so far.
    peak: usize,
    /// The number of empty leaf tables.
    idle: usize,
}

/// The pages in one leaf table.
#[derive(Clone, Copy)]
struct Leaf {
    pages: usize,
    /// Lower bound of the addresses of all pages.
    low: usize,
    high: usize,
}

impl Leaf {
    const IDLE: Self = Self { pages: 0, low: usize::MAX, high: 0 };
}

/// A leaf table in which pages are about to be mapped.
pub(super) struct LeafMut<'a> {
    leaf: &'a mut Leaf,
    totals: &'a mut Totals,
}

impl LeafMut<'_> {
    /// Returns an address from which on nothing is mapped in this leaf.
    pub(super) fn high(&self) -> usize {
        self.leaf.high
    }

    /// Counts `pages` new pages, all of them in `range`.
    pub(super) fn add(&mut self, range: Range<usize>, pages: usize) {
        if pages == 0 {
            return;
        }
        self.totals.idle -= usize::from(self.leaf.pages == 0);
        self.totals.pages += pages;
        self.totals.peak = self.totals.peak.max(self.totals.pages);
        self.leaf.pages += pages;
        self.leaf.low = self.leaf.low.min(range.start);
        self.leaf.high = self.leaf.high.max(range.end);
    }
}

impl Residency {
    /// Returns the number of resident pages.
    pub(super) fn pages(&self) -> usize {
        self.totals.pages
    }

    /// Returns the largest number of resident pages so far.
    pub(super) fn peak(&self) -> usize {
        self.totals.peak
    }

    /// Resets the peak, for another owner.
    pub(super) fn forget_peak(&mut self) {
        self.totals.peak = self.totals.pages;
    }

    /// Returns the number of leaf tables.
    pub(super) fn table_count(&self) -> usize {
        self.leaves.len()
    }

    /// Returns the number of leaf tables ever built.
    pub(super) fn built(&self) -> usize {
        self.built
    }

    /// Returns the leaf table for `addr`. If there is none, `admit` decides whether it may be built; the caller then
    /// makes a cursor for it.
    pub(super) fn leaf<E>(
        &mut self,
        addr: usize,
        admit: impl FnOnce() -> Result<(), E>,
    ) -> Result<LeafMut<'_>, E> {
        let leaf = match self.leaves.entry(leaf_of(addr)) {
            Entry::Occupied(leaf) => leaf.into_mut(),
            Entry::Vacant(place) => {
                admit()?;
                self.built += 1;
                self.totals.idle += 1;
                place.insert(Leaf::IDLE)
            }
        };
        Ok(LeafMut { leaf, totals: &mut self.totals })
    }

    /// Counts `pages` new pages in `range`, which lies in one leaf.
    pub(super) fn add(&mut self, range: Range<usize>, pages: usize) {
        let Ok(mut leaf) = self.leaf(range.start, || Ok::<_, core::convert::Infallible>(()));
        leaf.add(range, pages);
    }

    /// Counts `pages` pages of the leaf of `addr` as gone.
    pub(super) fn subtract(&mut self, addr: usize, pages: usize) {
        let Some(leaf) = self.leaves.get_mut(&leaf_of(addr)).filter(|_| pages > 0) else { return };
        leaf.pages -= pages;
        self.totals.pages -= pages;
        if leaf.pages == 0 {
            *leaf = Leaf::IDLE;
            self.totals.idle += 1;
        }
    }

    /// Forgets the tables in `range`, which must be aligned to leaves.
    pub(super) fn forget(&mut self, range: Range<usize>) {
        for (_, leaf) in self.leaves.extract_if(range, |_, _| true) {
            self.totals.pages -= leaf.pages;
            self.totals.idle -= usize::from(leaf.pages == 0);
        }
    }

    /// Returns the parts of `range` that may hold pages, each in one leaf, in order.
    pub(super) fn populated(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = leaf_of(range.start);
        self.leaves.range(first..range.end.max(first)).filter_map(move |(_, leaf)| {
            let part = range.start.max(leaf.low)..range.end.min(leaf.high);
            (part.start < part.end).then_some(part)
        })
    }

    /// Returns the smallest range of whole leaves in `range` that contains all its tables.
    pub(super) fn tables(&self, range: Range<usize>) -> Option<Range<usize>> {
        let mut leaves = self.leaves.range(range);
        let first = *leaves.next()?.0;
        let last = leaves.next_back().map_or(first, |(leaf, _)| *leaf);
        Some(first..leaf_end(last))
    }

    /// Forgets the empty tables of `range` if there are too many in all, and returns them for the caller to take down.
    /// If the list is full, there may be more.
    pub(super) fn take_idle(&mut self, range: Range<usize>) -> heapless::Vec<usize, { 2 * IDLE_MAX }> {
        let mut taken = heapless::Vec::new();
        if self.totals.idle > IDLE_MAX {
            let first = leaf_of(range.start);
            let leaves = self.leaves.extract_if(first..range.end.max(first), |_, leaf| leaf.pages == 0);
            taken.extend(leaves.map(|(leaf, _)| leaf).take(2 * IDLE_MAX));
            self.totals.idle -= taken.len();
        }
        taken
    }
}

/// Returns the first address that the leaf table of `addr` maps.
pub(super) const fn leaf_of(addr: usize) -> usize {
    addr & !(LEAF_SIZE - 1)
}

/// Returns the end of the range that the leaf table of `addr` maps. The last leaf extends beyond user space.
pub(super) const fn leaf_end(addr: usize) -> usize {
    let end = leaf_of(addr) + LEAF_SIZE;
    if end < TASK_SIZE { end } else { TASK_SIZE }
}
