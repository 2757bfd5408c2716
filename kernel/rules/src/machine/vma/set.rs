//! The ordered set of areas.

use alloc::collections::BTreeMap;
use core::ops::Range;

use super::gap::Search;
use super::{Area, Backing, Traits};
use crate::machine::abi::mman::Prot;

/// All areas of an address space, by start.
#[derive(Clone, Debug)]
pub struct Areas<B> {
    by_start: BTreeMap<usize, Area<B>>,
    /// Bytes in all areas.
    total: usize,
    /// Bytes in private writable areas that do not grow: what `RLIMIT_DATA` counts.
    data: usize,
    search: Search,
}

impl<B> Default for Areas<B> {
    fn default() -> Self {
        Self { by_start: BTreeMap::new(), total: 0, data: 0, search: Search::default() }
    }
}

impl<B: Backing> Areas<B> {
    /// Returns the number of areas.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_start.len()
    }

    /// Bytes in all areas.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Returns the area that contains `addr`.
    #[must_use]
    pub fn at(&self, addr: usize) -> Option<&Area<B>> {
        self.by_start.range(..=addr).next_back().map(|(_, area)| area).filter(|area| addr < area.end)
    }

    /// Returns the area that contains `addr`, to note something about its pages.
    ///
    /// Changing its range, protection or backing through this would break the invariant; that is what
    /// [`Self::update`] and [`Self::grow_down`] are for.
    pub fn at_mut(&mut self, addr: usize) -> Option<&mut Area<B>> {
        self.by_start.range_mut(..=addr).next_back().map(|(_, area)| area).filter(|area| addr < area.end)
    }

    /// Returns the first area that starts above `addr`.
    #[must_use]
    pub fn above(&self, addr: usize) -> Option<&Area<B>> {
        self.by_start.range(addr + 1..).next().map(|(_, area)| area)
    }

    /// Returns the last area that ends at or below `addr`, if no area contains `addr`.
    #[must_use]
    pub fn below(&self, addr: usize) -> Option<&Area<B>> {
        self.by_start.range(..addr).next_back().map(|(_, area)| area).filter(|area| area.end <= addr)
    }

    /// Returns the areas that overlap `range`, whole, in order.
    pub fn overlapping(&self, range: Range<usize>) -> impl Iterator<Item = &Area<B>> {
        let first = self.at(range.start).map_or(range.start, |area| area.start);
        self.by_start.range(first..range.end.max(first)).map(|(_, area)| area)
    }

    /// All areas in order.
    pub fn iter(&self) -> impl Iterator<Item = &Area<B>> {
        self.by_start.values()
    }

    /// Returns whether every address of `range` is in an area.
    #[must_use]
    pub fn covers(&self, range: Range<usize>) -> bool {
        let mut next = range.start;
        for area in self.overlapping(range.clone()) {
            if area.start > next {
                return false;
            }
            next = area.end;
        }
        next >= range.end
    }

    /// Adds an area where none is, joining it with its neighbours if they continue one another.
    ///
    /// # Panics
    /// In debug builds, if the area is empty or overlaps another.
    pub fn insert(&mut self, area: Area<B>) {
        debug_assert!(area.start < area.end);
        debug_assert!(self.overlapping(area.range()).next().is_none());
        let start = area.start;
        self.account_for(&area);
        self.by_start.insert(start, area);
        self.join(start);
        self.join_below(start);
    }

    /// Takes the first area out of `range`, or the part of one that is in it; `None` if nothing is there.
    ///
    /// One at a time: a list of all would need memory in order to give memory back.
    pub fn remove_first(&mut self, range: Range<usize>) -> Option<Area<B>> {
        self.split(range.start);
        self.split(range.end);
        let start = self.by_start.range(range).next().map(|(start, _)| *start)?;
        let removed = self.by_start.remove(&start)?;
        self.unaccount_for(&removed);
        self.search.note_removal(removed.end);
        Some(removed)
    }

    /// Applies `change`, which leaves the addresses alone, to every area, or part of one, inside `range`.
    pub fn update(&mut self, range: Range<usize>, mut change: impl FnMut(&mut Area<B>)) {
        self.split(range.start);
        self.split(range.end);
        let Self { by_start, total, data, .. } = self;
        for area in by_start.range_mut(range.clone()).map(|(_, area)| area) {
            (*total, *data) = (*total - area.len(), *data - data_len(area));
            change(area);
            (*total, *data) = (*total + area.len(), *data + data_len(area));
        }
        // From the end, because a join leaves the starts below it alone.
        let mut end = range.end;
        while let Some(start) = self.by_start.range(range.start..end).next_back().map(|(start, _)| *start) {
            self.join(start);
            end = start;
        }
        self.join_below(range.start);
    }

    /// Moves the start of the growing area at `start` down to `new_start`, where nothing may be.
    pub fn grow_down(&mut self, start: usize, new_start: usize) {
        debug_assert!(self.overlapping(new_start..start).next().is_none());
        if let Some(mut area) = self.by_start.remove(&start) {
            self.unaccount_for(&area);
            area.start = new_start;
            self.account_for(&area);
            self.by_start.insert(new_start, area);
        }
    }

    /// Returns the highest free `len` bytes inside `window`, keeping `guard` bytes free below growing areas.
    pub fn find_gap(&mut self, len: usize, window: Range<usize>, guard: usize) -> Option<usize> {
        let mut search = self.search;
        let found = search.run(len, window, guard, |below| {
            let area = self.by_start.range(..below).next_back().map(|(_, area)| area)?;
            Some((area.range(), area.traits.contains(Traits::GROWS_DOWN)))
        });
        self.search = search;
        found
    }

    /// What a child of fork(2) gets: no area that was kept from it, no lock, and no pages where it shall find
    /// zeroes.
    #[must_use]
    pub fn inherited(&self) -> Self {
        let mut child = self.clone();
        for (_, area) in child.by_start.extract_if(.., |_, area| area.traits.contains(Traits::DONT_FORK)) {
            child.total -= area.len();
            child.data -= data_len(&area);
        }
        for area in child.by_start.values_mut() {
            area.traits -= Traits::LOCKED;
            if area.traits.contains(Traits::WIPE_ON_FORK) {
                area.traits -= Traits::OWN_PAGES;
            }
        }
        child.search = Search::default();
        child
    }

    /// Bytes in areas that `RLIMIT_DATA` counts.
    #[must_use]
    pub fn data(&self) -> usize {
        self.data
    }

    fn account_for(&mut self, area: &Area<B>) {
        self.total += area.len();
        self.data += data_len(area);
    }

    fn unaccount_for(&mut self, area: &Area<B>) {
        self.total -= area.len();
        self.data -= data_len(area);
    }

    /// Makes `addr` a border if it is inside an area.
    fn split(&mut self, addr: usize) {
        let Some(area) = self.at(addr).filter(|area| area.start != addr) else { return };
        let (low, high) = (area.part(&(0..addr)), area.part(&(addr..usize::MAX)));
        self.by_start.insert(low.start, low);
        self.by_start.insert(high.start, high);
    }

    /// Joins the area that starts at `start` with the one after it, if they continue one another.
    fn join(&mut self, start: usize) {
        let Some(area) = self.by_start.get(&start) else { return };
        let Some(next) = self.by_start.get(&area.end) else { return };
        if !area.is_continued_by(next) {
            return;
        }
        let (next_start, end, traits) = (next.start, next.end, next.traits);
        self.by_start.remove(&next_start);
        if let Some(area) = self.by_start.get_mut(&start) {
            area.end = end;
            area.traits |= traits;
        }
    }

    /// Joins the area that ends at `addr` with the one that starts there.
    fn join_below(&mut self, addr: usize) {
        if let Some(start) = self.below(addr).map(|area| area.start) {
            self.join(start);
        }
    }
}

fn data_len<B: Backing>(area: &Area<B>) -> usize {
    let grows = area.traits.contains(Traits::GROWS_DOWN);
    if area.prot.contains(Prot::WRITE) && !grows && area.backing.is_private() { area.len() } else { 0 }
}
