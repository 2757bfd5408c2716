//! One page of a pipe.
//!
//! Owns: the page, and which part of it is to be read.   Not here: where pages come from.
//! Invariant: start + len ≤ the page's size.

use alloc::boxed::Box;

/// Bytes in a slot.
pub const PAGE_SIZE: usize = 4096;

/// The memory of one slot. What lies outside of the part to be read is never looked at, so a used page needs no
/// clearing.
pub type Page = Box<[u8; PAGE_SIZE]>;

/// Where pages come from and go to.
pub trait Pages {
    /// A page with any contents, or `None` if there is no memory.
    fn allocate(&mut self) -> Option<Page>;

    /// Takes a page back.
    fn free(&mut self, page: Page);
}

/// How a write wants its borders treated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PipeMode {
    /// They mean nothing: later bytes may join the page.
    Stream,
    /// `O_DIRECT`: one read gets no more than one write of up to `PIPE_BUF` bytes.
    Packet,
}

/// A page that is partly or wholly to be read.
#[derive(Debug)]
pub(super) struct Slot {
    page: Page,
    start: usize,
    len: usize,
    mode: PipeMode,
}

impl Slot {
    pub(super) const fn new(page: Page, mode: PipeMode) -> Self {
        Self { page, start: 0, len: 0, mode }
    }

    pub(super) const fn mode(&self) -> PipeMode {
        self.mode
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes that can be appended. Those before the part to be read are not used again.
    pub(super) const fn room(&self) -> usize {
        PAGE_SIZE - self.start - self.len
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.page[self.start..self.start + self.len]
    }

    pub(super) fn consume(&mut self, len: usize) {
        self.start += len;
        self.len -= len;
    }

    /// The first `len` bytes behind those to be read.
    pub(super) fn space(&mut self, len: usize) -> &mut [u8] {
        let end = self.start + self.len;
        &mut self.page[end..end + len]
    }

    /// Lets the first `len` bytes of [`space`](Self::space) be read, too.
    pub(super) fn grow(&mut self, len: usize) {
        self.len += len;
    }

    pub(super) fn into_page(self) -> Page {
        self.page
    }
}
