//! What a file, or anything else that can be mapped, gives to an address space.

use alloc::sync::Arc;
use core::any::Any;

use ostd::mm::UFrame;
use rules::abi::errno::Errno;

/// Something whose contents live in pages.
///
/// Lock order: the methods are called with an address space's lock held, by page faults that interrupt
/// whoever touched user memory. They must not sleep and not touch user memory, and no lock that they
/// take may ever be held while user memory is touched.
pub(crate) trait Pages: Any + Send + Sync {
    /// The page that holds byte `index * PAGE_SIZE`. A hole becomes a page of zeroes.
    ///
    /// The page is shared: what is written to it through a shared mapping is the new contents. Bytes
    /// behind the end of the file in its last page are zero.
    ///
    /// # Errors
    /// [`PageError::BeyondEnd`] if the whole page lies behind the end of the file,
    /// [`PageError::OutOfMemory`] if a hole could not be filled.
    fn page(&self, index: u64) -> Result<UFrame, PageError>;

    /// The same page, if it is there without any work.
    ///
    /// A fault uses it to map the neighbours of the page it was about. Never answering is correct.
    fn present_page(&self, index: u64) -> Option<UFrame> {
        let _ = index;
        None
    }

    /// Asks for a mapping that shows what others write, through a descriptor that can write; `writes` says whether it
    /// is to be writable at once.
    ///
    /// # Errors
    /// `EPERM`: a seal forbids it.
    fn share(self: Arc<Self>, writes: bool) -> Result<SharedMapping, Errno> {
        let _ = writes;
        Ok(SharedMapping::default())
    }
}

/// What [`Pages::share`] gives.
#[derive(Default)]
pub(crate) struct SharedMapping {
    /// Kept as long as the mapping is there, or a part or a copy of it.
    pub hold: Hold,
    /// Whether nobody may write through it, also later.
    pub is_read_only: bool,
}

/// Something that is told of the end of all mappings by its own.
pub(crate) type Hold = Option<Arc<dyn Any + Send + Sync>>;

/// Why there is no page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PageError {
    /// The file ends before this page (`SIGBUS`).
    BeyondEnd,
    /// Only the reserve is left.
    OutOfMemory,
}

/// What mmap(2) learns from an open file: what to map, and what its descriptor was opened for.
#[derive(Clone)]
pub(crate) struct Mappable {
    /// The contents, or why this kind of file cannot be mapped (`ENODEV`).
    pub pages: Result<Arc<dyn Pages>, Errno>,
    /// Whether the open file description allows reading.
    pub readable: bool,
    /// Whether the open file description allows writing.
    pub writable: bool,
}
