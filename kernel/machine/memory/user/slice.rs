//! A range of user addresses.

use ostd::mm::{Infallible, VmReader, VmWriter};
use rules::abi::errno::Errno;

use super::super::fault::Access;
use super::super::layout::user_range;
use super::super::space::AddressSpace;
use super::bulk::{self, Stretch};
use super::window::Window;

/// A claim on a range of the current address space.
///
/// Possessing one proves that the range does not leave user space. Nothing is known of alignment, and
/// nothing of what is mapped there.
#[derive(Clone, Copy)]
pub(crate) struct UserSlice<'a> {
    space: &'a AddressSpace,
    addr: usize,
    len: usize,
}

impl<'a> UserSlice<'a> {
    /// Claims `len` bytes at `addr`. `space` must be the current task's; the copies fail otherwise.
    ///
    /// # Errors
    /// `EFAULT`: the range leaves user space.
    pub(crate) fn new(space: &'a AddressSpace, addr: usize, len: usize) -> Result<Self, Errno> {
        user_range(addr, len).map(|_| Self { space, addr, len }).ok_or(Errno::EFAULT)
    }

    /// The address of the first byte.
    #[must_use]
    pub(crate) fn addr(&self) -> usize {
        self.addr
    }

    /// The number of bytes.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part that starts `offset` bytes on and has at most `len` bytes.
    #[must_use]
    pub(crate) fn part(&self, offset: usize, len: usize) -> Self {
        let offset = offset.min(self.len);
        let len = len.min(self.len - offset);
        Self { space: self.space, addr: self.addr + offset, len }
    }

    /// Leaves out the first `len` bytes; not more than there are.
    #[inline]
    pub(super) const fn skip(&mut self, len: usize) {
        debug_assert!(len <= self.len);
        self.addr += len;
        self.len -= len;
    }

    /// Copies from user memory as much as both have room for; less where it is not readable.
    pub(crate) fn copy_to(&self, to: &mut VmWriter<'_, Infallible>) -> usize {
        if to.avail().min(self.len) < bulk::LARGE {
            self.stretch().copy_small_to(to)
        } else {
            self.stretch().copy_to(&mut Window::new(self.space, Access::Read), to)
        }
    }

    /// Copies to user memory as much as both have room for; less where it is not writable.
    pub(crate) fn copy_from(&self, from: &mut VmReader<'_, Infallible>) -> usize {
        if from.remain().min(self.len) < bulk::LARGE {
            self.stretch().copy_small_from(from)
        } else {
            self.stretch().copy_from(&mut Window::new(self.space, Access::Write), from)
        }
    }

    /// Fills all of `to` from the start of the slice.
    ///
    /// # Errors
    /// `EFAULT`: not all of it is readable, or the slice is shorter. `to` may have changed.
    pub(crate) fn read_bytes(&self, to: &mut [u8]) -> Result<(), Errno> {
        let len = to.len();
        if self.copy_to(&mut VmWriter::from(to)) == len { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Writes all of `from` to the start of the slice.
    ///
    /// # Errors
    /// `EFAULT`: not all of it is writable, or the slice is shorter. The start may have been written.
    pub(crate) fn write_bytes(&self, from: &[u8]) -> Result<(), Errno> {
        if self.copy_from(&mut VmReader::from(from)) == from.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// The slice for copies in several pieces.
    pub(super) fn stretch(&self) -> Stretch<'a> {
        Stretch { space: self.space, addr: self.addr, end: self.addr + self.len }
    }

    /// Fills the slice with zeroes.
    ///
    /// # Errors
    /// `EFAULT`: not all of it is writable. The start may have been written.
    pub(crate) fn clear(&self) -> Result<(), Errno> {
        let mut writer = self.space.vm().writer(self.addr, self.len).map_err(|_| Errno::EFAULT)?;
        writer.fill_zeros(self.len).map(|_| ()).map_err(|_| Errno::EFAULT)
    }
}
