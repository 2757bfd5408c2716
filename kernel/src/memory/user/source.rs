//! The user's buffer as the place that a write takes from.

use core::array;

use model::abi::errno::Errno;
use ostd::mm::{Infallible, VmWriter};

use super::super::space::AddressSpace;
use super::super::transfer;
use super::iovec::{Segments, TOGETHER};

/// A `write(2)` buffer or the buffers of a `writev(2)`.
#[derive(Clone)]
pub struct UserSource<'a>(Segments<'a>);

impl<'a> UserSource<'a> {
    /// One buffer; a length over `MAX_RW_COUNT` is cut to it.
    ///
    /// # Errors
    /// `EFAULT`: it leaves user space.
    pub fn buffer(space: &'a AddressSpace, addr: usize, len: usize) -> Result<Self, Errno> {
        Segments::buffer(space, addr, len).map(Self)
    }

    /// The buffers that the array of `count` `struct iovec` at `addr` describes; together they are cut to
    /// `MAX_RW_COUNT`.
    ///
    /// # Errors
    /// `EINVAL`: more than `IOV_MAX`, or a negative length. `EFAULT`: the array is not readable, or a buffer
    /// leaves user space.
    pub fn vector(space: &'a AddressSpace, addr: usize, count: usize) -> Result<Self, Errno> {
        Segments::vector(space, addr, count).map(Self)
    }
}

impl model::transfer::Source for UserSource<'_> {
    fn remaining(&self) -> usize {
        self.0.remaining()
    }

    fn take(&mut self, space: &mut [u8]) -> usize {
        let mut filled = 0;
        self.0.advance(space.len(), |part| {
            let copied = part.read_some(&mut space[filled..filled + part.len()]);
            filled += copied;
            copied
        })
    }

    fn take_each(&mut self, spaces: &mut [&mut [u8]]) -> usize {
        if let [space] = spaces {
            return self.take(space);
        }
        let mut total = 0;
        for spaces in spaces.chunks_mut(TOGETHER) {
            let len: usize = spaces.iter().map(|space| space.len()).sum();
            let mut spaces = spaces.iter_mut();
            let mut writers: [_; TOGETHER] =
                array::from_fn(|_| VmWriter::from(spaces.next().map_or(&mut [][..], |space| space)));
            let taken = transfer::Source::take_into_each(self, &mut writers);
            total += taken;
            if taken < len {
                break;
            }
        }
        total
    }
}

impl transfer::Source for UserSource<'_> {
    fn take_into(&mut self, space: &mut VmWriter<'_, Infallible>) -> usize {
        self.take_into_each(core::slice::from_mut(space))
    }

    fn take_into_each(&mut self, space: &mut [VmWriter<'_, Infallible>]) -> usize {
        let len = space.iter().map(VmWriter::avail).sum();
        self.0.advance(len, |part| part.copy_to(space))
    }
}
