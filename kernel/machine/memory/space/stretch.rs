//! Stretches: parts of a range that are small enough to be changed under the lock.
//!
//! A page costs about two microseconds to unmap, to move or to share, and a page table 14 to take down. So a stretch
//! takes about 100 microseconds, a tenth of the time between two ticks.

use core::ops::Range;

use super::super::layout::PAGE_SIZE;
use super::{AddressSpace, State};
use crate::machine::pause::pause;

/// The most pages that a stretch may hold.
const PAGES: usize = 32;
/// What a page table costs, in pages.
const TABLE: usize = 8;
/// The most areas that a stretch may touch.
pub(super) const AREAS: usize = 16;

impl State {
    /// Returns the first stretch of `range`, which is all of it if that is small.
    pub(super) fn stretch(&self, range: Range<usize>) -> Range<usize> {
        let areas = self.areas.overlapping(range.clone()).nth(AREAS).map_or(range.end, |area| area.start);
        let end = range.end.min(areas);
        let mut left = PAGES;
        for part in self.residency.populated(range.start..end) {
            let pages = part.len() / PAGE_SIZE;
            if pages > left {
                // A stretch has at least one page.
                return range.start..part.start + left.max(1) * PAGE_SIZE;
            }
            left = left.saturating_sub(pages + TABLE);
        }
        range.start..end
    }
}

impl AddressSpace {
    /// Calls `change` for each stretch of `range`, under the lock, and pauses between two. What it returns is dropped
    /// without the lock. The caller holds `layout`.
    ///
    /// # Errors
    /// Those of `change`, which is not called again then.
    pub(super) fn for_each_stretch<R, E>(
        &self,
        range: Range<usize>,
        mut change: impl FnMut(&mut State, Range<usize>) -> Result<R, E>,
    ) -> Result<(), E> {
        let mut next = range.start;
        while next < range.end {
            let changed = {
                let mut state = self.state.lock();
                let stretch = state.stretch(next..range.end);
                next = stretch.end;
                change(&mut state, stretch)?
            };
            drop(changed);
            if next < range.end {
                pause();
            }
        }
        Ok(())
    }

    /// Unmaps the pages of `range` and leaves its areas, so that what replaces them finds little to do. A page that is
    /// touched meanwhile comes back.
    pub(super) fn drain(&self, range: Range<usize>) {
        let Ok(()) = self.for_each_stretch(range, |state, stretch| {
            self.table.unmap(&mut state.residency, stretch);
            Ok::<_, core::convert::Infallible>(())
        });
    }
}
