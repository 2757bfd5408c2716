//! The layout of a user address space on x86_64, as on Linux.
//!
//! Source: Linux 6.1 arch/x86/include/asm/page_64_types.h, arch/x86/mm/mmap.c, Documentation/x86/x86_64/mm.rst.

use core::ops::Range;

pub(crate) use ostd::mm::PAGE_SIZE;

/// `mmap_min_addr`: the lowest address of a mapping, so that a null pointer with an offset still faults.
pub(crate) const MMAP_MIN_ADDR: usize = 0x1_0000;

/// `TASK_SIZE`: the end of user space. It excludes the last page of the lower half, because a `syscall` instruction at
/// its end would return to a non-canonical address.
pub(crate) const TASK_SIZE: usize = 0x7fff_ffff_f000;

/// The end of the main stack.
pub(crate) const STACK_TOP: usize = TASK_SIZE - STACK_DISTANCE;

/// Linux leaves a random distance above the stack. Here it is fixed, so that runs are reproducible; a stray access
/// just below the end of user space faults as well.
const STACK_DISTANCE: usize = 256 * PAGE_SIZE;

/// The gap below the stack's limit that Linux leaves free for the first mapping.
const STACK_GUARD_GAP: usize = 256 * PAGE_SIZE;

/// The gap that a growing area keeps to the area below (`stack_guard_gap`).
pub(crate) const GUARD_GAP: usize = STACK_GUARD_GAP;

/// Bounds of the space that is reserved for the stack, whatever its limit is.
const STACK_ROOM: Range<usize> = 128 << 20..TASK_SIZE / 6 * 5;

/// Returns where the search for free ranges starts, downwards, for a stack limit of `stack_limit` bytes.
#[must_use]
pub(crate) fn mmap_top(stack_limit: u64) -> usize {
    let limit = usize::try_from(stack_limit).unwrap_or(usize::MAX);
    let room = limit.saturating_add(STACK_GUARD_GAP).clamp(STACK_ROOM.start, STACK_ROOM.end);
    page_down(STACK_TOP - room)
}

/// Returns the start of the page that contains `addr`.
#[must_use]
pub(crate) const fn page_down(addr: usize) -> usize {
    addr & !(PAGE_SIZE - 1)
}

/// Rounds `len` up to whole pages; `None` if that overflows.
#[must_use]
pub(crate) const fn page_up(len: usize) -> Option<usize> {
    match len.checked_add(PAGE_SIZE - 1) {
        Some(sum) => Some(page_down(sum)),
        None => None,
    }
}

/// Returns `addr..addr + len` if it lies in user space; it need not be page-aligned.
#[must_use]
pub(crate) fn user_range(addr: usize, len: usize) -> Option<Range<usize>> {
    let end = addr.checked_add(len)?;
    (end <= TASK_SIZE).then_some(addr..end)
}
