//! The array of `struct pollfd`, copied in, and its `revents`, copied out.
//!
//! What the program asks is never written back: another thread may be changing it. Of the answers those are
//! written that differ from what is there, and one in each page, for the fault that a page may hold. (To write
//! them all costs a copy of two bytes each, for nothing: most answers are 0, before and after.)

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::abi::errno::Errno;
use model::abi::poll::{POLLNVAL, PollFd};
use model::fd::Fd;
use ostd_pod::IntoBytes;
use pollee::Events;

use crate::file::many::Question;
use crate::memory::budget;
use crate::memory::layout::{PAGE_SIZE, page_down};
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
        let first = Piece::read(&slice, 0, count)?;
        let mut rest = Vec::new();
        let mut next = first.len;
        rest.try_reserve_exact((count - next).div_ceil(MANY)).map_err(|_| Errno::ENOMEM)?;
        while next < count {
            budget::try_reserve(PAGE_SIZE)?;
            let piece = Piece::read(&slice, next, count)?;
            next += piece.len;
            rest.push(Box::new(piece));
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
    fn ask(&mut self, mut look: impl FnMut(Fd, Events) -> Option<Events>) -> usize {
        let first = self.first.ask(&mut look);
        self.rest.iter_mut().fold(first, |count, piece| count + piece.ask(&mut look))
    }
}

impl<const N: usize> Piece<N> {
    fn read(slice: &UserSlice<'_>, start: usize, count: usize) -> Result<Self, Errno> {
        let len = (count - start).min(N);
        let mut asked = [PollFd::default(); N];
        let part = slice.part(start * size_of::<PollFd>(), len * size_of::<PollFd>());
        part.read_bytes(asked[..len].as_mut_bytes())?;
        Ok(Self { address: part.addr(), len, asked, answers: [0; N] })
    }

    fn ask(&mut self, look: &mut impl FnMut(Fd, Events) -> Option<Events>) -> usize {
        let mut count = 0;
        for (asked, answer) in self.asked[..self.len].iter().zip(&mut self.answers) {
            *answer = match u32::try_from(asked.fd) {
                Err(_) => 0,
                Ok(fd) => look(Fd::new(fd), asked.interest()).map_or(POLLNVAL, |events| events.bits()),
            };
            count += usize::from(*answer != 0);
        }
        count
    }

    fn write_answers(&self, space: &AddressSpace) -> Result<(), Errno> {
        let mut page = None;
        for (nr, (asked, answer)) in self.asked[..self.len].iter().zip(&self.answers).enumerate() {
            let address = self.address + nr * size_of::<PollFd>() + PollFd::REVENTS_OFFSET;
            let is_first_in_page = page.replace(page_down(address)) != Some(page_down(address));
            if is_first_in_page || asked.revents != *answer {
                UserPtr::<u16>::new(space, address).write(answer)?;
            }
        }
        Ok(())
    }
}
