//! The numbers of a user address space on x86_64, as Linux has them.
//!
//! Source: Linux 6.1 arch/x86/include/asm/page_64_types.h, arch/x86/mm/mmap.c, Documentation/x86/x86_64/mm.rst.

use core::ops::Range;

pub(crate) use ostd::mm::PAGE_SIZE;

/// `mmap_min_addr`: nothing is mapped below, so that a null pointer with an offset still faults.
pub(crate) const MMAP_MIN_ADDR: usize = 0x1_0000;

/// `TASK_SIZE`: the first address that is not the user's. The last page of the lower half is left out,
/// because a `syscall` instruction at its end would return to a non-canonical address.
pub(crate) const TASK_SIZE: usize = 0x7fff_ffff_f000;

/// Where the main stack ends.
pub(crate) const STACK_TOP: usize = TASK_SIZE - STACK_DISTANCE;

/// Linux leaves a random distance above the stack. Here it is fixed, for runs that can be repeated; a stray access just
/// below the end of user space finds nothing there either.
const STACK_DISTANCE: usize = 256 * PAGE_SIZE;

/// Linux keeps this much free below the stack's limit before the first mapping.
const STACK_GUARD_GAP: usize = 256 * PAGE_SIZE;

/// Free bytes that a growing area keeps between itself and the area below (`stack_guard_gap`).
pub(crate) const GUARD_GAP: usize = STACK_GUARD_GAP;

/// Smallest and largest room that is kept for the stack, whatever its limit says.
const STACK_ROOM: Range<usize> = 128 << 20..TASK_SIZE / 6 * 5;

/// Where the search for free room starts, going down, if the stack may grow to `stack_limit` bytes.
#[must_use]
pub(crate) fn mmap_top(stack_limit: u64) -> usize {
    let limit = usize::try_from(stack_limit).unwrap_or(usize::MAX);
    let room = limit.saturating_add(STACK_GUARD_GAP).clamp(STACK_ROOM.start, STACK_ROOM.end);
    page_down(STACK_TOP - room)
}

/// The start of the page that holds `addr`.
#[must_use]
pub(crate) const fn page_down(addr: usize) -> usize {
    addr & !(PAGE_SIZE - 1)
}

/// `len` rounded up to whole pages; `None` if that overflows.
#[must_use]
pub(crate) const fn page_up(len: usize) -> Option<usize> {
    match len.checked_add(PAGE_SIZE - 1) {
        Some(sum) => Some(page_down(sum)),
        None => None,
    }
}

/// `addr..addr + len` if it lies in user space, whole pages or not.
#[must_use]
pub(crate) fn user_range(addr: usize, len: usize) -> Option<Range<usize>> {
    let end = addr.checked_add(len)?;
    (end <= TASK_SIZE).then_some(addr..end)
}
