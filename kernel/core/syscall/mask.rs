//! The signal mask argument of ppoll(2), pselect(2) and epoll_pwait(2).
//!
//! Not here: the exchange of the mask ([`Caller::with_mask`](super::caller::Caller::with_mask)).

use rules::abi::errno::Errno;
use rules::abi::signal::SigSet;

use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::UserPtr;

/// Reads the mask at `address`; `None` for null, which leaves the mask as it is.
///
/// # Errors
/// `EINVAL`: `size` is not the size of a set. `EFAULT`: not readable.
pub(crate) fn read(space: &AddressSpace, address: usize, size: usize) -> Result<Option<SigSet>, Errno> {
    if address == 0 {
        return Ok(None);
    }
    check_set_size(size)?;
    UserPtr::<u64>::new(space, address).read().map(|bits| Some(SigSet::mask(bits)))
}

/// Checks the size of a `sigset_t` that a program names.
///
/// # Errors
/// `EINVAL`: it is not 8.
pub(crate) fn check_set_size(size: usize) -> Result<(), Errno> {
    if size == size_of::<u64>() { Ok(()) } else { Err(Errno::EINVAL) }
}
