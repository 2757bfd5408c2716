//! A range of user addresses.

use model::abi::errno::Errno;
use ostd::mm::{Infallible, VmReader, VmWriter};

use super::super::layout::user_range;
use super::super::space::AddressSpace;
use super::bulk;
use super::pieces::{Readers, Writers};

/// A claim on a range of the current address space.
///
/// Possessing one proves that the range does not leave user space. Nothing is known of alignment, and
/// nothing of what is mapped there.
#[derive(Clone, Copy)]
pub struct UserSlice<'a> {
    space: &'a AddressSpace,
    addr: usize,
    len: usize,
}

impl<'a> UserSlice<'a> {
    /// Claims `len` bytes at `addr`. `space` must be the current task's; the copies fail otherwise.
    ///
    /// # Errors
    /// `EFAULT`: the range leaves user space.
    pub fn new(space: &'a AddressSpace, addr: usize, len: usize) -> Result<Self, Errno> {
        user_range(addr, len).map(|_| Self { space, addr, len }).ok_or(Errno::EFAULT)
    }

    /// The address of the first byte.
    #[must_use]
    pub fn addr(&self) -> usize {
        self.addr
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part that starts `offset` bytes on and has at most `len` bytes.
    #[must_use]
    pub fn part(&self, offset: usize, len: usize) -> Self {
        let offset = offset.min(self.len);
        let len = len.min(self.len - offset);
        Self { space: self.space, addr: self.addr + offset, len }
    }

    /// Copies from user memory as much as both have room for; less where it is not readable.
    pub fn copy_to(&self, to: &mut [VmWriter<'_, Infallible>]) -> usize {
        bulk::copy_in(self.space, self.addr, self.len, Writers::new(to))
    }

    /// Copies to user memory as much as both have room for; less where it is not writable.
    pub fn copy_from(&self, from: &mut [VmReader<'_, Infallible>]) -> usize {
        bulk::copy_out(self.space, self.addr, self.len, Readers::new(from))
    }

    /// Fills as much of `to` as the slice has bytes for; less where it is not readable.
    pub(super) fn read_some(&self, to: &mut [u8]) -> usize {
        let len = to.len().min(self.len);
        let to = &mut to[..len];
        if len < bulk::LARGE {
            bulk::copy_in_small(self.space, self.addr, to)
        } else {
            self.copy_to(&mut [VmWriter::from(to)])
        }
    }

    /// Copies as much of `from` as the slice has room for; less where it is not writable.
    pub(super) fn write_some(&self, from: &[u8]) -> usize {
        let from = &from[..from.len().min(self.len)];
        if from.len() < bulk::LARGE {
            bulk::copy_out_small(self.space, self.addr, from)
        } else {
            self.copy_from(&mut [VmReader::from(from)])
        }
    }

    /// Fills all of `to` from the start of the slice.
    ///
    /// # Errors
    /// `EFAULT`: not all of it is readable, or the slice is shorter. `to` may have changed.
    pub fn read_bytes(&self, to: &mut [u8]) -> Result<(), Errno> {
        if self.read_some(to) == to.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Writes all of `from` to the start of the slice.
    ///
    /// # Errors
    /// `EFAULT`: not all of it is writable, or the slice is shorter. The start may have been written.
    pub fn write_bytes(&self, from: &[u8]) -> Result<(), Errno> {
        if self.write_some(from) == from.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Fills the slice with zeroes.
    ///
    /// # Errors
    /// `EFAULT`: not all of it is writable. The start may have been written.
    pub fn clear(&self) -> Result<(), Errno> {
        let mut writer = self.space.vm().writer(self.addr, self.len).map_err(|_| Errno::EFAULT)?;
        writer.fill_zeros(self.len).map(|_| ()).map_err(|_| Errno::EFAULT)
    }
}
