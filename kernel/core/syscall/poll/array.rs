//! The array of `struct pollfd`, copied in, and its `revents`, copied out.
//!
//! `fd` and `events` are never written back: another thread may be changing them. Of the `revents`, only those are
//! written that differ from the program's, and one in each page, so that an unwritable page faults. (Most are 0
//! before and after; writing each would cost a copy of two bytes for nothing.)

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;

use ostd_pod::IntoBytes;
use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::poll::{POLLNVAL, PollFd};
use rules::core::bits;
use rules::core::fd::{self, ROW, Row};
use rules::machine::fallible;

use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::PollSet;
use crate::machine::memory::layout::PAGE_SIZE;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::{UserPtr, UserSlice};

/// Entries whose changes are marked in one word.
const GROUP: usize = u64::BITS as usize;

/// Groups in a piece: one page, because larger allocations need contiguous frames.
const MOST: usize = PAGE_SIZE / size_of::<Group>();

/// Neighbouring entries.
pub(crate) type Group = [PollFd; GROUP];

/// A group before it is copied in.
const NOTHING: Group = [PollFd { fd: 0, events: 0, revents: 0 }; GROUP];

/// The entries: few on the stack, or many in pieces of a page.
pub(super) struct PollArray {
    few: Piece<[Group; 1]>,
    many: Vec<Piece<Vec<Group>>>,
}

/// Neighbouring entries, in up to [`MOST`] groups.
struct Piece<G> {
    /// Their address in the program's memory.
    address: usize,
    len: usize,
    /// Bit n: the `revents` of the group's n-th entry may differ from the program's.
    changed: [u64; MOST],
    /// As they were copied in; `revents` is the last result.
    groups: G,
}

impl PollArray {
    /// Makes an empty array, to be filled in place because it is large.
    pub(super) const fn new() -> Self {
        Self { few: Piece::new([NOTHING]), many: Vec::new() }
    }

    /// Takes out a page that the next array can reuse, if this one has many entries.
    pub(super) fn take_room(&mut self) -> Option<Vec<Group>> {
        self.many.first_mut().map(|piece| core::mem::take(&mut piece.groups))
    }

    /// Copies in the `count` entries at `address`. If they are many, the first ones reuse the [room](Self::take_room)
    /// of an earlier array.
    ///
    /// # Errors
    /// `EFAULT`: not all of them are readable. `ENOMEM`.
    pub(super) fn read(
        &mut self,
        space: &AddressSpace,
        (address, count): (usize, usize),
        room: &Cell<Vec<Group>>,
    ) -> Result<(), Errno> {
        let slice = UserSlice::new(space, address, count * size_of::<PollFd>())?;
        if count <= GROUP {
            self.few.read(&slice, 0, count)?;
        } else {
            fallible::reserve_exact(&mut self.many, count.div_ceil(MOST * GROUP))?;
            for start in (0..count).step_by(MOST * GROUP) {
                let len = (count - start).min(MOST * GROUP);
                let mut groups = room.take();
                if let Some(more @ 1..) = len.div_ceil(GROUP).checked_sub(groups.len()) {
                    fallible::reserve_exact(&mut groups, more)?;
                    groups.resize(len.div_ceil(GROUP), NOTHING);
                }
                let mut piece = Piece::new(groups);
                piece.read(&slice, start, len)?;
                self.many.push(piece);
            }
        }
        Ok(())
    }

    /// Copies the results out.
    ///
    /// # Errors
    /// `EFAULT`: one is not writable; those before it are written.
    pub(super) fn write_answers(&self, space: &AddressSpace) -> Result<(), Errno> {
        self.few.write_answers(space)?;
        self.many.iter().try_for_each(|piece| piece.write_answers(space))
    }
}

impl PollSet for PollArray {
    fn parts(&self) -> usize {
        1 + self.many.len()
    }

    fn poll_part(
        &mut self,
        part: usize,
        table: &fd::FdTable<Arc<OpenFile>>,
        poll: &mut impl FnMut(&Arc<OpenFile>, Events) -> Option<Events>,
    ) -> usize {
        match part.checked_sub(1) {
            None => self.few.poll_part(table, poll),
            Some(part) => self.many[part].poll_part(table, poll),
        }
    }
}

impl<G: AsRef<[Group]> + AsMut<[Group]>> Piece<G> {
    const fn new(groups: G) -> Self {
        Self { address: 0, len: 0, changed: [0; MOST], groups }
    }

    fn read(&mut self, slice: &UserSlice<'_>, start: usize, len: usize) -> Result<(), Errno> {
        let part = slice.part(start * size_of::<PollFd>(), len * size_of::<PollFd>());
        (self.address, self.len) = (part.addr(), len);
        part.read_bytes(self.groups.as_mut().as_flattened_mut()[..len].as_mut_bytes())
    }

    /// Neighbours in the array are mostly neighbours in the table, so a row is looked up once.
    fn poll_part(
        &mut self,
        table: &fd::FdTable<Arc<OpenFile>>,
        poll: &mut impl FnMut(&Arc<OpenFile>, Events) -> Option<Events>,
    ) -> usize {
        let mut count = 0;
        let mut row = (usize::MAX, Row::empty());
        let entries = &mut self.groups.as_mut().as_flattened_mut()[..self.len];
        for (group, changed) in entries.chunks_mut(GROUP).zip(&mut self.changed) {
            for (nr, entry) in group.iter_mut().enumerate() {
                // A negative number becomes one that is beyond every table.
                let fd = entry.fd.cast_unsigned() as usize;
                if row.0 != fd / ROW {
                    row = (fd / ROW, table.row(fd / ROW));
                }
                let events = row.1.get(fd).and_then(|file| poll(file, entry.interest()));
                let answer = events.map_or_else(|| not_open(entry.fd), |events| events.bits());
                count += usize::from(answer != 0);
                if entry.revents != answer {
                    entry.revents = answer;
                    *changed |= 1 << nr;
                }
            }
        }
        count
    }

    fn write_answers(&self, space: &AddressSpace) -> Result<(), Errno> {
        let entries = &self.groups.as_ref().as_flattened()[..self.len];
        let address = |nr: usize| self.address + nr * size_of::<PollFd>() + PollFd::REVENTS_OFFSET;
        let write = |nr: usize| UserPtr::<u16>::new(space, address(nr)).write(&entries[nr].revents);
        // A piece is as long as a page, so it lies in at most two.
        let second_page = (PAGE_SIZE - address(0) % PAGE_SIZE).div_ceil(size_of::<PollFd>());
        let firsts = [0, second_page].into_iter().filter(|nr| *nr < self.len);
        for (group, changed) in self.changed.iter().enumerate().take(self.len.div_ceil(GROUP)) {
            let firsts = firsts.clone().filter(|nr| nr / GROUP == group);
            let written = firsts.fold(*changed, |bits, nr| bits | 1 << (nr % GROUP));
            bits::ones(written).try_for_each(|bit| write(group * GROUP + bit as usize))?;
        }
        Ok(())
    }
}

/// Returns the `revents` of a number that is not open; a negative one is ignored.
#[cold]
const fn not_open(fd: i32) -> u16 {
    if fd < 0 { 0 } else { POLLNVAL }
}
