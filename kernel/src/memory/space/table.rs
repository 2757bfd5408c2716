//! Operations on ranges of the page table.
//!
//! Every change goes with the count in [`Residency`], and every loss of a permission is flushed from all
//! CPUs before the function returns: otherwise a thread on another CPU could still read through a stale
//! entry what its siblings have replaced.

use alloc::vec::Vec;
use core::ops::Range;

use model::abi::mman::Prot;
use ostd::mm::tlb::TlbFlushOp;
use ostd::mm::vm_space::{CursorMut, VmQueriedItem};
use ostd::mm::{CachePolicy, PageFlags, PageProperty, UFrame, VmSpace};
use ostd::task::{DisabledPreemptGuard, disable_preempt};

use super::super::layout::{PAGE_SIZE, TASK_SIZE};
use super::super::reclaim;
use super::residency::{LEAF_SIZE, Residency, leaf_of};

/// A cursor over `range`. Keep the range inside one leaf table where possible: then only that is locked.
pub(super) fn cursor<'a>(
    vm: &'a VmSpace,
    guard: &'a DisabledPreemptGuard,
    range: Range<usize>,
) -> CursorMut<'a> {
    // The only errors are ranges that are empty, misaligned or outside user space.
    vm.cursor_mut(guard, &range).expect("ranges of areas are page-aligned and in user space")
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

/// Unmaps the pages in `range`, which may start and end anywhere between pages.
pub(super) fn unmap(vm: &VmSpace, residency: &mut Residency, range: Range<usize>) {
    let first_whole = leaf_of(range.start + LEAF_SIZE - 1);
    let last_whole = leaf_of(range.end);
    if first_whole >= last_whole {
        // At most two leaves, none of them whole.
        let middle = first_whole.clamp(range.start, range.end);
        unmap_part(vm, residency, range.start..middle);
        unmap_part(vm, residency, middle..range.end);
    } else {
        unmap_part(vm, residency, range.start..first_whole);
        unmap_whole(vm, residency, first_whole..last_whole);
        unmap_part(vm, residency, last_whole..range.end);
    }
    for leaf in residency.take_idle() {
        take_down(vm, leaf..leaf + LEAF_SIZE, sync);
    }
}

/// Unmaps part of one leaf table, page by page.
fn unmap_part(vm: &VmSpace, residency: &mut Residency, range: Range<usize>) {
    let Some(part) = residency.populated(range).next() else { return };
    let guard = disable_preempt();
    let mut cursor = cursor(vm, &guard, part.clone());
    let pages = cursor.unmap(part.len());
    cursor.flusher().sync_tlb_flush();
    residency.subtract(part.start, pages);
    reclaim::note_unmapped(pages);
}

/// Unmaps whole leaf tables, and the tables with them.
fn unmap_whole(vm: &VmSpace, residency: &mut Residency, range: Range<usize>) {
    let Some(range) = residency.tables(range) else { return };
    let pages = take_down(vm, range.clone(), sync);
    residency.forget(range);
    reclaim::note_unmapped(pages);
}

/// Unmaps everything, with the tables, and does not wait for other CPUs.
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

/// Waits until no CPU uses what was unmapped.
fn sync(cursor: &mut CursorMut<'_>) {
    cursor.flusher().sync_tlb_flush();
}

/// Gives the pages in `range` the permissions of `prot`, but no permission to write that they had not:
/// only a fault can tell whether such a page must be copied first.
pub(super) fn protect(vm: &VmSpace, residency: &Residency, range: Range<usize>, prot: Prot) {
    let allowed = flags(prot);
    for part in residency.populated(range) {
        let guard = disable_preempt();
        let mut cursor = cursor(vm, &guard, part.clone());
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
            cursor.flusher().sync_tlb_flush();
        }
    }
}

/// Moves the pages of `from` to the same places behind `to`, where no page is.
pub(super) fn relocate(vm: &VmSpace, residency: &mut Residency, from: Range<usize>, to: usize) {
    let parts: Vec<_> = residency.populated(from.clone()).collect();
    for part in parts {
        let pages = take_out(vm, part.clone());
        residency.subtract(part.start, pages.len());
        let guard = disable_preempt();
        let mut pages = pages.into_iter().peekable();
        while let Some((first, ..)) = pages.peek() {
            // As many as go into one leaf table.
            let leaf = leaf_of(first - from.start + to);
            let mut cursor = cursor(vm, &guard, leaf..leaf + LEAF_SIZE);
            let inside = |addr: usize| leaf_of(addr - from.start + to) == leaf;
            let start = first - from.start + to;
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
fn take_out(vm: &VmSpace, part: Range<usize>) -> Vec<(usize, UFrame, PageFlags)> {
    let guard = disable_preempt();
    let mut cursor = cursor(vm, &guard, part.clone());
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
    // Before the pages get a second place: nobody may write through the first any more.
    cursor.flusher().sync_tlb_flush();
    pages
}
