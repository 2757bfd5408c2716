//! A range of user addresses.

use ostd::mm::{Infallible, VmReader, VmWriter};
use rules::abi::errno::Errno;

use super::super::fault::Access;
use super::super::layout::user_range;
use super::super::space::AddressSpace;
use super::bulk::{self, Stretch};
use super::window::Window;

/// A range of user addresses of the current address space.
///
/// It proves that the range lies in user space; it says nothing about alignment or about what is mapped there.
#[derive(Clone, Copy)]
pub(crate) struct UserSlice<'a> {
    space: &'a AddressSpace,
    addr: usize,
    len: usize,
}

impl<'a> UserSlice<'a> {
    /// Makes a slice of `len` bytes at `addr`. `space` must be the current task's; otherwise copies fail.
    ///
    /// # Errors
    /// `EFAULT`: the range leaves user space.
    pub(crate) fn new(space: &'a AddressSpace, addr: usize, len: usize) -> Result<Self, Errno> {
        user_range(addr, len).map(|_| Self { space, addr, len }).ok_or(Errno::EFAULT)
    }

    /// Returns the address of the first byte.
    #[must_use]
    pub(crate) fn addr(&self) -> usize {
        self.addr
    }

    /// Returns the number of bytes.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the slice is empty.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the part from `offset` on, of at most `len` bytes.
    #[must_use]
    pub(crate) fn part(&self, offset: usize, len: usize) -> Self {
        let offset = offset.min(self.len);
        let len = len.min(self.len - offset);
        Self { space: self.space, addr: self.addr + offset, len }
    }

    /// Removes the first `len` bytes; `len` must not exceed the length.
    #[inline]
    pub(super) const fn skip(&mut self, len: usize) {
        debug_assert!(len <= self.len);
        self.addr += len;
        self.len -= len;
    }

    /// Copies from user memory to `to`, up to the shorter of both; stops where memory is not readable.
    pub(crate) fn copy_to(&self, to: &mut VmWriter<'_, Infallible>) -> usize {
        if to.avail().min(self.len) < bulk::LARGE {
            self.stretch().copy_small_to(to)
        } else {
            self.stretch().copy_to(&mut Window::new(self.space, Access::Read), to)
        }
    }

    /// Copies `from` to user memory, up to the shorter of both; stops where memory is not writable.
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
    /// `EFAULT`: a byte is not readable, or the slice is too short. `to` may have changed.
    pub(crate) fn read_bytes(&self, to: &mut [u8]) -> Result<(), Errno> {
        let len = to.len();
        if self.copy_to(&mut VmWriter::from(to)) == len { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Writes all of `from` to the start of the slice.
    ///
    /// # Errors
    /// `EFAULT`: a byte is not writable, or the slice is too short. The first bytes may have been written.
    pub(crate) fn write_bytes(&self, from: &[u8]) -> Result<(), Errno> {
        if self.copy_from(&mut VmReader::from(from)) == from.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Returns the slice as a stretch, to be copied in several pieces.
    pub(super) fn stretch(&self) -> Stretch<'a> {
        Stretch { space: self.space, addr: self.addr, end: self.addr + self.len }
    }

    /// Fills the slice with zeroes.
    ///
    /// # Errors
    /// `EFAULT`: a byte is not writable. The first bytes may have been written.
    pub(crate) fn clear(&self) -> Result<(), Errno> {
        let mut writer = self.space.vm().writer(self.addr, self.len).map_err(|_| Errno::EFAULT)?;
        writer.fill_zeros(self.len).map(|_| ()).map_err(|_| Errno::EFAULT)
    }
}
