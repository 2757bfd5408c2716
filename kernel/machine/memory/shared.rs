//! Anonymous memory that several address spaces share: `MAP_SHARED | MAP_ANONYMOUS`.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use ostd::mm::UFrame;
use ostd::sync::SpinLock;

use super::budget;
use super::pages::{PageError, Pages};

/// Zero-filled pages, allocated on first touch and shared by all mappings.
///
/// The object has no size: its mappings bound what can be touched.
pub(crate) struct SharedPages {
    /// A leaf lock: nothing else is locked under it.
    pages: SpinLock<BTreeMap<u64, UFrame>>,
}

impl SharedPages {
    /// Makes the memory of a new mapping.
    #[must_use]
    pub(crate) fn new_shared() -> Arc<Self> {
        Arc::new(Self { pages: SpinLock::new(BTreeMap::new()) })
    }
}

impl Pages for SharedPages {
    fn page(&self, index: u64) -> Result<UFrame, PageError> {
        let mut pages = self.pages.lock();
        if let Some(page) = pages.get(&index) {
            return Ok(page.clone());
        }
        let page = budget::zeroed_page().map_err(|_| PageError::OutOfMemory)?;
        pages.insert(index, page.clone());
        Ok(page)
    }

    fn present_page(&self, index: u64) -> Option<UFrame> {
        self.pages.lock().get(&index).cloned()
    }
}
