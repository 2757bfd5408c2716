//! The page table of an address space, and operations on ranges of it.
//!
//! Every change updates [`Residency`] as well. An operation that removes a page or a permission ends with
//! [`Table::settle`]: afterwards the old state is used neither by a CPU's TLB nor by a copy of the kernel through
//! pages that it looked up.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::Range;

use ostd::mm::tlb::TlbFlushOp;
use ostd::mm::vm_space::{CursorMut, VmQueriedItem};
use ostd::mm::{CachePolicy, PageFlags, PageProperty, UFrame, VmSpace};
use ostd::sync::{PreemptDisabled, RwLock, RwLockReadGuard};
use ostd::task::{DisabledPreemptGuard, disable_preempt};
use rules::machine::abi::mman::Prot;

use super::super::fault::Access;
use super::super::layout::{PAGE_SIZE, TASK_SIZE};
use super::super::reclaim;
use super::lookup::{Kept, Lookup};
use super::residency::{LEAF_SIZE, Residency, leaf_end, leaf_of};
use crate::machine::pause::pause;

/// How many pages are unmapped at once where they are unmapped one by one.
const PIECE: usize = 64;

/// OSTD's page table, and what other CPUs and copies still know of its older states.
pub(in super::super) struct Table {
    /// Changed only by the holder of the address space's lock.
    vm: Arc<VmSpace>,
    /// Counts removals of pages and permissions. A copy with pages from an earlier lookup holds it for reading and
    /// checks that the count is unchanged.
    changes: RwLock<u64>,
    lookups: Kept,
}

impl Table {
    pub(super) fn new(vm: Arc<VmSpace>) -> Self {
        Self { vm, changes: RwLock::new(0), lookups: Kept::new() }
    }

    /// Returns OSTD's page table object.
    pub(in super::super) fn vm(&self) -> &Arc<VmSpace> {
        &self.vm
    }

    /// Returns the change count. While the guard lives, no page or permission can be removed; the caller must drop it
    /// soon and must not touch user memory before.
    pub(in super::super) fn changes(&self) -> RwLockReadGuard<'_, u64, PreemptDisabled> {
        self.changes.read()
    }

    /// Takes an earlier lookup of the page of `addr`, which may be outdated.
    pub(in super::super) fn take_lookup(&self, addr: usize, access: Access) -> Option<Box<Lookup>> {
        self.lookups.take(addr, access)
    }

    /// Caches a lookup for later copies, if it is still valid.
    pub(in super::super) fn keep_lookup(&self, lookup: Box<Lookup>) {
        // Held until the lookup is cached: a later change finds it there and drops it.
        let changes = self.changes();
        if *changes == lookup.changes && !lookup.pages.is_empty() {
            self.lookups.give(lookup);
        }
    }

    /// Returns a cursor over `range`. If the range lies inside one leaf table, only that table is locked.
    pub(super) fn cursor<'a>(
        &'a self,
        guard: &'a DisabledPreemptGuard,
        range: Range<usize>,
    ) -> CursorMut<'a> {
        cursor(&self.vm, guard, range)
    }

    /// Waits until no CPU and no copy uses what the changes through `cursor` removed.
    pub(super) fn settle(&self, cursor: &mut CursorMut<'_>) {
        cursor.flusher().sync_tlb_flush();
        *self.changes.write() += 1;
        self.lookups.forget();
    }

    /// Flushes the TLBs of all CPUs, once after many changes that did not flush.
    pub(super) fn settle_all(&self, somewhere: usize) {
        let guard = disable_preempt();
        let mut cursor = self.cursor(&guard, somewhere..somewhere + PAGE_SIZE);
        cursor.flusher().issue_tlb_flush(TlbFlushOp::for_all());
        cursor.flusher().dispatch_tlb_flush();
        self.settle(&mut cursor);
    }

    /// Unmaps the pages in `range`, which must be page-aligned.
    pub(super) fn unmap(&self, residency: &mut Residency, range: Range<usize>) {
        let idle = range.clone();
        let first_whole = leaf_of(range.start + LEAF_SIZE - 1);
        let last_whole = leaf_of(range.end);
        if first_whole >= last_whole {
            // At most two leaves, neither of them whole.
            let middle = first_whole.clamp(range.start, range.end);
            self.unmap_part(residency, range.start..middle);
            self.unmap_part(residency, middle..range.end);
        } else {
            self.unmap_part(residency, range.start..first_whole);
            self.unmap_whole(residency, first_whole..last_whole);
            self.unmap_part(residency, last_whole..range.end);
        }
        loop {
            let taken = residency.take_idle(idle.clone());
            for leaf in &taken {
                take_down(&self.vm, *leaf..leaf_end(*leaf), |_| ());
            }
            if !taken.is_full() {
                return;
            }
        }
    }

    /// Unmaps part of one leaf table, page by page.
    fn unmap_part(&self, residency: &mut Residency, range: Range<usize>) {
        let Some(part) = residency.populated(range).next() else { return };
        let guard = disable_preempt();
        let mut cursor = self.cursor(&guard, part.clone());
        let mut pages = 0;
        while cursor.virt_addr() < part.end {
            // Until a change is settled, OSTD keeps a list of what was unmapped, in one piece.
            let rest = part.end - cursor.virt_addr();
            pages += cursor.unmap(rest.min(PIECE * PAGE_SIZE));
            self.settle(&mut cursor);
        }
        residency.subtract(part.start, pages);
        reclaim::note_unmapped(pages);
    }

    /// Unmaps whole leaf tables and frees the tables as well.
    fn unmap_whole(&self, residency: &mut Residency, range: Range<usize>) {
        let Some(range) = residency.tables(range) else { return };
        let pages = take_down(&self.vm, range.clone(), |cursor| self.settle(cursor));
        residency.forget(range);
        reclaim::note_unmapped(pages);
    }

    /// Sets the permissions of the pages in `range` to `prot`, but adds no write permission: only a fault can tell
    /// whether a page must be copied first.
    pub(super) fn protect(&self, residency: &Residency, range: Range<usize>, prot: Prot) {
        let allowed = flags(prot);
        for part in residency.populated(range) {
            let guard = disable_preempt();
            let mut cursor = self.cursor(&guard, part.clone());
            let mut lost = false;
            while cursor
                .protect_next(part.end - cursor.virt_addr(), |flags, _| {
                    let mut new = allowed;
                    new.set(PageFlags::W, allowed.contains(PageFlags::W) && flags.contains(PageFlags::W));
                    lost |= !new.contains(*flags & PageFlags::RWX);
                    *flags = new;
                })
                .is_some()
            {}
            if lost {
                cursor.flusher().issue_tlb_flush(TlbFlushOp::for_range(part));
                cursor.flusher().dispatch_tlb_flush();
                self.settle(&mut cursor);
            }
        }
    }

    /// Moves the pages of `from` to the same offsets behind `to`, where nothing is mapped.
    pub(super) fn relocate(&self, residency: &mut Residency, from: Range<usize>, to: usize) {
        let mut rest = from.clone();
        loop {
            let Some(part) = residency.populated(rest.clone()).next() else { break };
            let part = part.start..part.end.min(part.start + PIECE * PAGE_SIZE);
            rest.start = part.end;
            let pages = self.take_out(part.clone());
            residency.subtract(part.start, pages.len());
            let guard = disable_preempt();
            let mut pages = pages.into_iter().peekable();
            while let Some((first, ..)) = pages.peek() {
                // As many as fit into one leaf table.
                let start = first - from.start + to;
                let leaf = leaf_of(start);
                let mut cursor = self.cursor(&guard, leaf..leaf_end(leaf));
                let inside = |addr: usize| leaf_of(addr - from.start + to) == leaf;
                let mut count = 0;
                while let Some((addr, page, flags)) = pages.next_if(|(addr, ..)| inside(*addr)) {
                    cursor.jump(addr - from.start + to).expect("the address is in the leaf");
                    cursor.map(page, property(flags));
                    count += 1;
                }
                residency.add(start..cursor.virt_addr(), count);
            }
        }
    }

    /// Unmaps the pages in `part`, at most [`PIECE`], and returns their addresses and flags.
    fn take_out(&self, part: Range<usize>) -> heapless::Vec<(usize, UFrame, PageFlags), PIECE> {
        let guard = disable_preempt();
        let mut cursor = self.cursor(&guard, part.clone());
        let mut pages = heapless::Vec::new();
        while let Some(addr) = cursor.find_next(part.end - cursor.virt_addr()) {
            if let Ok((_, Some(VmQueriedItem::MappedRam { frame, prop }))) = cursor.query() {
                // There is room for one in each place.
                let _ = pages.push((addr, (*frame).clone(), prop.flags));
            }
            if cursor.jump(addr + PAGE_SIZE).is_err() {
                break;
            }
        }
        cursor.jump(part.start).expect("the start is in the range");
        cursor.unmap(part.len());
        self.settle(&mut cursor);
        pages
    }
}

/// Returns a cursor as [`Table::cursor`] does, on a page table without an address space.
pub(super) fn cursor<'a>(
    vm: &'a VmSpace,
    guard: &'a DisabledPreemptGuard,
    range: Range<usize>,
) -> CursorMut<'a> {
    // The only errors are ranges that are empty, misaligned or outside user space.
    vm.cursor_mut(guard, &range).expect("ranges of areas are page-aligned and in user space")
}

/// Unmaps everything in a page table that is no longer used, and frees its leaf tables. Pauses now and then, where
/// the caller holds no spin lock.
pub(super) fn clear(vm: &VmSpace, residency: &mut Residency) {
    /// As many as take 100 microseconds.
    const PAGES: usize = 32;
    loop {
        let Some(part) = residency.populated(0..TASK_SIZE).next() else { break };
        for start in part.clone().step_by(PAGES * PAGE_SIZE) {
            let guard = disable_preempt();
            let part = start..part.end.min(start + PAGES * PAGE_SIZE);
            let pages = cursor(vm, &guard, part.clone()).unmap(part.len());
            residency.subtract(part.start, pages);
            reclaim::note_unmapped(pages);
            drop(guard);
            pause();
        }
        let leaf = leaf_of(part.start);
        take_down(vm, leaf..leaf_end(leaf), |_| ());
        residency.forget(leaf..leaf_end(leaf));
    }
}

/// Frees the leaf tables in `range`; returns how many pages were mapped there.
fn take_down(vm: &VmSpace, range: Range<usize>, then: impl FnOnce(&mut CursorMut<'_>)) -> usize {
    let guard = disable_preempt();
    // OSTD frees a leaf table only through a cursor that reaches beyond it, so it covers one page of a neighbour.
    let reach = if range.start == 0 { 0..range.end + PAGE_SIZE } else { range.start - PAGE_SIZE..range.end };
    let mut cursor = cursor(vm, &guard, reach);
    cursor.jump(range.start).expect("the start is in the range");
    let pages = cursor.unmap(range.len());
    then(&mut cursor);
    pages
}

/// Returns the flags of a page table entry in an area with `prot`.
///
/// Accessed and dirty are set from the start: nothing reads them here, and the processor would spend time on setting
/// them.
pub(super) fn flags(prot: Prot) -> PageFlags {
    let mut flags = PageFlags::ACCESSED | PageFlags::DIRTY;
    // Neither x86 nor Linux has pages that can be written or executed but not read.
    flags.set(PageFlags::R, !prot.is_empty());
    flags.set(PageFlags::W, prot.contains(Prot::WRITE));
    flags.set(PageFlags::X, prot.contains(Prot::EXEC));
    flags
}

/// Makes a page table entry's property.
pub(super) fn property(flags: PageFlags) -> PageProperty {
    PageProperty::new_user(flags, CachePolicy::Writeback)
}
