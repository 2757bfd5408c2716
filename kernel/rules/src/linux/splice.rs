//! Slots of a pipe on their way to or from another file: splice(2), tee(2), vmsplice(2).
//!
//! Owns: [`Parcel`], and what it does with a [`Pipe`].   Not here: which files and flags are allowed, sleeping
//! (`linux/syscall/splice`), reads and writes (`rules::core::pipe`).
//! Invariant: bytes that leave a pipe and find no place go back to its front, in order. Whole slots move without a copy.
//! A pipe may have more slots than its capacity for a while: room is looked up before a parcel is filled.
//! Why: decision 0130.
//! Source: Linux 6.1 fs/splice.c (`splice_pipe_to_pipe`, `link_pipe`, `iter_file_splice_write`).

#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;

use crate::abi::errno::Errno;
use crate::core::pipe::slot::Slot;
use crate::core::pipe::{End, PAGE_SIZE, Page, Pages, Pipe, PipeMode};
use crate::machine::fallible;
use crate::machine::transfer::{Sink, Source};

/// The most slots that travel together.
pub const MOST: usize = 16;

/// Slots that belong to no pipe.
#[derive(Debug)]
pub struct Parcel {
    slots: VecDeque<Slot>,
}

impl Parcel {
    /// Without slots.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn empty() -> Result<Self, Errno> {
        let mut slots = VecDeque::new();
        fallible::reserve_exact(&mut slots, MOST)?;
        Ok(Self { slots })
    }

    /// Makes slots for `len` bytes, but at most `most` of them. The first begins at byte `start` of its page, so that the
    /// slots of a file end where its pages do.
    ///
    /// # Errors
    /// `ENOMEM`: not even one page.
    pub fn with_room(len: usize, start: usize, most: usize, pages: &mut dyn Pages) -> Result<Self, Errno> {
        let mut parcel = Self::empty()?;
        for _ in 0..(start + len).div_ceil(PAGE_SIZE).min(most).min(MOST) {
            let Some(page) = pages.allocate() else { break };
            let start = if parcel.slots.is_empty() { start } else { 0 };
            parcel.slots.push_back(Slot::starting_at(page, start));
        }
        if parcel.slots.is_empty() { Err(Errno::ENOMEM) } else { Ok(parcel) }
    }

    /// Returns how many bytes are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.iter().map(Slot::len).sum()
    }

    /// Returns how many slots it has, with or without bytes.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes for a write. They stay until [`consume`](Self::consume).
    pub const fn source(&self) -> ParcelSource<'_> {
        ParcelSource { parcel: self, slot: 0, offset: 0 }
    }

    /// Returns its room for a read of at most `len` bytes.
    pub const fn sink(&mut self, len: usize) -> ParcelSink<'_> {
        ParcelSink { parcel: self, slot: 0, len }
    }

    /// Drops the first `len` bytes, which were written.
    pub fn consume(&mut self, mut len: usize, pages: &mut dyn Pages) {
        while len > 0
            && let Some(slot) = self.slots.front_mut()
        {
            let part = len.min(slot.len());
            slot.consume(part);
            len -= part;
            if slot.len() == 0 {
                self.slots.pop_front().into_iter().for_each(|slot| pages.free(slot.into_page()));
            }
        }
    }

    /// Frees its pages.
    pub fn free(self, pages: &mut dyn Pages) {
        self.slots.into_iter().for_each(|slot| pages.free(slot.into_page()));
    }
}

/// The bytes of a parcel, read from the first on.
#[derive(Debug)]
pub struct ParcelSource<'a> {
    parcel: &'a Parcel,
    slot: usize,
    offset: usize,
}

impl ParcelSource<'_> {
    /// Returns the next bytes, as far as they lie together; none at the end.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.parcel.slots.get(self.slot).map_or(&[], |slot| &slot.bytes()[self.offset..])
    }

    /// Passes `len` of [`bytes`](Self::bytes).
    pub fn advance(&mut self, len: usize) {
        self.offset += len;
        if self.bytes().is_empty() {
            (self.slot, self.offset) = (self.slot + 1, 0);
        }
    }
}

impl Source for ParcelSource<'_> {
    fn remaining(&self) -> usize {
        let rest: usize = self.parcel.slots.iter().skip(self.slot).map(Slot::len).sum();
        rest - self.offset
    }

    fn take(&mut self, space: &mut [u8]) -> usize {
        let mut done = 0;
        while done < space.len() && !self.bytes().is_empty() {
            let part = self.bytes().len().min(space.len() - done);
            space[done..done + part].copy_from_slice(&self.bytes()[..part]);
            self.advance(part);
            done += part;
        }
        done
    }
}

/// The room of a parcel, filled from the first slot on.
#[derive(Debug)]
pub struct ParcelSink<'a> {
    parcel: &'a mut Parcel,
    slot: usize,
    len: usize,
}

impl ParcelSink<'_> {
    /// Returns the next room, as far as it lies together; none at the end.
    pub fn space(&mut self) -> &mut [u8] {
        while self.parcel.slots.get(self.slot).is_some_and(|slot| slot.room() == 0) {
            self.slot += 1;
        }
        let len = self.len;
        match self.parcel.slots.get_mut(self.slot) {
            Some(slot) => slot.space(len.min(slot.room())),
            None => &mut [],
        }
    }

    /// Counts `len` bytes of [`space`](Self::space) as filled.
    pub fn grow(&mut self, len: usize) {
        if let Some(slot) = self.parcel.slots.get_mut(self.slot) {
            slot.grow(len);
            self.len -= len;
        }
    }
}

impl Sink for ParcelSink<'_> {
    fn remaining(&self) -> usize {
        let room: usize = self.parcel.slots.iter().skip(self.slot).map(Slot::room).sum();
        room.min(self.len)
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let space = self.space();
            let part = space.len().min(bytes.len() - done);
            if part == 0 {
                break;
            }
            space[..part].copy_from_slice(&bytes[done..done + part]);
            self.grow(part);
            done += part;
        }
        done
    }
}

impl Pipe {
    /// Returns how many slots are free.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.capacity.saturating_sub(self.slots.len())
    }

    /// Returns whether nothing can be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes the first `len` bytes, but at most `most` slots of them.
    ///
    /// # Errors
    /// `ENOMEM`: nothing was taken.
    pub fn take_parcel(
        &mut self,
        mut len: usize,
        most: usize,
        pages: &mut dyn Pages,
    ) -> Result<Parcel, Errno> {
        // With that, they can be given back.
        let filled = self.slots.len();
        fallible::reserve(&mut self.slots, (self.capacity + MOST).saturating_sub(filled))?;
        let mut parcel = Parcel::empty()?;
        while len > 0
            && parcel.slots.len() < most.min(MOST)
            && let Some(slot) = self.slots.front_mut()
        {
            if slot.len() > len {
                let Some(page) = pages.allocate() else { break };
                parcel.slots.push_back(slot.split_off(len, page));
                break;
            }
            len -= slot.len();
            parcel.slots.extend(self.slots.pop_front());
        }
        if parcel.slots.is_empty() && !self.slots.is_empty() && len > 0 {
            Err(Errno::ENOMEM)
        } else {
            Ok(parcel)
        }
    }

    /// Puts the rest of a parcel that was [taken](Self::take_parcel) back to the front.
    pub fn give_back(&mut self, parcel: Parcel) {
        for slot in parcel.slots.into_iter().rev() {
            self.slots.push_front(slot);
        }
    }

    /// Puts a parcel behind the other bytes, and returns how many bytes it had.
    ///
    /// # Errors
    /// With the parcel. `EPIPE`: there is no reader. `ENOMEM`.
    pub fn put_parcel(
        &mut self,
        mut parcel: Parcel,
        pages: &mut dyn Pages,
    ) -> Result<usize, (Errno, Parcel)> {
        if self.is_closed(End::Reader) {
            return Err((Errno::EPIPE, parcel));
        }
        if fallible::reserve(&mut self.slots, parcel.slots.len()).is_err() {
            return Err((Errno::ENOMEM, parcel));
        }
        let len = parcel.len();
        // Slots are filled one after the other, so the empty ones are the last.
        while parcel.slots.back().is_some_and(|slot| slot.len() == 0) {
            parcel.slots.pop_back().into_iter().for_each(|slot| pages.free(slot.into_page()));
        }
        self.slots.append(&mut parcel.slots);
        Ok(len)
    }

    /// Returns how many slots have bytes.
    #[must_use]
    pub fn filled_slots(&self) -> usize {
        self.slots.len()
    }

    /// Copies at most `len` bytes, from slot `first` on, to the empty slots of `parcel`, slot by slot. Returns how many.
    pub fn copy_to(&self, first: usize, len: usize, parcel: &mut Parcel) -> usize {
        let mut left = len;
        for (from, to) in self.slots.iter().skip(first).zip(&mut parcel.slots) {
            let part = left.min(from.len());
            to.fill_from(from, part);
            left -= part;
        }
        len - left
    }
}

impl Slot {
    /// Makes an empty slot whose bytes will begin at `start`.
    fn starting_at(page: Page, start: usize) -> Self {
        let mut slot = Self::new(page, PipeMode::Stream);
        slot.grow(start);
        slot.consume(start);
        slot
    }

    /// Copies the first `len` bytes of `from` into this empty slot.
    fn fill_from(&mut self, from: &Self, len: usize) {
        self.mode = from.mode;
        self.space(len).copy_from_slice(&from.bytes()[..len]);
        self.grow(len);
    }

    /// Moves the first `len` bytes to a slot in `page`.
    fn split_off(&mut self, len: usize, page: Page) -> Self {
        let mut head = Self::new(page, self.mode);
        head.fill_from(self, len);
        self.consume(len);
        head
    }
}
