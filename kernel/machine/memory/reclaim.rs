//! Counts unmapped memory that is not free yet.
//!
//! OSTD frees an unmapped page only after every CPU has switched tasks (an RCU grace period). A task that runs alone
//! never switches, so the scheduler checks [`wants_quiesce`] where that is cheap, and switches to the idle task.
//!
//! Owns: the count.   Not here: the switching (task).

use core::sync::atomic::{AtomicUsize, Ordering};

use ostd::sync::RcuDrop;

use super::{budget, layout::PAGE_SIZE};

/// Pages that were unmapped and are not known to be free.
static PENDING: AtomicUsize = AtomicUsize::new(0);
/// The part of `PENDING` that no receipt covers yet.
static UNRECEIPTED: AtomicUsize = AtomicUsize::new(0);

/// The fewest pages that one receipt covers, because a receipt costs an allocation.
const BATCH: usize = 64;
/// Pages that may wait while memory is plentiful (4 MiB).
const PLENTY: usize = 1024;
/// Below this many available bytes, memory is scarce.
const SCARCE_BYTES: usize = 16 << 20;

/// Returns whether a task switch on every CPU would free enough memory.
#[must_use]
pub(crate) fn wants_quiesce() -> bool {
    let pending = PENDING.load(Ordering::Relaxed);
    pending >= PLENTY || (pending > 0 && budget::available() < SCARCE_BYTES)
}

/// Returns the bytes that a task switch on every CPU would free.
#[must_use]
pub(crate) fn pending() -> usize {
    PENDING.load(Ordering::Relaxed) * PAGE_SIZE
}

/// Notes that `pages` pages were unmapped and become free after a grace period.
pub(super) fn note_unmapped(pages: usize) {
    PENDING.fetch_add(pages, Ordering::Relaxed);
    if UNRECEIPTED.fetch_add(pages, Ordering::Relaxed) + pages >= BATCH {
        // Dropped after the same grace period as the pages, or a later one.
        drop(RcuDrop::new(Receipt(UNRECEIPTED.swap(0, Ordering::Relaxed))));
    }
}

/// Represents pages that wait for a grace period; it is dropped at the end of that period.
struct Receipt(usize);

impl Drop for Receipt {
    fn drop(&mut self) {
        PENDING.fetch_sub(self.0, Ordering::Relaxed);
    }
}
