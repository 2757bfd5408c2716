//! fork(2): a second address space with the same contents.
//!
//! Only pages that a fault could not find again are visited: written pages of private areas. Both spaces then share
//! them write-protected, and the first write copies. Pages of files and shared memory are mapped again by faults,
//! which map many at once.
//!
//! The copy is made a stretch at a time. What other threads of the parent write meanwhile may or may not be in it, as
//! on any processor that does not flush its TLB for each page.

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ostd::mm::vm_space::VmQueriedItem;
use ostd::mm::{PageFlags, VmSpace};
use ostd::sync::{Mutex, SpinLock};
use ostd::task::disable_preempt;
use rules::abi::errno::Errno;
use rules::machine::vma::{Area, Backing as _, Traits};

use super::super::budget;
use super::super::layout::{PAGE_SIZE, TASK_SIZE};
use super::recycle::{self, Empty};
use super::residency::{LEAF_SIZE, Residency, leaf_of};
use super::table::{self, Table};
use super::{AddressSpace, Backing, COST, State};
use crate::machine::pause::{Killed, pause_unless_killed};

/// The work between two pauses, in the time that an area without pages takes; about 100 microseconds.
const STRETCH: usize = 384;
/// What sharing a page takes of it.
const PAGE: usize = 8;
/// What looking through a leaf table takes of it.
const LEAF: usize = 16;

/// Kernel heap that an area takes at most, in bytes. Nodes of the tree may be half empty, and their slots in the heap, too;
/// 720 were measured.
const AREA_COST: usize = 768;

impl AddressSpace {
    /// Makes a copy of this address space for a child.
    ///
    /// # Errors
    /// `ENOMEM`: only the emergency reserve is left. `EINTR`: the current thread must end. The parent is unchanged.
    pub(crate) fn fork(&self) -> Result<Arc<Self>, Errno> {
        let grant = budget::grant(COST)?;
        let Empty { vm, residency } = recycle::take();
        let _layout = self.layout.lock();
        drop(grant);
        let (mut child, _grant) = {
            let state = self.state.lock();
            // One page table for each of the parent's, and the levels above.
            let tables = 2 * state.residency.table_count() * PAGE_SIZE;
            let grant = budget::grant(COST + tables + state.areas.count() * AREA_COST)?;
            let areas = state.areas.inherited();
            (State { areas, residency, heap: state.heap, lock_future: false }, grant)
        };
        let mut write_protected = None;
        let mut next = 0;
        let shared = loop {
            next = {
                let state = self.state.lock();
                self.share_stretch(&state, next, &vm, &mut child.residency, &mut write_protected)
            };
            if next >= TASK_SIZE {
                break Ok(());
            }
            if let Err(killed) = pause_unless_killed() {
                break Err(killed);
            }
        };
        if let Some(start) = write_protected {
            let _state = self.state.lock();
            self.table.settle_all(start);
        }
        let table = Table::new(vm);
        let child = Arc::new(Self {
            table,
            limits: self.limits.clone(),
            mmap_top: AtomicUsize::new(self.mmap_top.load(Ordering::Relaxed)),
            starved: AtomicBool::new(false),
            is_administrators: AtomicBool::new(self.is_administrators.load(Ordering::Relaxed)),
            layout: Mutex::new(()),
            state: SpinLock::new(child),
        });
        shared.map_err(|Killed| Errno::EINTR)?;
        Ok(child)
    }

    /// Shares pages from `next` on with the page table `vm`, as many as take about 100 microseconds. Returns where to
    /// go on, and sets `write_protected` to where a page has lost its write permission.
    fn share_stretch(
        &self,
        state: &State,
        next: usize,
        vm: &VmSpace,
        residency: &mut Residency,
        write_protected: &mut Option<usize>,
    ) -> usize {
        let mut left = STRETCH;
        for area in state.areas.overlapping(next..TASK_SIZE) {
            let start = area.start.max(next);
            if left == 0 {
                return start;
            }
            left -= 1;
            if !has_pages_to_share(area) {
                continue;
            }
            for part in state.residency.populated(start..area.end) {
                let shared = share(self.table.vm(), vm, part.clone(), (left / PAGE).max(1));
                residency.add(part.start..shared.end, shared.pages);
                if shared.write_protected {
                    *write_protected = Some(part.start);
                }
                left = left.saturating_sub(LEAF + shared.pages * PAGE);
                if shared.end < part.end || left == 0 {
                    return shared.end;
                }
            }
        }
        TASK_SIZE
    }
}

/// Returns whether the area has pages that a fault in the child could not find.
fn has_pages_to_share(area: &Area<Backing>) -> bool {
    area.backing.is_private()
        && area.traits.contains(Traits::OWN_PAGES)
        && !area.traits.intersects(Traits::DONT_FORK | Traits::WIPE_ON_FORK)
}

/// The result of [`share`].
struct ShareResult {
    pages: usize,
    /// Up to where the pages are shared.
    end: usize,
    write_protected: bool,
}

/// Maps the first pages of `part`, which lies in one leaf table, in `child` as well, and write-protects them in both.
/// `most` is at least 1.
fn share(parent: &VmSpace, child: &VmSpace, part: Range<usize>, most: usize) -> ShareResult {
    debug_assert!(part.end <= leaf_of(part.start) + LEAF_SIZE);
    let guard = disable_preempt();
    let mut from = table::cursor(parent, &guard, part.clone());
    let mut to = table::cursor(child, &guard, part.clone());
    let mut shared = ShareResult { pages: 0, end: part.end, write_protected: false };
    let mut addr = part.start;
    while addr < part.end {
        if shared.pages == most {
            shared.end = addr;
            break;
        }
        from.jump(addr).expect("the address is in the range");
        let Ok((_, Some(VmQueriedItem::MappedRam { frame, prop }))) = from.query() else {
            match from.find_next(part.end - addr) {
                Some(next) => addr = next,
                None => break,
            }
            continue;
        };
        let (page, mut prop) = ((*frame).clone(), prop);
        if prop.flags.contains(PageFlags::W) {
            prop.flags -= PageFlags::W;
            from.protect_next(PAGE_SIZE, |flags, _| *flags -= PageFlags::W);
            shared.write_protected = true;
        }
        to.jump(addr).expect("both cursors have the same range");
        to.map(page, prop);
        shared.pages += 1;
        addr += PAGE_SIZE;
    }
    shared
}
