//! The page table of an address space, and operations on ranges of it.
//!
//! Every change goes with the count in [`Residency`]. Whatever takes a page or a permission away ends with
//! [`Table::settle`]: from then on nobody reaches the page by what was true before, neither a CPU through its
//! translation buffer nor a copy of the kernel's through pages that it has looked up.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
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

/// OSTD's page table, and who still goes by what it was.
pub(in super::super) struct Table {
    /// Changing it is for the holder of the address space's lock only.
    vm: Arc<VmSpace>,
    /// How often something was taken away. A copy that uses pages looked up earlier holds it for reading
    /// meanwhile, and finds out whether they are still the right ones.
    changes: RwLock<u64>,
    lookups: Kept,
}

impl Table {
    pub(super) fn new(vm: Arc<VmSpace>) -> Self {
        Self { vm, changes: RwLock::new(0), lookups: Kept::new() }
    }

    /// OSTD's half.
    pub(in super::super) fn vm(&self) -> &Arc<VmSpace> {
        &self.vm
    }

    /// How often something was taken away. Nothing is as long as the guard lives; it must not live long, and
    /// user memory must not be touched meanwhile.
    pub(in super::super) fn changes(&self) -> RwLockReadGuard<'_, u64, PreemptDisabled> {
        self.changes.read()
    }

    /// Takes what an earlier copy has found out about the page of `addr`, which may not be true any more.
    pub(in super::super) fn take_lookup(&self, addr: usize, access: Access) -> Option<Box<Lookup>> {
        self.lookups.take(addr, access)
    }

    /// Keeps what a copy has found out, if it is still true.
    pub(in super::super) fn keep_lookup(&self, lookup: Box<Lookup>) {
        // Held until it is kept: who changes the table after this finds it there and drops it.
        let changes = self.changes();
        if *changes == lookup.changes && !lookup.pages.is_empty() {
            self.lookups.give(lookup);
        }
    }

    /// A cursor over `range`. Keep the range inside one leaf table where possible: then only that is locked.
    pub(super) fn cursor<'a>(
        &'a self,
        guard: &'a DisabledPreemptGuard,
        range: Range<usize>,
    ) -> CursorMut<'a> {
        cursor(&self.vm, guard, range)
    }

    /// Waits until nobody uses what the changes through `cursor` took away.
    pub(super) fn settle(&self, cursor: &mut CursorMut<'_>) {
        cursor.flusher().sync_tlb_flush();
        *self.changes.write() += 1;
        self.lookups.forget();
    }

    /// Flushes everything from all CPUs, once after many changes that did not.
    pub(super) fn settle_all(&self, somewhere: usize) {
        let guard = disable_preempt();
        let mut cursor = self.cursor(&guard, somewhere..somewhere + PAGE_SIZE);
        cursor.flusher().issue_tlb_flush(TlbFlushOp::for_all());
        cursor.flusher().dispatch_tlb_flush();
        self.settle(&mut cursor);
    }

    /// Unmaps the pages in `range`, which may start and end anywhere between pages.
    pub(super) fn unmap(&self, residency: &mut Residency, range: Range<usize>) {
        let first_whole = leaf_of(range.start + LEAF_SIZE - 1);
        let last_whole = leaf_of(range.end);
        if first_whole >= last_whole {
            // At most two leaves, none of them whole.
            let middle = first_whole.clamp(range.start, range.end);
            self.unmap_part(residency, range.start..middle);
            self.unmap_part(residency, middle..range.end);
        } else {
            self.unmap_part(residency, range.start..first_whole);
            self.unmap_whole(residency, first_whole..last_whole);
            self.unmap_part(residency, last_whole..range.end);
        }
        for leaf in residency.take_idle() {
            take_down(&self.vm, leaf..leaf_end(leaf), |_| ());
        }
    }

    /// Unmaps part of one leaf table, page by page.
    fn unmap_part(&self, residency: &mut Residency, range: Range<usize>) {
        let Some(part) = residency.populated(range).next() else { return };
        let guard = disable_preempt();
        let mut cursor = self.cursor(&guard, part.clone());
        let pages = cursor.unmap(part.len());
        self.settle(&mut cursor);
        residency.subtract(part.start, pages);
        reclaim::note_unmapped(pages);
    }

    /// Unmaps whole leaf tables, and the tables with them.
    fn unmap_whole(&self, residency: &mut Residency, range: Range<usize>) {
        let Some(range) = residency.tables(range) else { return };
        let pages = take_down(&self.vm, range.clone(), |cursor| self.settle(cursor));
        residency.forget(range);
        reclaim::note_unmapped(pages);
    }

    /// Gives the pages in `range` the permissions of `prot`, but no permission to write that they had not:
    /// only a fault can tell whether such a page must be copied first.
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

    /// Moves the pages of `from` to the same places behind `to`, where no page is.
    pub(super) fn relocate(&self, residency: &mut Residency, from: Range<usize>, to: usize) {
        let parts: Vec<_> = residency.populated(from.clone()).collect();
        for part in parts {
            let pages = self.take_out(part.clone());
            residency.subtract(part.start, pages.len());
            let guard = disable_preempt();
            let mut pages = pages.into_iter().peekable();
            while let Some((first, ..)) = pages.peek() {
                // As many as go into one leaf table.
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

    /// Unmaps the pages in `part` of a leaf table, and returns where and how they were mapped.
    fn take_out(&self, part: Range<usize>) -> Vec<(usize, UFrame, PageFlags)> {
        let guard = disable_preempt();
        let mut cursor = self.cursor(&guard, part.clone());
        let mut pages = Vec::new();
        while let Some(addr) = cursor.find_next(part.end - cursor.virt_addr()) {
            if let Ok((_, Some(VmQueriedItem::MappedRam { frame, prop }))) = cursor.query() {
                pages.push((addr, (*frame).clone(), prop.flags));
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

/// [`Table::cursor`] on a page table that may be nobody's.
pub(super) fn cursor<'a>(
    vm: &'a VmSpace,
    guard: &'a DisabledPreemptGuard,
    range: Range<usize>,
) -> CursorMut<'a> {
    // The only errors are ranges that are empty, misaligned or outside user space.
    vm.cursor_mut(guard, &range).expect("ranges of areas are page-aligned and in user space")
}

/// Unmaps everything in a page table that nobody uses any more, with the leaf tables.
pub(super) fn clear(vm: &VmSpace, residency: &mut Residency) {
    let Some(range) = residency.tables(0..TASK_SIZE) else { return };
    take_down(vm, range.clone(), |_| ());
    reclaim::note_unmapped(residency.pages());
    residency.forget(range);
}

/// Takes the leaf tables in `range` down; returns how many pages were mapped there.
fn take_down(vm: &VmSpace, range: Range<usize>, then: impl FnOnce(&mut CursorMut<'_>)) -> usize {
    let guard = disable_preempt();
    // A cursor inside one leaf table cannot take that table out, so it reaches one page into a neighbour.
    let reach = if range.start == 0 { 0..range.end + PAGE_SIZE } else { range.start - PAGE_SIZE..range.end };
    let mut cursor = cursor(vm, &guard, reach);
    cursor.jump(range.start).expect("the start is in the range");
    let pages = cursor.unmap(range.len());
    then(&mut cursor);
    pages
}

/// The flags of a page table entry in an area with `prot`.
///
/// Accessed and dirty are set at once: nobody here looks at them, and the processor would have to.
pub(super) fn flags(prot: Prot) -> PageFlags {
    let mut flags = PageFlags::ACCESSED | PageFlags::DIRTY;
    // x86 has no page that can be written or executed but not read, and neither has Linux.
    flags.set(PageFlags::R, !prot.is_empty());
    flags.set(PageFlags::W, prot.contains(Prot::WRITE));
    flags.set(PageFlags::X, prot.contains(Prot::EXEC));
    flags
}

/// A page table entry's property.
pub(super) fn property(flags: PageFlags) -> PageProperty {
    PageProperty::new_user(flags, CachePolicy::Writeback)
}
