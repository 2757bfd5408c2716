//! Atomic words in user memory, for futexes.

use rules::abi::errno::Errno;

use super::super::layout::user_range;
use super::super::space::AddressSpace;

/// An aligned 32-bit word in user memory.
#[derive(Clone, Copy)]
pub(crate) struct UserAtomic<'a> {
    space: &'a AddressSpace,
    addr: usize,
}

impl<'a> UserAtomic<'a> {
    /// Makes the word at `addr`; nothing is read yet.
    ///
    /// # Errors
    /// `EINVAL`: not aligned to four bytes. `EFAULT`: not in user space.
    pub(crate) fn new(space: &'a AddressSpace, addr: usize) -> Result<Self, Errno> {
        if !addr.is_multiple_of(size_of::<u32>()) {
            return Err(Errno::EINVAL);
        }
        user_range(addr, size_of::<u32>()).ok_or(Errno::EFAULT)?;
        Ok(Self { space, addr })
    }

    /// Loads the word (relaxed).
    ///
    /// # Errors
    /// `EFAULT`: the word is not readable.
    pub(crate) fn load(&self) -> Result<u32, Errno> {
        let reader = self.space.vm().reader(self.addr, size_of::<u32>());
        reader.and_then(|reader| reader.atomic_load()).map_err(|_| Errno::EFAULT)
    }

    /// Writes `new` if the word is `expected`, and returns the old value.
    ///
    /// # Errors
    /// `EFAULT`: the word is not readable or not writable.
    pub(crate) fn compare_exchange(&self, expected: u32, new: u32) -> Result<u32, Errno> {
        let both = self.space.vm().reader_writer(self.addr, size_of::<u32>());
        both.and_then(|(reader, writer)| writer.atomic_compare_exchange(&reader, expected, new))
            .map(|(was, _)| was)
            .map_err(|_| Errno::EFAULT)
    }

    /// Replaces the word by `change` of it and returns the old value.
    ///
    /// # Errors
    /// The word was not changed. `EFAULT`: not readable or not writable. `EAGAIN`: other threads changed it too often
    /// meanwhile.
    pub(crate) fn update(&self, mut change: impl FnMut(u32) -> u32) -> Result<u32, Errno> {
        /// As many attempts as Linux's futex code makes (`FUTEX_MAX_LOOPS`).
        const TRIES: usize = 128;
        let mut seen = self.load()?;
        for _ in 0..TRIES {
            let was = self.compare_exchange(seen, change(seen))?;
            if was == seen {
                return Ok(was);
            }
            seen = was;
        }
        Err(Errno::EAGAIN)
    }
}
