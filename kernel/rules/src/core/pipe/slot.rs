//! A slot of a pipe: one page, partly filled.
//!
//! Owns: the page, and the range of unread bytes.   Not here: allocation (the caller's [`Pages`]).
//! Invariant: start + len ≤ the page's size.

use alloc::boxed::Box;

/// The size of a slot.
pub const PAGE_SIZE: usize = 4096;

/// The memory of one slot. Bytes outside of the unread range are never read, so a used page needs no clearing.
pub type Page = Box<[u8; PAGE_SIZE]>;

/// Allocates and frees the pages of slots.
pub trait Pages {
    /// Allocates a page with any contents. `None`: no memory.
    fn allocate(&mut self) -> Option<Page>;

    /// Frees a page.
    fn free(&mut self, page: Page);
}

/// Whether a pipe keeps the boundaries of writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PipeMode {
    /// It does not: later bytes may join the page.
    Stream,
    /// It does (`O_DIRECT`): one read returns at most one write of up to `PIPE_BUF` bytes.
    Packet,
}

/// A page with unread bytes.
#[derive(Debug)]
pub(crate) struct Slot {
    page: Page,
    start: usize,
    len: usize,
    pub(crate) mode: PipeMode,
}

impl Slot {
    pub(crate) const fn new(page: Page, mode: PipeMode) -> Self {
        Self { page, start: 0, len: 0, mode }
    }

    pub(crate) const fn mode(&self) -> PipeMode {
        self.mode
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Returns how many bytes can be appended. The space before the unread range is not used again.
    pub(crate) const fn room(&self) -> usize {
        PAGE_SIZE - self.start - self.len
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.page[self.start..self.start + self.len]
    }

    pub(crate) fn consume(&mut self, len: usize) {
        self.start += len;
        self.len -= len;
    }

    /// Returns the first `len` bytes of free space behind the unread range.
    pub(crate) fn space(&mut self, len: usize) -> &mut [u8] {
        let end = self.start + self.len;
        &mut self.page[end..end + len]
    }

    /// Adds the first `len` bytes of [`space`](Self::space) to the unread range.
    pub(crate) fn grow(&mut self, len: usize) {
        self.len += len;
    }

    pub(crate) fn into_page(self) -> Page {
        self.page
    }
}
