//! How much of an address space is locked.

use core::ops::Range;

use rules::machine::vma::Traits;

use super::AddressSpace;

impl AddressSpace {
    /// Returns how many bytes of `range` are locked.
    #[must_use]
    pub(crate) fn locked(&self, range: Range<usize>) -> usize {
        let state = self.state.lock();
        let locked =
            state.areas.overlapping(range.clone()).filter(|area| area.traits.contains(Traits::LOCKED));
        locked.map(|area| area.end.min(range.end) - area.start.max(range.start)).sum()
    }
}
