//! How many pages are mapped where.
//!
//! Counted per leaf table (2 MiB), with the range that they are in. It tells the resident size, it spares
//! operations on large ranges the walk over entries that are empty, and it tells where there is a page
//! table at all: making an OSTD cursor for a narrow range builds the tables down to it, which an unmap or
//! a fork of an untouched range must not pay for and a hostile program must not cause.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use core::ops::Range;

use super::super::layout::{PAGE_SIZE, TASK_SIZE};

/// Bytes that one leaf table maps.
pub(super) const LEAF_SIZE: usize = 512 * PAGE_SIZE;

/// Leaf tables without a page that are kept for the next use.
const IDLE_MAX: usize = 16;

/// The pages in each leaf table.
#[derive(Default)]
pub(super) struct Residency {
    /// By first address.
    leaves: BTreeMap<usize, Leaf>,
    totals: Totals,
    /// Leaf tables that were ever built. There are no more tables of the upper levels than this for each
    /// level, and those are never taken down.
    built: usize,
}

#[derive(Default)]
struct Totals {
    pages: usize,
    /// The most pages there ever were.
    peak: usize,
    /// Leaf tables that are there and hold no page.
    idle: usize,
}

/// The pages in one leaf table.
#[derive(Clone, Copy)]
struct Leaf {
    pages: usize,
    /// All pages are in here.
    low: usize,
    high: usize,
}

impl Leaf {
    const IDLE: Self = Self { pages: 0, low: usize::MAX, high: 0 };
}

/// One leaf table while something is mapped in it.
pub(super) struct LeafMut<'a> {
    leaf: &'a mut Leaf,
    totals: &'a mut Totals,
}

impl LeafMut<'_> {
    /// From here on nothing is mapped in this leaf.
    pub(super) fn high(&self) -> usize {
        self.leaf.high
    }

    /// Notes `pages` new pages, all of them inside `range`.
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
    /// All pages.
    pub(super) fn pages(&self) -> usize {
        self.totals.pages
    }

    /// The most pages there ever were at a time.
    pub(super) fn peak(&self) -> usize {
        self.totals.peak
    }

    /// Begins to look for the most pages anew, for another owner.
    pub(super) fn forget_peak(&mut self) {
        self.totals.peak = self.totals.pages;
    }

    /// How many leaf tables there are.
    pub(super) fn table_count(&self) -> usize {
        self.leaves.len()
    }

    /// How many leaf tables were ever built.
    pub(super) fn built(&self) -> usize {
        self.built
    }

    /// The leaf table for `addr`. If there is none yet, `admit` says whether one may be built: the caller makes
    /// a cursor for it next.
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

    /// Notes `pages` new pages inside `range`, which is part of one leaf.
    pub(super) fn add(&mut self, range: Range<usize>, pages: usize) {
        let Ok(mut leaf) = self.leaf(range.start, || Ok::<_, core::convert::Infallible>(()));
        leaf.add(range, pages);
    }

    /// Notes that `pages` pages of the leaf of `addr` are gone.
    pub(super) fn subtract(&mut self, addr: usize, pages: usize) {
        let Some(leaf) = self.leaves.get_mut(&leaf_of(addr)).filter(|_| pages > 0) else { return };
        leaf.pages -= pages;
        self.totals.pages -= pages;
        if leaf.pages == 0 {
            *leaf = Leaf::IDLE;
            self.totals.idle += 1;
        }
    }

    /// Forgets the tables inside `range`, which starts and ends between leaves.
    pub(super) fn forget(&mut self, range: Range<usize>) {
        for (_, leaf) in self.leaves.extract_if(range, |_, _| true) {
            self.totals.pages -= leaf.pages;
            self.totals.idle -= usize::from(leaf.pages == 0);
        }
    }

    /// The parts of `range` that may hold pages, each inside one leaf, in order.
    pub(super) fn populated(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = leaf_of(range.start);
        self.leaves.range(first..range.end.max(first)).filter_map(move |(_, leaf)| {
            let part = range.start.max(leaf.low)..range.end.min(leaf.high);
            (part.start < part.end).then_some(part)
        })
    }

    /// The smallest run of whole leaves inside `range` that holds all tables in there.
    pub(super) fn tables(&self, range: Range<usize>) -> Option<Range<usize>> {
        let mut leaves = self.leaves.range(range);
        let first = *leaves.next()?.0;
        let last = leaves.next_back().map_or(first, |(leaf, _)| *leaf);
        Some(first..leaf_end(last))
    }

    /// Forgets the empty tables once there are too many to keep, and returns them to be taken down.
    pub(super) fn take_idle(&mut self) -> Vec<usize> {
        if self.totals.idle <= IDLE_MAX {
            return Vec::new();
        }
        self.totals.idle = 0;
        self.leaves.extract_if(.., |_, leaf| leaf.pages == 0).map(|(leaf, _)| leaf).collect()
    }
}

/// The first address of the leaf table's range that `addr` is in.
pub(super) const fn leaf_of(addr: usize) -> usize {
    addr & !(LEAF_SIZE - 1)
}

/// The first address after the leaf table's range. The last leaf of user space is not wholly the user's.
pub(super) const fn leaf_end(addr: usize) -> usize {
    let end = leaf_of(addr) + LEAF_SIZE;
    if end < TASK_SIZE { end } else { TASK_SIZE }
}
