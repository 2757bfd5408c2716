//! The array of `struct pollfd`, copied in, and its `revents`, copied out.
//!
//! What the program asks is never written back: another thread may be changing it. Of the answers those are
//! written that differ from what is there, and one in each page, for the fault that a page may hold. (To write
//! them all costs a copy of two bytes each, for nothing: most answers are 0, before and after.)

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use model::abi::errno::Errno;
use model::abi::poll::{POLLNVAL, PollFd};
use model::fd::{self, ROW, Row};
use ostd_pod::IntoBytes;
use pollee::Events;

use crate::file::description::OpenFile;
use crate::file::many::Question;
use crate::memory::budget;
use crate::memory::layout::PAGE_SIZE;
use crate::memory::space::AddressSpace;
use crate::memory::user::{UserPtr, UserSlice};

/// Entries that need no allocation.
const FEW: usize = 32;

/// Entries in each further piece: about a page, since large allocations need contiguous frames.
const MANY: usize = 400;

/// The entries, in pieces.
pub(super) struct PollArray {
    first: Piece<FEW>,
    #[expect(
        clippy::vec_box,
        reason = "each piece is an allocation of a page; one of all would have to be contiguous"
    )]
    rest: Vec<Box<Piece<MANY>>>,
}

/// Up to `N` neighbouring entries.
struct Piece<const N: usize> {
    /// Where they are in the program's memory.
    address: usize,
    len: usize,
    /// Not zero if an answer differs from what the program has there.
    differs: u16,
    /// As they were copied in; `revents` is what the program has there.
    asked: [PollFd; N],
    answers: [u16; N],
}

impl PollArray {
    /// Copies in the `count` entries at `address`.
    ///
    /// # Errors
    /// `EFAULT`: not all of them are readable. `ENOMEM`.
    pub(super) fn read(space: &AddressSpace, address: usize, count: usize) -> Result<Self, Errno> {
        let slice = UserSlice::new(space, address, count * size_of::<PollFd>())?;
        let mut first = Piece::EMPTY;
        first.read(&slice, 0, count)?;
        let mut rest = Vec::new();
        let mut next = first.len;
        rest.try_reserve_exact((count - next).div_ceil(MANY)).map_err(|_| Errno::ENOMEM)?;
        while next < count {
            budget::try_reserve(PAGE_SIZE)?;
            let mut piece = Box::new(Piece::EMPTY);
            piece.read(&slice, next, count)?;
            next += piece.len;
            rest.push(piece);
        }
        Ok(Self { first, rest })
    }

    /// Copies the answers out.
    ///
    /// # Errors
    /// `EFAULT`: not all of them are writable; those before are written.
    pub(super) fn write_answers(&self, space: &AddressSpace) -> Result<(), Errno> {
        self.first.write_answers(space)?;
        self.rest.iter().try_for_each(|piece| piece.write_answers(space))
    }
}

impl Question for PollArray {
    fn parts(&self) -> usize {
        1 + self.rest.len()
    }

    fn ask(
        &mut self,
        part: usize,
        table: &fd::FdTable<Arc<OpenFile>>,
        look: &mut impl FnMut(&Arc<OpenFile>, Events) -> Option<Events>,
    ) -> usize {
        match part.checked_sub(1) {
            None => self.first.ask(table, look),
            Some(part) => self.rest[part].ask(table, look),
        }
    }
}

impl<const N: usize> Piece<N> {
    const EMPTY: Self = Self {
        address: 0,
        len: 0,
        differs: 0,
        asked: [PollFd { fd: 0, events: 0, revents: 0 }; N],
        answers: [0; N],
    };

    fn read(&mut self, slice: &UserSlice<'_>, start: usize, count: usize) -> Result<(), Errno> {
        self.len = (count - start).min(N);
        let part = slice.part(start * size_of::<PollFd>(), self.len * size_of::<PollFd>());
        self.address = part.addr();
        part.read_bytes(self.asked[..self.len].as_mut_bytes())
    }

    /// Neighbours in the array are mostly neighbours in the table.
    fn ask(
        &mut self,
        table: &fd::FdTable<Arc<OpenFile>>,
        look: &mut impl FnMut(&Arc<OpenFile>, Events) -> Option<Events>,
    ) -> usize {
        let mut count = 0;
        let mut differs = 0;
        let mut row = (usize::MAX, Row::empty());
        for (asked, answer) in self.asked[..self.len].iter().zip(&mut self.answers) {
            *answer = match usize::try_from(asked.fd) {
                Err(_) => 0,
                Ok(fd) => {
                    if row.0 != fd / ROW {
                        row = (fd / ROW, table.row(fd / ROW));
                    }
                    let events = row.1.get(fd).and_then(|file| look(file, asked.interest()));
                    events.map_or(POLLNVAL, |events| events.bits())
                }
            };
            count += usize::from(*answer != 0);
            differs |= asked.revents ^ *answer;
        }
        self.differs = differs;
        count
    }

    fn write_answers(&self, space: &AddressSpace) -> Result<(), Errno> {
        let address = |nr: usize| self.address + nr * size_of::<PollFd>() + PollFd::REVENTS_OFFSET;
        let mut first = 0;
        while first < self.len {
            let in_page = (PAGE_SIZE - address(first) % PAGE_SIZE).div_ceil(size_of::<PollFd>());
            let end = self.len.min(first + in_page);
            UserPtr::<u16>::new(space, address(first)).write(&self.answers[first])?;
            if self.differs != 0 {
                for nr in first + 1..end {
                    if self.asked[nr].revents != self.answers[nr] {
                        UserPtr::<u16>::new(space, address(nr)).write(&self.answers[nr])?;
                    }
                }
            }
            first = end;
        }
        Ok(())
    }
}
