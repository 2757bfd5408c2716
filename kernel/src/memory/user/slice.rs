//! A range of user addresses, and values at them.

use core::marker::PhantomData;

use model::abi::errno::Errno;
use ostd::mm::{Infallible, VmReader, VmWriter};
use ostd_pod::Pod;

use super::super::layout::user_range;
use super::super::space::AddressSpace;
use super::bulk;

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
    pub fn copy_to(&self, to: &mut VmWriter<'_, Infallible>) -> usize {
        bulk::copy_in(self.space, self.addr, self.len, to)
    }

    /// Copies to user memory as much as both have room for; less where it is not writable.
    pub fn copy_from(&self, from: &mut VmReader<'_, Infallible>) -> usize {
        bulk::copy_out(self.space, self.addr, self.len, from)
    }

    /// Fills all of `to` from the start of the slice.
    ///
    /// # Errors
    /// `EFAULT`: not all of it is readable, or the slice is shorter. `to` may have changed.
    pub fn read_bytes(&self, to: &mut [u8]) -> Result<(), Errno> {
        let len = to.len();
        if self.copy_to(&mut VmWriter::from(to)) == len { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Writes all of `from` to the start of the slice.
    ///
    /// # Errors
    /// `EFAULT`: not all of it is writable, or the slice is shorter. The start may have been written.
    pub fn write_bytes(&self, from: &[u8]) -> Result<(), Errno> {
        if self.copy_from(&mut VmReader::from(from)) == from.len() { Ok(()) } else { Err(Errno::EFAULT) }
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

/// A claim on the place of a `T`, or of several in a row.
pub struct UserPtr<'a, T> {
    space: &'a AddressSpace,
    addr: usize,
    of: PhantomData<T>,
}

impl<T> Clone for UserPtr<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserPtr<'_, T> {}

impl<'a, T: Pod> UserPtr<'a, T> {
    /// Takes `addr` for the address of a `T`. Nothing is checked before the copy.
    #[must_use]
    pub fn new(space: &'a AddressSpace, addr: usize) -> Self {
        Self { space, addr, of: PhantomData }
    }

    /// Whether it is the null pointer, which many syscalls give a meaning of its own.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.addr == 0
    }

    /// The `index`th `T` from here. An address that overflows is beyond user space, and stays there.
    #[must_use]
    pub fn at(&self, index: usize) -> Self {
        let addr = index.checked_mul(size_of::<T>()).and_then(|offset| self.addr.checked_add(offset));
        Self::new(self.space, addr.unwrap_or(usize::MAX))
    }

    /// Reads the value.
    ///
    /// # Errors
    /// `EFAULT`: not all of it is readable.
    pub fn read(&self) -> Result<T, Errno> {
        user_range(self.addr, size_of::<T>()).ok_or(Errno::EFAULT)?;
        let reader = self.space.vm().reader(self.addr, size_of::<T>());
        reader.and_then(|mut reader| reader.read_val()).map_err(|_| Errno::EFAULT)
    }

    /// Writes the value.
    ///
    /// # Errors
    /// `EFAULT`: not all of it is writable. The start may have been written.
    pub fn write(&self, value: &T) -> Result<(), Errno> {
        user_range(self.addr, size_of::<T>()).ok_or(Errno::EFAULT)?;
        let writer = self.space.vm().writer(self.addr, size_of::<T>());
        writer.and_then(|mut writer| writer.write_val(value)).map_err(|_| Errno::EFAULT)
    }
}
