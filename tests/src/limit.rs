//! Reads and sets resource limits of this process; for use in a [`crate::child`].

use crate::memory::last_error;
use crate::sys::Result;

/// A resource of getrlimit(2).
pub type Resource = libc::__rlimit_resource_t;

/// Lowers the soft and the hard limit; fails the test if the kernel refuses.
pub fn lower(resource: Resource, most: u64) {
    set(resource, most, most).expect("a lower limit");
}

/// Sets the soft and the hard limit.
pub fn set(resource: Resource, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the limit is valid.
    match unsafe { libc::setrlimit(resource, &limit) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// Returns the soft and the hard limit.
pub fn get(resource: Resource) -> Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is ours.
    match unsafe { libc::getrlimit(resource, &mut limit) } {
        0 => Ok((limit.rlim_cur, limit.rlim_max)),
        _ => Err(last_error()),
    }
}
