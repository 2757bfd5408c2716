//! The slots of a pipe, a page each and partly filled, and the copies between slots and a caller's buffers.
//!
//! Owns: the page, the range of unread bytes, which slots a copy uses.   Not here: whether there is anything to copy
//! (the parent), allocation (the caller's [`Pages`]).
//! Invariant: start + len ≤ the page's size.

use alloc::boxed::Box;
use core::array;

use super::Pipe;
use crate::abi::errno::Errno;
use crate::machine::fallible;
use crate::machine::transfer::{Sink, Source};

/// The size of a slot.
pub const PAGE_SIZE: usize = 4096;

/// How many slots are copied in one go.
const BATCH: usize = 16;

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

impl Pipe {
    /// Appends the odd bytes at the start of a write to the last page if all of them fit, so that small writes share
    /// pages and the rest of a large one fills whole pages.
    pub(super) fn merge(&mut self, from: &mut dyn Source, wanted: usize) -> Result<usize, Errno> {
        let odd = wanted % PAGE_SIZE;
        let Some(slot) = self.slots.back_mut() else { return Ok(0) };
        if odd == 0 || slot.mode() == PipeMode::Packet || odd > slot.room() {
            return Ok(0);
        }
        if from.take(slot.space(odd)) < odd {
            return Err(Errno::EFAULT);
        }
        slot.grow(odd);
        Ok(odd)
    }

    /// As [`read_batch`](Self::read_batch) for the only slot, the usual case with small messages.
    pub(super) fn read_slot(&mut self, to: &mut dyn Sink, room: usize, pages: &mut dyn Pages) -> CopiedBatch {
        let Some(slot) = self.slots.front() else { return CopiedBatch { copied: 0, end: None } };
        let wanted = slot.len().min(room);
        if to.put(&slot.bytes()[..wanted]) < wanted {
            return CopiedBatch { copied: 0, end: Some(BatchEnd::Fault) };
        }
        let mode = self.consume(wanted, pages);
        CopiedBatch { copied: wanted, end: (mode == PipeMode::Packet).then_some(BatchEnd::Packet) }
    }

    /// Reads at most `room` bytes from the first slots; there is at least one.
    pub(super) fn read_batch(
        &mut self,
        to: &mut dyn Sink,
        mut room: usize,
        pages: &mut dyn Pages,
    ) -> CopiedBatch {
        let mut pieces = [&[][..]; BATCH];
        let mut count = 0;
        for (piece, slot) in pieces.iter_mut().zip(&self.slots) {
            *piece = &slot.bytes()[..slot.len().min(room)];
            room -= piece.len();
            count += 1;
            if room == 0 || slot.mode() == PipeMode::Packet {
                break;
            }
        }
        let mut put = to.put_each(&pieces[..count]);
        let mut copied = 0;
        for wanted in pieces.map(<[u8]>::len).into_iter().take(count) {
            if put < wanted {
                return CopiedBatch { copied, end: Some(BatchEnd::Fault) };
            }
            put -= wanted;
            copied += wanted;
            if self.consume(wanted, pages) == PipeMode::Packet {
                return CopiedBatch { copied, end: Some(BatchEnd::Packet) };
            }
        }
        CopiedBatch { copied, end: None }
    }

    /// Removes `len` bytes of the first slot, or all of it if it is a packet.
    fn consume(&mut self, len: usize, pages: &mut dyn Pages) -> PipeMode {
        let Some(slot) = self.slots.front_mut() else { return PipeMode::Stream };
        let mode = slot.mode();
        if mode == PipeMode::Stream && len < slot.len() {
            slot.consume(len);
        } else if let Some(slot) = self.slots.pop_front() {
            pages.free(slot.into_page());
        }
        mode
    }

    /// As [`write_batch`](Self::write_batch) for bytes that fit into one slot.
    pub(super) fn write_slot(
        &mut self,
        from: &mut dyn Source,
        wanted: usize,
        mode: PipeMode,
        pages: &mut dyn Pages,
    ) -> Result<usize, Errno> {
        fallible::reserve(&mut self.slots, 1)?;
        let mut slot = Slot::new(pages.allocate().ok_or(Errno::ENOMEM)?, mode);
        if from.take(slot.space(wanted)) < wanted {
            pages.free(slot.into_page());
            return Err(Errno::EFAULT);
        }
        slot.grow(wanted);
        self.slots.push_back(slot);
        Ok(wanted)
    }

    /// Writes `rest` bytes, or the first of them, to new slots. Fails if it cannot fill one.
    pub(super) fn write_batch(
        &mut self,
        from: &mut dyn Source,
        mut rest: usize,
        mode: PipeMode,
        pages: &mut dyn Pages,
    ) -> Result<usize, Errno> {
        let first = self.slots.len();
        let wanted = rest.div_ceil(PAGE_SIZE).min(BATCH).min(self.capacity - first);
        fallible::reserve(&mut self.slots, wanted)?;
        self.slots.extend((0..wanted).map_while(|_| pages.allocate()).map(|page| Slot::new(page, mode)));
        let count = self.slots.len() - first;
        let mut spaces: [&mut [u8]; BATCH] = array::from_fn(|_| &mut [][..]);
        for (space, slot) in spaces.iter_mut().zip(self.slots.range_mut(first..)) {
            *space = slot.space(rest.min(PAGE_SIZE));
            rest -= space.len();
        }
        let lens = spaces.each_ref().map(|space| space.len());
        let mut taken = from.take_each(&mut spaces[..count]);
        let mut written = 0;
        for (slot, len) in self.slots.range_mut(first..).zip(lens) {
            if taken < len {
                break;
            }
            taken -= len;
            written += len;
            slot.grow(len);
        }
        // Linux leaves an empty slot behind if the copy fails, and the pipe polls as readable. No slot is empty here,
        // so a readable pipe always has bytes.
        while self.slots.back().is_some_and(|slot| slot.len() == 0) {
            self.slots.pop_back().map(Slot::into_page).into_iter().for_each(|page| pages.free(page));
        }
        match (count, written) {
            (0, _) => Err(Errno::ENOMEM),
            (_, 0) => Err(Errno::EFAULT),
            _ => Ok(written),
        }
    }
}

/// The result of reading some slots.
pub(super) struct CopiedBatch {
    pub(super) copied: usize,
    pub(super) end: Option<BatchEnd>,
}

/// Why a read goes no further.
pub(super) enum BatchEnd {
    /// The last slot was a packet.
    Packet,
    /// The rest of the sink is not writable.
    Fault,
}
