//! Sizes and mappings of an address space, for `/proc/PID/{stat,maps}`.

use core::ops::Range;

use rules::machine::abi::mman::Prot;
use rules::machine::vma::Traits;

use super::super::layout::{PAGE_SIZE, TASK_SIZE};
use super::{AddressSpace, Backing};

/// The sizes of an address space in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Statistics {
    /// Mapped memory (`VmSize`).
    pub virtual_size: usize,
    /// Resident memory (`VmRSS`).
    pub resident: usize,
    /// The largest resident size so far (`VmHWM`).
    pub peak: usize,
    /// Private writable memory (`VmData`).
    pub data: usize,
}

/// What an area of anonymous memory is used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// The heap of brk(2).
    Heap,
    /// A stack: the area grows down.
    Stack,
    /// Unknown to the kernel.
    Other,
}

/// A range of addresses with the same properties.
pub(crate) struct Region {
    /// The addresses.
    pub(crate) range: Range<usize>,
    /// The protection.
    pub(crate) prot: Prot,
    /// The source of the contents.
    pub(crate) backing: Backing,
    /// What the memory is used for.
    pub(crate) purpose: Purpose,
}

impl AddressSpace {
    /// Returns the current sizes.
    #[must_use]
    pub(crate) fn statistics(&self) -> Statistics {
        let state = self.state.lock();
        Statistics {
            virtual_size: state.areas.total(),
            resident: state.residency.pages() * PAGE_SIZE,
            peak: state.residency.peak() * PAGE_SIZE,
            data: state.areas.data(),
        }
    }

    /// Returns the first mapping that ends above `addr`.
    ///
    /// One at a time: all of them are megabytes.
    #[must_use]
    pub(crate) fn region_from(&self, addr: usize) -> Option<Region> {
        let state = self.state.lock();
        let heap = state.heap.start..state.heap.end;
        let region = |area: &rules::machine::vma::Area<Backing>| {
            let purpose = if area.traits.contains(Traits::GROWS_DOWN) {
                Purpose::Stack
            } else if area.start < heap.end && heap.start < area.end {
                Purpose::Heap
            } else {
                Purpose::Other
            };
            Region { range: area.range(), prot: area.prot, backing: area.backing.clone(), purpose }
        };
        state.areas.overlapping(addr..TASK_SIZE).next().map(region)
    }
}
