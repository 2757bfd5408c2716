//! The signal mask that ppoll(2), pselect(2) and epoll_pwait(2) get.
//!
//! Not here: setting the mask ([`Caller::with_mask`](super::caller::Caller::with_mask)).

use rules::abi::errno::Errno;
use rules::abi::signal::SigSet;

use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::UserPtr;

/// A signal mask in the program's memory, of `size` bytes; null leaves the thread's mask as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaskArgument {
    /// Where it is.
    pub(crate) addr: usize,
    /// `sizeof(sigset_t)`, as the program says.
    pub(crate) size: usize,
}

impl MaskArgument {
    /// Reads the mask; `None` for null.
    ///
    /// # Errors
    /// `EINVAL`: `size` is not 8. `EFAULT`: the mask is not readable.
    pub(crate) fn read(self, space: &AddressSpace) -> Result<Option<SigSet>, Errno> {
        if self.addr == 0 {
            return Ok(None);
        }
        check_set_size(self.size)?;
        UserPtr::<u64>::new(space, self.addr).read().map(|bits| Some(SigSet::mask(bits)))
    }
}

/// Checks the size of a `sigset_t` that a program passed.
///
/// # Errors
/// `EINVAL`: it is not 8.
pub(crate) fn check_set_size(size: usize) -> Result<(), Errno> {
    if size == size_of::<u64>() { Ok(()) } else { Err(Errno::EINVAL) }
}
