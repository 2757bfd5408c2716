//! Guards the frame allocator with an emergency reserve.
//!
//! OSTD panics when it finds no frame for a page table or for the kernel heap. So memory that a program can request
//! without bound (its pages, page-cache pages, pipe pages, kernel stacks) is granted only while more than a reserve is
//! free; allocations that cannot fail use the reserve.
//!
//! The check and the allocation are two steps. Several CPUs may pass the check together and use a few pages of the
//! reserve, which is three orders of magnitude larger.

use ostd::mm::{FrameAllocOptions, UFrame};
use rules::abi::errno::Errno;
use spin::Once;

use super::layout::PAGE_SIZE;

/// The reserve is this fraction of the memory that was free at boot…
const RESERVE_SHARE: usize = 64;
/// …and at least this many bytes.
const RESERVE_MINIMUM: usize = 4 << 20;

/// The memory that was free at the first call, in bytes.
static INITIAL: Once<usize> = Once::new();

/// Returns the most bytes that programs can have: what was free at boot, less the reserve.
#[must_use]
pub(crate) fn total() -> usize {
    let initial = *INITIAL.call_once(frames::free_bytes);
    initial - reserve(initial).min(initial)
}

/// Returns the bytes that programs can still have.
#[must_use]
pub(crate) fn available() -> usize {
    let initial = *INITIAL.call_once(frames::free_bytes);
    frames::free_bytes().saturating_sub(reserve(initial))
}

/// Checks that `bytes` may be allocated now.
///
/// # Errors
/// `ENOMEM`: they would come from the reserve.
pub(crate) fn try_reserve(bytes: usize) -> Result<(), Errno> {
    if bytes <= available() { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Allocates a page of zeroes.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn zeroed_page() -> Result<UFrame, Errno> {
    page(FrameAllocOptions::new().zeroed(true))
}

/// Allocates a page without clearing it, for a caller that overwrites all of it before it can be read.
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
