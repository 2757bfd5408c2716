//! How much unmapped memory still waits to become free.
//!
//! OSTD frees an unmapped page only after every CPU has switched tasks since (an RCU grace period). A
//! task that runs alone never switches, so somebody must make it: the scheduler asks
//! [`wants_quiesce`] where it is cheap to ask, and switches to a task that does nothing.
//!
//! Owns: the count.   Not here: the switching (task).

use core::sync::atomic::{AtomicUsize, Ordering};

use ostd::sync::RcuDrop;

use super::{budget, layout::PAGE_SIZE};

/// Pages unmapped and not yet seen to be free.
static PENDING: AtomicUsize = AtomicUsize::new(0);
/// The part of `PENDING` that no receipt stands for yet.
static UNRECEIPTED: AtomicUsize = AtomicUsize::new(0);

/// Pages that one receipt stands for at least: it costs an allocation.
const BATCH: usize = 64;
/// Pages that may wait while memory is plentiful (4 MiB).
const PLENTY: usize = 1024;
/// Less than this available is not plentiful.
const SCARCE_BYTES: usize = 16 << 20;

/// Whether a task switch on every CPU would free memory that is worth it.
#[must_use]
pub(crate) fn wants_quiesce() -> bool {
    let pending = PENDING.load(Ordering::Relaxed);
    pending >= PLENTY || (pending > 0 && budget::available() < SCARCE_BYTES)
}

/// Bytes that a task switch on every CPU would free.
#[must_use]
pub(crate) fn pending() -> usize {
    PENDING.load(Ordering::Relaxed) * PAGE_SIZE
}

/// Notes that `pages` were unmapped and will be free after a grace period.
pub(super) fn note_unmapped(pages: usize) {
    PENDING.fetch_add(pages, Ordering::Relaxed);
    if UNRECEIPTED.fetch_add(pages, Ordering::Relaxed) + pages >= BATCH {
        // Dropped after the same grace period as the pages, or a later one.
        drop(RcuDrop::new(Receipt(UNRECEIPTED.swap(0, Ordering::Relaxed))));
    }
}

/// Stands for pages that wait for the same grace period; its end is theirs.
struct Receipt(usize);

impl Drop for Receipt {
    fn drop(&mut self) {
        PENDING.fetch_sub(self.0, Ordering::Relaxed);
    }
}
