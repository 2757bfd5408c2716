//! The buffers of readv(2) and writev(2).

use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::machine::fallible;

use super::super::space::AddressSpace;
use super::bulk::Stretch;
use super::pointer::UserPtr;
use super::slice::UserSlice;

/// `UIO_MAXIOV`: the most buffers of one call.
pub(crate) const IOV_MAX: usize = 1024;

/// `MAX_RW_COUNT`: the most bytes that one call transfers; a longer request is cut.
pub(crate) const MAX_RW_COUNT: usize = 0x7fff_f000;

/// User buffers in order. The first is kept apart, because there is mostly only one.
pub(super) struct Segments<'a> {
    at: Position<'a>,
    /// The others.
    later: Vec<UserSlice<'a>>,
}

/// The position of a copy in the buffers.
#[derive(Clone, Copy)]
pub(crate) struct Position<'a> {
    /// The rest of the current buffer.
    current: UserSlice<'a>,
    /// The index of the next buffer in `later`.
    next: usize,
    /// Bytes left in all buffers.
    remaining: usize,
}

impl<'a> Segments<'a> {
    /// Makes a single buffer.
    #[inline]
    pub(super) fn buffer(space: &'a AddressSpace, addr: usize, len: usize) -> Result<Self, Errno> {
        let current = UserSlice::new(space, addr, len)?.part(0, MAX_RW_COUNT);
        Ok(Self { at: Position { current, next: 0, remaining: current.len() }, later: Vec::new() })
    }

    /// Makes the buffers that `count` `struct iovec` describe.
    pub(super) fn vector(space: &'a AddressSpace, addr: usize, count: usize) -> Result<Self, Errno> {
        if count > IOV_MAX {
            return Err(Errno::EINVAL);
        }
        let array = UserPtr::<[usize; 2]>::new(space, addr);
        let mut remaining = 0;
        let mut later = Vec::new();
        fallible::reserve_exact(&mut later, count)?;
        let mut is_outside = false;
        for index in 0..count {
            let [base, len] = array.at(index).read()?;
            if len.cast_signed() < 0 {
                return Err(Errno::EINVAL);
            }
            // Found before `EFAULT` is a length that is wrong, wherever it is.
            let Ok(segment) = UserSlice::new(space, base, len) else {
                is_outside = true;
                continue;
            };
            let segment = segment.part(0, MAX_RW_COUNT - remaining);
            remaining += segment.len();
            // There is room for all.
            later.push(segment);
        }
        if is_outside {
            return Err(Errno::EFAULT);
        }
        let current = UserSlice::new(space, 0, 0)?;
        Ok(Self { at: Position { current, next: 0, remaining }, later })
    }

    /// Returns the bytes left in all buffers.
    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.at.remaining
    }

    /// Returns the position, to [go back](Self::rewind) to.
    #[inline]
    pub(super) const fn position(&self) -> Position<'a> {
        self.at
    }

    /// Goes back to an earlier position.
    #[inline]
    pub(super) const fn rewind(&mut self, position: Position<'a>) {
        self.at = position;
    }

    /// Limits the rest to `most` bytes.
    pub(super) fn truncate(&mut self, most: usize) {
        let mut room = most;
        for segment in core::iter::once(&mut self.at.current).chain(self.later.iter_mut().skip(self.at.next))
        {
            *segment = segment.part(0, room);
            room -= segment.len();
        }
        self.at.remaining = self.at.remaining.min(most);
    }

    /// Calls `copy` for one buffer after another, for at most `len` bytes in all, until it copies less than it could.
    ///
    /// `copy` gets the rest of the current buffer, which may exceed the rest of `len`.
    #[inline(always)]
    pub(super) fn advance(&mut self, len: usize, mut copy: impl FnMut(Stretch<'a>) -> usize) -> usize {
        // Mostly the current buffer is large enough.
        if len <= self.at.current.len() {
            let copied = copy(self.at.current.stretch());
            self.at.current.skip(copied);
            self.at.remaining -= copied;
            return copied;
        }
        self.advance_through(len, &mut copy)
    }

    #[inline(never)]
    fn advance_through(&mut self, len: usize, copy: &mut dyn FnMut(Stretch<'a>) -> usize) -> usize {
        let len = len.min(self.at.remaining);
        let mut done = 0;
        while done < len {
            if self.at.current.is_empty() {
                let Some(next) = self.later.get(self.at.next) else { break };
                self.at.current = *next;
                self.at.next += 1;
                continue;
            }
            let expected = self.at.current.len().min(len - done);
            let copied = copy(self.at.current.stretch());
            self.at.current.skip(copied);
            done += copied;
            if copied < expected {
                break;
            }
        }
        self.at.remaining -= done;
        done
    }
}
