//! Pointers to values in user memory.

use core::marker::PhantomData;

use ostd_pod::Pod;
use rules::abi::errno::Errno;

use super::super::layout::user_range;
use super::super::space::AddressSpace;

/// A pointer to a `T`, or to an array of them, in user memory.
pub(crate) struct UserPtr<'a, T> {
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
    /// Makes a pointer to a `T` at `addr`. Nothing is checked before the copy.
    #[must_use]
    pub(crate) fn new(space: &'a AddressSpace, addr: usize) -> Self {
        Self { space, addr, of: PhantomData }
    }

    /// Returns whether it is null, which many system calls treat specially.
    #[must_use]
    pub(crate) fn is_null(&self) -> bool {
        self.addr == 0
    }

    /// Returns a pointer to the `index`th `T` from here. An address that overflows stays beyond user space.
    #[must_use]
    pub(crate) fn at(&self, index: usize) -> Self {
        let addr = index.checked_mul(size_of::<T>()).and_then(|offset| self.addr.checked_add(offset));
        Self::new(self.space, addr.unwrap_or(usize::MAX))
    }

    /// Reads the value.
    ///
    /// # Errors
    /// `EFAULT`: some of its bytes are not readable.
    pub(crate) fn read(&self) -> Result<T, Errno> {
        user_range(self.addr, size_of::<T>()).ok_or(Errno::EFAULT)?;
        let reader = self.space.vm().reader(self.addr, size_of::<T>());
        reader.and_then(|mut reader| reader.read_val()).map_err(|_| Errno::EFAULT)
    }

    /// Writes the value.
    ///
    /// # Errors
    /// `EFAULT`: some of its bytes are not writable. The first bytes may have been written.
    pub(crate) fn write(&self, value: &T) -> Result<(), Errno> {
        user_range(self.addr, size_of::<T>()).ok_or(Errno::EFAULT)?;
        let writer = self.space.vm().writer(self.addr, size_of::<T>());
        writer.and_then(|mut writer| writer.write_val(value)).map_err(|_| Errno::EFAULT)
    }
}
