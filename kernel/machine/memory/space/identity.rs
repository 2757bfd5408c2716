//! Identifies memory independently of its address, for futexes.
//!
//! Source: futex(2); Linux 6.1 kernel/futex/core.c (`get_futex_key`).

use rules::abi::errno::Errno;

use super::super::layout::PAGE_SIZE;
use super::{AddressSpace, Backing};

/// Identifies a byte of memory, whatever address it is reached by.
///
/// It is valid for comparison while the memory is mapped. Afterwards another object may get the same identity, so a
/// holder of an old one may be confused with others and must tolerate that.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Identity {
    /// Private memory of one address space.
    Private {
        /// The address space.
        space: usize,
        /// The address in it.
        addr: usize,
    },
    /// Memory that other address spaces may map, too.
    Shared {
        /// The object whose pages are mapped.
        pages: usize,
        /// The byte in it.
        offset: u64,
    },
}

impl AddressSpace {
    /// Returns the identity of the byte at `addr`, assuming that no other address space maps it, as
    /// `FUTEX_PRIVATE_FLAG` promises.
    #[must_use]
    pub(crate) fn private_identity(&self, addr: usize) -> Identity {
        Identity::Private { space: core::ptr::from_ref(self).addr(), addr }
    }

    /// Returns the identity of the byte at `addr`.
    ///
    /// # Errors
    /// `EFAULT`: nothing is mapped there.
    pub(crate) fn identity(&self, addr: usize) -> Result<Identity, Errno> {
        let state = self.state.lock();
        let area = state.areas.at(addr).ok_or(Errno::EFAULT)?;
        Ok(match &area.backing {
            Backing::Shared { pages, index, .. } => {
                let page = index.wrapping_add(((addr - area.start) / PAGE_SIZE) as u64);
                let offset = page.wrapping_mul(PAGE_SIZE as u64) + (addr % PAGE_SIZE) as u64;
                Identity::Shared { pages: alloc::sync::Arc::as_ptr(pages).addr(), offset }
            }
            Backing::Anonymous | Backing::Private { .. } => self.private_identity(addr),
        })
    }
}
