//! Reads and sets the capabilities of this thread; for use in a [`crate::child`].

use crate::sys::{self, Result};

/// The effective, permitted and inheritable sets.
pub type Sets = [u64; 3];

/// A header for version 3 and the calling thread.
const HEADER: [u32; 2] = [0x2008_0522, 0];

/// Returns the three sets.
pub fn get() -> Sets {
    let mut words = [0_u32; 6];
    // SAFETY: the words are ours, and this version has as many.
    unsafe { sys::call(libc::SYS_capget, [HEADER.as_ptr().addr(), words.as_mut_ptr().addr()]) }
        .expect("the caller's capabilities");
    [0, 1, 2].map(|set| u64::from(words[set]) | u64::from(words[set + 3]) << 32)
}

/// Sets the three sets.
pub fn set(sets: Sets) -> Result<usize> {
    let low = sets.map(|set| set as u32);
    let high = sets.map(|set| (set >> 32) as u32);
    let words = [low, high].concat();
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_capset, [HEADER.as_ptr().addr(), words.as_ptr().addr()]) }
}
