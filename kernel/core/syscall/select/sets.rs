//! The three sets of select(2), copied in and out word by word.
//!
//! Source: Linux 6.1 fs/select.c (`max_select_fd`, `do_select`).

use alloc::sync::Arc;
use alloc::vec::Vec;

use ostd_pod::IntoBytes;
use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::poll::Set;
use rules::core::bits;
use rules::core::fd::{self, Row};
use rules::machine::fallible;

use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::PollSet;
use crate::core::file::table::FdTableGuard;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::UserSlice;

const BITS: usize = u64::BITS as usize;

/// Words of each set that need no allocation: libc's `FD_SETSIZE`.
const FEW: usize = 1024 / BITS;

/// Words in a part. [`FEW`] is a multiple of it.
const PART: usize = 4;

/// The same word of all three sets.
#[derive(Clone, Copy, Default)]
struct Word {
    asked: [u64; 3],
    answers: [u64; 3],
}

/// The sets, up to the highest descriptor that is polled.
pub(super) struct Sets {
    few: [Word; FEW],
    /// Beyond [`FEW`] words.
    many: Vec<Word>,
    /// How many descriptors are polled.
    count: usize,
}

impl Sets {
    /// Copies in the sets at `addresses` (null: empty) for `count` descriptors.
    ///
    /// # Errors
    /// `EFAULT`: a set is not readable. `ENOMEM`.
    pub(super) fn read(space: &AddressSpace, addresses: [usize; 3], count: usize) -> Result<Self, Errno> {
        let mut sets = Self { few: [Word::default(); FEW], many: Vec::new(), count };
        let more = count.div_ceil(BITS).saturating_sub(FEW);
        if more > 0 {
            fallible::reserve_exact(&mut sets.many, more)?;
            sets.many.resize(more, Word::default());
        }
        for (set, address) in addresses.into_iter().enumerate().filter(|(_, address)| *address != 0) {
            let slice = sets.claim(space, address)?;
            let mut offset = 0;
            for piece in sets.pieces_mut() {
                let mut buffer = [0_u64; FEW];
                let bytes = buffer[..piece.len()].as_mut_bytes();
                slice.part(offset, bytes.len()).read_bytes(bytes)?;
                offset += bytes.len();
                for (word, asked) in piece.iter_mut().zip(buffer) {
                    word.asked[set] = asked;
                }
            }
        }
        sets.trim();
        Ok(sets)
    }

    /// Copies the results out to where the sets came from.
    ///
    /// # Errors
    /// `EFAULT`: a set is not writable; those before it are written.
    pub(super) fn write_answers(&mut self, space: &AddressSpace, addresses: [usize; 3]) -> Result<(), Errno> {
        for (set, address) in addresses.into_iter().enumerate().filter(|(_, address)| *address != 0) {
            let slice = self.claim(space, address)?;
            let mut offset = 0;
            for piece in self.pieces_mut() {
                let mut buffer = [0_u64; FEW];
                for (word, answers) in piece.iter().zip(&mut buffer) {
                    *answers = word.answers[set];
                }
                let bytes = buffer[..piece.len()].as_bytes();
                let part = slice.part(offset, bytes.len());
                part.write_bytes(bytes)?;
                offset += bytes.len();
            }
        }
        Ok(())
    }

    /// Checks that every descriptor in the sets is open.
    ///
    /// # Errors
    /// `EBADF`: one is not.
    pub(super) fn require_open(&mut self, files: &FdTableGuard<'_>) -> Result<(), Errno> {
        let is_open = |(nr, word): (usize, &mut Word)| {
            word.asked.iter().all(|asked| asked & !files.row(nr).open() == 0)
        };
        if self.pieces_mut().flatten().enumerate().all(is_open) { Ok(()) } else { Err(Errno::EBADF) }
    }

    /// Clears the bits from `count` on: the last word is copied as a whole.
    fn trim(&mut self) {
        let rest = self.count % BITS;
        if rest > 0
            && let Some(word) = self.pieces_mut().flatten().last()
        {
            for asked in &mut word.asked {
                *asked &= (1 << rest) - 1;
            }
        }
    }

    fn claim<'a>(&self, space: &'a AddressSpace, address: usize) -> Result<UserSlice<'a>, Errno> {
        UserSlice::new(space, address, self.count.div_ceil(BITS) * size_of::<u64>())
    }

    /// Returns the words of one part, and the number of the first.
    fn part_mut(&mut self, part: usize) -> (usize, &mut [Word]) {
        let len = self.count.div_ceil(BITS);
        let first = part * PART;
        let words = match first.checked_sub(FEW) {
            None => &mut self.few[first..len.min(first + PART)],
            Some(first) => &mut self.many[first..(len - FEW).min(first + PART)],
        };
        (first, words)
    }

    /// Returns all words, at most [`FEW`] at a time.
    fn pieces_mut(&mut self) -> impl Iterator<Item = &mut [Word]> {
        let few = self.count.div_ceil(BITS).min(FEW);
        core::iter::once(&mut self.few[..few]).chain(self.many.chunks_mut(FEW))
    }
}

impl PollSet for Sets {
    fn parts(&self) -> usize {
        self.count.div_ceil(BITS * PART)
    }

    /// Counts a descriptor once for each set in which it is ready. One that was closed meanwhile is ready in every
    /// set that has it, as on Linux: otherwise the call might never return.
    fn poll_part(
        &mut self,
        part: usize,
        table: &fd::FdTable<Arc<OpenFile>>,
        poll: &mut impl FnMut(&Arc<OpenFile>, Events) -> Option<Events>,
    ) -> usize {
        let (first, words) = self.part_mut(part);
        words.iter_mut().enumerate().map(|(nr, word)| word.poll_part(&table.row(first + nr), poll)).sum()
    }
}

impl Word {
    /// Polls for each set separately: a descriptor is rarely in two sets.
    fn poll_part(
        &mut self,
        row: &Row<'_, Arc<OpenFile>>,
        poll: &mut impl FnMut(&Arc<OpenFile>, Events) -> Option<Events>,
    ) -> usize {
        let mut count = 0;
        for ((set, asked), answers) in Set::ALL.iter().zip(self.asked).zip(&mut self.answers) {
            // A descriptor that was closed meanwhile is ready.
            let mut found = asked & !row.open();
            for bit in bits::ones(asked & row.open()) {
                let events = row.get(bit as usize).and_then(|file| poll(file, set.events()));
                found |= u64::from(events.is_none_or(|events| !events.is_empty())) << bit;
            }
            *answers = found;
            count += found.count_ones() as usize;
        }
        count
    }
}
