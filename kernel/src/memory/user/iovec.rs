//! The pieces of a readv(2) or writev(2).

use alloc::vec::Vec;

use model::abi::errno::Errno;

use super::super::space::AddressSpace;
use super::bulk::Stretch;
use super::pointer::UserPtr;
use super::slice::UserSlice;

/// `UIO_MAXIOV`: pieces that one call may have.
pub(crate) const IOV_MAX: usize = 1024;

/// `MAX_RW_COUNT`: bytes that one call moves at most; a longer request is cut.
pub(crate) const MAX_RW_COUNT: usize = 0x7fff_f000;

/// The user's buffers in order; the first is kept apart because mostly it is the only one.
pub(super) struct Segments<'a> {
    current: UserSlice<'a>,
    /// The others, the next one last.
    later: Vec<UserSlice<'a>>,
    remaining: usize,
}

/// Does not ask the allocator about a list of nothing, which is what nearly all have.
impl Clone for Segments<'_> {
    #[inline]
    fn clone(&self) -> Self {
        let later = if self.later.is_empty() { Vec::new() } else { self.later.clone() };
        Self { later, ..*self }
    }
}

impl<'a> Segments<'a> {
    /// One buffer.
    #[inline]
    pub(super) fn buffer(space: &'a AddressSpace, addr: usize, len: usize) -> Result<Self, Errno> {
        let current = UserSlice::new(space, addr, len)?.part(0, MAX_RW_COUNT);
        Ok(Self { current, later: Vec::new(), remaining: current.len() })
    }

    /// The buffers that an array of `count` `struct iovec` describes.
    pub(super) fn vector(space: &'a AddressSpace, addr: usize, count: usize) -> Result<Self, Errno> {
        if count > IOV_MAX {
            return Err(Errno::EINVAL);
        }
        let array = UserPtr::<[usize; 2]>::new(space, addr);
        let vector = (0..count).map(|i| array.at(i).read()).collect::<Result<Vec<_>, _>>()?;
        if vector.iter().any(|[_, len]| len.cast_signed() < 0) {
            return Err(Errno::EINVAL);
        }
        let mut remaining = 0;
        let mut segments = Vec::with_capacity(count);
        for [base, len] in vector {
            let segment = UserSlice::new(space, base, len)?.part(0, MAX_RW_COUNT - remaining);
            remaining += segment.len();
            segments.push(segment);
        }
        segments.reverse();
        let current = segments.pop().map_or_else(|| UserSlice::new(space, 0, 0), Ok)?;
        Ok(Self { current, later: segments, remaining })
    }

    /// Bytes left in all of them.
    pub(super) fn remaining(&self) -> usize {
        self.remaining
    }

    /// Forgets what is beyond the first `most` bytes.
    pub(super) fn truncate(&mut self, most: usize) {
        let mut room = most;
        for segment in core::iter::once(&mut self.current).chain(self.later.iter_mut().rev()) {
            *segment = segment.part(0, room);
            room -= segment.len();
        }
        self.remaining = self.remaining.min(most);
    }

    /// Lets `copy` work through the buffers for at most `len` bytes in all, until it copies less than it could.
    ///
    /// `copy` gets what is left of the current buffer, which may be more than what is left of `len`.
    #[inline(always)]
    pub(super) fn advance(&mut self, len: usize, mut copy: impl FnMut(Stretch<'a>) -> usize) -> usize {
        let len = len.min(self.remaining);
        let mut done = 0;
        while done < len {
            if self.current.is_empty() {
                let Some(next) = self.later.pop() else { break };
                self.current = next;
                continue;
            }
            let expected = self.current.len().min(len - done);
            let copied = copy(self.current.stretch());
            self.current = self.current.part(copied, usize::MAX);
            done += copied;
            if copied < expected {
                break;
            }
        }
        self.remaining -= done;
        done
    }
}
