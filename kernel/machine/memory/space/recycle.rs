//! Recycles the page tables of dropped address spaces.
//!
//! To take a table down, OSTD checks each of its 512 entries, which costs 14 000 instructions; building one clears a
//! page; the root costs 17 000 more. A small program has eight tables, but few pages, whose addresses are known. So
//! its pages are unmapped one by one, and the next program reuses the empty tables, which it needs at the same
//! addresses.
//!
//! Owns: the empty page tables.   Invariant: no page is mapped in any of them.
//! Memory: at most `KEPT` × (`TABLES_MAX` leaf tables + the upper ones for `BUILT_MAX`).

use alloc::sync::Arc;
use alloc::vec::Vec;

use ostd::mm::VmSpace;
use ostd::sync::SpinLock;
use ostd::task::disable_preempt;

use super::super::layout::TASK_SIZE;
use super::super::{budget, reclaim};
use super::residency::Residency;
use super::table;

/// The most page tables that are kept.
const KEPT: usize = 16;
/// With more leaf tables than this, taking them down is cheap for what it frees, and keeping them costs much memory.
const TABLES_MAX: usize = 16;
/// Upper-level tables are never taken down, so a page table that may have more of them than this is not kept.
const BUILT_MAX: usize = 64;
/// With more pages per leaf than this, unmapping them one by one costs more than taking the table down.
const PAGES_PER_LEAF: usize = 32;
/// With less memory available than this, nothing is kept.
const SCARCE_BYTES: usize = 16 << 20;

/// A leaf lock: under it, nothing is locked or dropped.
static POOL: SpinLock<Vec<Empty>> = SpinLock::new(Vec::new());

/// A page table that maps no page.
pub(super) struct Empty {
    pub(super) vm: Arc<VmSpace>,
    /// Which tables it has.
    pub(super) residency: Residency,
}

/// Returns an empty page table, recycled or new.
pub(super) fn take() -> Empty {
    let kept = POOL.lock().pop();
    kept.unwrap_or_else(|| Empty { vm: Arc::new(VmSpace::new()), residency: Residency::default() })
}

/// Unmaps everything and keeps the page table if that pays. No address space may use it any more, but it may still be
/// active on idle CPUs.
///
/// This does not wait for other CPUs, so it may be called wherever the last reference is dropped.
pub(super) fn give(mut empty: Empty) {
    let Empty { vm, residency } = &mut empty;
    let small = residency.table_count() <= TABLES_MAX
        && residency.pages() <= residency.table_count() * PAGES_PER_LEAF
        && residency.built() <= BUILT_MAX
        && budget::available() >= SCARCE_BYTES;
    if !small {
        // When `vm` is dropped, OSTD frees what is left at once, however long that takes.
        table::clear(vm, residency);
        return;
    }
    let parts: heapless::Vec<_, TABLES_MAX> = residency.populated(0..TASK_SIZE).take(TABLES_MAX).collect();
    for part in parts {
        let guard = disable_preempt();
        let pages = table::cursor(vm, &guard, part.clone()).unmap(part.len());
        residency.subtract(part.start, pages);
        reclaim::note_unmapped(pages);
    }
    residency.forget_peak();
    let mut pool = POOL.lock();
    if pool.len() < KEPT {
        pool.push(empty);
    }
}
