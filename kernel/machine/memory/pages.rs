//! Pages of files and other objects that can be mapped.

use alloc::sync::Arc;
use core::any::Any;

use ostd::mm::UFrame;
use rules::abi::errno::Errno;

/// An object whose contents are kept in pages.
///
/// Lock order: page faults call the methods with the address space's lock held, wherever user memory is touched. The
/// methods must not sleep or touch user memory, and none of their locks may be held while user memory is touched.
pub(crate) trait Pages: Any + Send + Sync {
    /// Returns the page that holds byte `index * PAGE_SIZE`. A hole becomes a page of zeroes.
    ///
    /// The page is shared: writes through a shared mapping change the contents. Bytes behind the end of the file are
    /// zero.
    ///
    /// # Errors
    /// [`PageError::BeyondEnd`] if the whole page lies behind the end of the file,
    /// [`PageError::OutOfMemory`] if a hole could not be filled.
    fn page(&self, index: u64) -> Result<UFrame, PageError>;

    /// Returns the same page, if it is present and available without work.
    ///
    /// A fault maps the neighbours of its page with this. An implementation may always return `None`.
    fn present_page(&self, index: u64) -> Option<UFrame> {
        let _ = index;
        None
    }

    /// Makes a shared mapping through a descriptor that is open for writing; `writes` says whether the mapping is
    /// writable at once.
    ///
    /// # Errors
    /// `EPERM`: a seal forbids it.
    fn share(self: Arc<Self>, writes: bool) -> Result<SharedMapping, Errno> {
        let _ = writes;
        Ok(SharedMapping::default())
    }
}

/// The result of [`Pages::share`].
#[derive(Default)]
pub(crate) struct SharedMapping {
    /// Dropped when the mapping and all its parts and copies are gone.
    pub hold: Hold,
    /// Whether the mapping can never become writable.
    pub is_read_only: bool,
}

/// A reference that is dropped with the last mapping, for objects that count their mappings.
pub(crate) type Hold = Option<Arc<dyn Any + Send + Sync>>;

/// Why a page is not available.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PageError {
    /// The file ends before this page (`SIGBUS`).
    BeyondEnd,
    /// Only the reserve is left.
    OutOfMemory,
}

/// What mmap(2) needs to know of an open file: its pages, and its access mode.
#[derive(Clone)]
pub(crate) struct Mappable {
    /// The pages, or `ENODEV` for a file that cannot be mapped.
    pub pages: Result<Arc<dyn Pages>, Errno>,
    /// Whether the open file description allows reading.
    pub readable: bool,
    /// Whether the open file description allows writing.
    pub writable: bool,
}
