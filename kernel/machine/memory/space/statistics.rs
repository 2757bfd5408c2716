//! The sizes of an address space, and what is where: `/proc/PID/{stat,maps}`.

use alloc::vec::Vec;
use core::ops::Range;

use rules::machine::abi::mman::Prot;
use rules::machine::vma::Traits;

use super::super::layout::PAGE_SIZE;
use super::{AddressSpace, Backing};

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Statistics {
    /// Mapped addresses (`VmSize`).
    pub virtual_size: usize,
    /// Pages in memory (`VmRSS`).
    pub resident: usize,
    /// The most there ever were (`VmHWM`).
    pub peak: usize,
    /// Private writable addresses (`VmData`).
    pub data: usize,
}

/// What anonymous memory is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// brk(2).
    Heap,
    /// It grows down.
    Stack,
    /// Nobody told the kernel.
    Other,
}

/// Addresses that behave alike.
pub(crate) struct Region {
    /// The addresses.
    pub(crate) range: Range<usize>,
    /// What may be done with them.
    pub(crate) prot: Prot,
    /// Where their contents come from.
    pub(crate) backing: Backing,
    /// What they are for.
    pub(crate) purpose: Purpose,
}

impl AddressSpace {
    /// The sizes now.
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

    /// What is mapped, by rising addresses.
    pub(crate) fn regions(&self) -> Vec<Region> {
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
        state.areas.iter().map(region).collect()
    }
}
