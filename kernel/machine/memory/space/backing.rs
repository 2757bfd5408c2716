//! The source of an area's initial contents.

use alloc::sync::Arc;

use super::super::layout::PAGE_SIZE;
use super::super::pages::{Hold, Pages};

/// What an area maps.
#[derive(Clone)]
pub(crate) enum Backing {
    /// Zeroes; a page becomes the address space's own when it is touched.
    Anonymous,
    /// Pages of a file; a write makes a private copy.
    Private {
        /// The file.
        pages: Arc<dyn Pages>,
        /// The page at the area's start.
        index: u64,
    },
    /// Pages that are read and written in place.
    Shared {
        /// The file, or the memory that related processes share.
        pages: Arc<dyn Pages>,
        /// The page at the area's start.
        index: u64,
        /// Dropped when the mapping ends, for objects that count their mappings.
        hold: Hold,
    },
}

impl Backing {
    /// Returns the pages and the index of the page `bytes` behind the area's start; `None` for anonymous memory.
    pub(super) fn page_at(&self, bytes: usize) -> Option<(&dyn Pages, u64)> {
        match self {
            Self::Anonymous => None,
            Self::Private { pages, index } | Self::Shared { pages, index, .. } => {
                Some((&**pages, index.wrapping_add(page_count(bytes))))
            }
        }
    }

    /// Returns whether writes go to the shared pages.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared { .. })
    }
}

impl rules::machine::vma::Backing for Backing {
    fn advanced(&self, bytes: usize) -> Self {
        // An index near the end of the range wraps only where the area's own arithmetic would wrap; mmap(2) rejects
        // such offsets (EOVERFLOW).
        let by = page_count(bytes);
        match self {
            Self::Anonymous => Self::Anonymous,
            Self::Private { pages, index } => {
                Self::Private { pages: pages.clone(), index: index.wrapping_add(by) }
            }
            Self::Shared { pages, index, hold } => {
                Self::Shared { pages: pages.clone(), index: index.wrapping_add(by), hold: hold.clone() }
            }
        }
    }

    fn is_continued_by(&self, len: usize, next: &Self) -> bool {
        let continues = |pages: &Arc<dyn Pages>, index: &u64, next: &Arc<dyn Pages>, next_index: &u64| {
            same_object(pages, next) && index.wrapping_add(page_count(len)) == *next_index
        };
        match (self, next) {
            (Self::Anonymous, Self::Anonymous) => true,
            (Self::Private { pages, index }, Self::Private { pages: next, index: next_index }) => {
                continues(pages, index, next, next_index)
            }
            (
                Self::Shared { pages, index, hold },
                Self::Shared { pages: next, index: next_index, hold: next_hold },
            ) => hold.is_some() == next_hold.is_some() && continues(pages, index, next, next_index),
            (Self::Anonymous | Self::Private { .. } | Self::Shared { .. }, _) => false,
        }
    }

    fn is_private(&self) -> bool {
        !self.is_shared()
    }
}

/// Returns whether both are the same object. Vtables are not compared: one type may have several.
fn same_object(a: &Arc<dyn Pages>, b: &Arc<dyn Pages>) -> bool {
    core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

fn page_count(bytes: usize) -> u64 {
    (bytes / PAGE_SIZE) as u64
}
