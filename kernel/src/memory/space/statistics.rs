//! The sizes of an address space, for the tests inside the kernel.

use super::super::layout::PAGE_SIZE;
use super::AddressSpace;

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Statistics {
    /// Mapped addresses (`VmSize`).
    pub virtual_size: usize,
    /// Pages in memory (`VmRSS`).
    pub resident: usize,
    /// Private writable addresses (`VmData`).
    pub data: usize,
}

impl AddressSpace {
    /// The sizes now.
    #[must_use]
    pub(crate) fn statistics(&self) -> Statistics {
        let state = self.state.lock();
        Statistics {
            virtual_size: state.areas.total(),
            resident: state.residency.pages() * PAGE_SIZE,
            data: state.areas.data(),
        }
    }
}
