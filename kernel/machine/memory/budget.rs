//! The gate in front of the frame allocator.
//!
//! OSTD panics when it finds no frame for a page table or for the kernel heap. So everything that a
//! program can ask for without bound (its pages, page-cache pages, pipe pages, kernel stacks) is
//! granted only while more than a reserve is free, and the reserve is left to the allocations that
//! cannot fail.
//!
//! The check and the allocation are two steps. Several CPUs may pass the check together and take a few
//! pages of the reserve; it is larger than that by three orders of magnitude.

use ostd::mm::{FrameAllocOptions, UFrame};
use rules::abi::errno::Errno;
use spin::Once;

use super::layout::PAGE_SIZE;

/// The reserve is this share of what was free at boot…
const RESERVE_SHARE: usize = 64;
/// …and no less than this.
const RESERVE_MINIMUM: usize = 4 << 20;

/// What was free at the first question, in bytes.
static INITIAL: Once<usize> = Once::new();

/// Bytes that programs can have at most: what was free at boot, less the reserve.
#[must_use]
pub(crate) fn total() -> usize {
    let initial = *INITIAL.call_once(frames::free_bytes);
    initial - reserve(initial).min(initial)
}

/// Bytes that programs can still have.
#[must_use]
pub(crate) fn available() -> usize {
    let initial = *INITIAL.call_once(frames::free_bytes);
    frames::free_bytes().saturating_sub(reserve(initial))
}

/// Checks that `bytes` may be taken now.
///
/// # Errors
/// `ENOMEM`: that would touch the reserve.
pub(crate) fn try_reserve(bytes: usize) -> Result<(), Errno> {
    if bytes <= available() { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// A page of zeroes.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn zeroed_page() -> Result<UFrame, Errno> {
    page(FrameAllocOptions::new().zeroed(true))
}

/// A page with old contents, for a caller that overwrites all of it before anybody can see it.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn uncleared_page() -> Result<UFrame, Errno> {
    page(FrameAllocOptions::new().zeroed(false))
}

fn page(options: &FrameAllocOptions) -> Result<UFrame, Errno> {
    try_reserve(PAGE_SIZE)?;
    options.alloc_frame().map(UFrame::from).map_err(|_| Errno::ENOMEM)
}

fn reserve(initial: usize) -> usize {
    (initial / RESERVE_SHARE).max(RESERVE_MINIMUM)
}
