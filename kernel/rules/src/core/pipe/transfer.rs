//! Reads and writes a pipe, up to sixteen slots at a time.
//!
//! Owns: which slots a read or a write uses.   Not here: the slots (`slot`), open ends and the capacity (the parent).
//! Source: Linux 6.1 fs/pipe.c (`pipe_read`, `pipe_write`).

use core::array;
use core::task::Poll;

use super::slot::Slot;
use super::{End, PAGE_SIZE, Pages, Pipe, PipeMode};
use crate::abi::errno::Errno;
use crate::machine::fallible;
use crate::machine::transfer::{Sink, Source};

/// How many slots are copied in one go.
const BATCH: usize = 16;

impl Pipe {
    /// Reads as many bytes as there are and fit, or the rest of one packet, of which bytes that do not fit are dropped.
    /// 0 is the end of the file: there is no writer.
    ///
    /// # Errors
    /// `EFAULT`: `to` is not writable; the bytes of the slot that was being read stay where they were.
    pub fn read(&mut self, to: &mut dyn Sink, pages: &mut dyn Pages) -> Poll<Result<usize, Errno>> {
        let wanted = to.remaining();
        let mut total = 0;
        while total < wanted && !self.slots.is_empty() {
            let room = wanted - total;
            let batch = if self.slots.len() == 1 {
                self.read_slot(to, room, pages)
            } else {
                self.read_batch(to, room, pages)
            };
            total += batch.copied;
            match batch.end {
                None => {}
                Some(BatchEnd::Packet) => break,
                Some(BatchEnd::Fault) if total == 0 => return Poll::Ready(Err(Errno::EFAULT)),
                Some(BatchEnd::Fault) => break,
            }
        }
        let must_wait = total == 0 && wanted > 0 && !self.is_closed(End::Writer);
        if must_wait { Poll::Pending } else { Poll::Ready(Ok(total)) }
    }

    /// Writes as many bytes as there is room for. A short count means that the pipe is full, that memory ran out, or
    /// that
    /// `from` ceased to be readable; in the last case more was taken from `from` than is counted.
    ///
    /// # Errors
    /// Nothing was written. `EPIPE`: there is no reader. `EFAULT`: `from` is not readable. `ENOMEM`: no page.
    pub fn write(
        &mut self,
        from: &mut dyn Source,
        mode: PipeMode,
        pages: &mut dyn Pages,
    ) -> Poll<Result<usize, Errno>> {
        let wanted = from.remaining();
        if wanted == 0 {
            return Poll::Ready(Ok(0));
        }
        if self.is_closed(End::Reader) {
            return Poll::Ready(Err(Errno::EPIPE));
        }
        let mut total = match self.merge(from, wanted) {
            Ok(merged) => merged,
            Err(error) => return Poll::Ready(Err(error)),
        };
        while total < wanted && !self.is_full() {
            let rest = wanted - total;
            let written = if rest <= PAGE_SIZE {
                self.write_slot(from, rest, mode, pages)
            } else {
                self.write_batch(from, rest, mode, pages)
            };
            match written {
                Ok(written) => total += written,
                Err(error) if total == 0 => return Poll::Ready(Err(error)),
                Err(_) => break,
            }
        }
        if total == 0 { Poll::Pending } else { Poll::Ready(Ok(total)) }
    }

    /// Appends the odd bytes at the start of a write to the last page if all of them fit, so that small writes share
    /// pages and the rest of a large one fills whole pages.
    fn merge(&mut self, from: &mut dyn Source, wanted: usize) -> Result<usize, Errno> {
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
    fn read_slot(&mut self, to: &mut dyn Sink, room: usize, pages: &mut dyn Pages) -> CopiedBatch {
        let Some(slot) = self.slots.front() else { return CopiedBatch { copied: 0, end: None } };
        let wanted = slot.len().min(room);
        if to.put(&slot.bytes()[..wanted]) < wanted {
            return CopiedBatch { copied: 0, end: Some(BatchEnd::Fault) };
        }
        let mode = self.consume(wanted, pages);
        CopiedBatch { copied: wanted, end: (mode == PipeMode::Packet).then_some(BatchEnd::Packet) }
    }

    /// Reads at most `room` bytes from the first slots; there is at least one.
    fn read_batch(&mut self, to: &mut dyn Sink, mut room: usize, pages: &mut dyn Pages) -> CopiedBatch {
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
    fn write_slot(
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
    fn write_batch(
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
struct CopiedBatch {
    copied: usize,
    end: Option<BatchEnd>,
}

/// Why a read goes no further.
enum BatchEnd {
    /// The last slot was a packet.
    Packet,
    /// The rest of the sink is not writable.
    Fault,
}
