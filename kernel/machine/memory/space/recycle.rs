//! Page tables of address spaces that are gone, kept for those to come.
//!
//! Taking a table down makes OSTD look at each of its 512 entries, 14 000 instructions, and building one
//! clears a page; the root costs 17 000 more. A small program has eight tables. Its pages, though, are few and
//! known, so they are unmapped one by one and the empty tables serve the next program, which needs them
//! at the same addresses.
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

/// Page tables that are kept.
const KEPT: usize = 16;
/// With more leaf tables, taking down is cheap for what it frees, and keeping is dear.
const TABLES_MAX: usize = 16;
/// Tables of the upper levels are never taken down; a page table that may have too many is not kept.
const BUILT_MAX: usize = 64;
/// With more pages than this for each leaf, unmapping them one by one costs more than taking down.
const PAGES_PER_LEAF: usize = 32;
/// With less available, memory is of more use than time.
const SCARCE_BYTES: usize = 16 << 20;

/// A leaf lock: nothing is locked or dropped under it.
static POOL: SpinLock<Vec<Empty>> = SpinLock::new(Vec::new());

/// A page table without pages.
pub(super) struct Empty {
    pub(super) vm: Arc<VmSpace>,
    /// What tables it has.
    pub(super) residency: Residency,
}

/// An empty page table, old or new.
pub(super) fn take() -> Empty {
    let kept = POOL.lock().pop();
    kept.unwrap_or_else(|| Empty { vm: Arc::new(VmSpace::new()), residency: Residency::default() })
}

/// Unmaps everything and keeps the page table if that is worth it. Nobody may use it any more, but CPUs that
/// have become idle since may still have it active.
///
/// Does not wait for other CPUs, so it may be called wherever the last owner happens to go.
pub(super) fn give(mut empty: Empty) {
    let Empty { vm, residency } = &mut empty;
    let small = residency.table_count() <= TABLES_MAX
        && residency.pages() <= residency.table_count() * PAGES_PER_LEAF
        && residency.built() <= BUILT_MAX
        && budget::available() >= SCARCE_BYTES;
    if !small {
        // What no CPU has active goes as a whole when `vm` is dropped.
        if Arc::strong_count(vm) > 1 {
            table::clear(vm, residency);
        }
        return;
    }
    let parts: Vec<_> = residency.populated(0..TASK_SIZE).collect();
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
