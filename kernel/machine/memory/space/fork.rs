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
use super::residency::{LEAF_SIZE, leaf_of};
use super::table::{self, Table};
use super::{AddressSpace, Backing, COST, State};
use crate::machine::pause::{Killed, is_killed};

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
        let shared = self.for_each_stretch(0..TASK_SIZE, |state, stretch| {
            let State { areas, residency, .. } = state;
            for area in areas.overlapping(stretch.clone()).filter(|area| has_pages_to_share(area)) {
                let range = area.start.max(stretch.start)..area.end.min(stretch.end);
                for part in residency.populated(range) {
                    let shared = share(self.table.vm(), &vm, part.clone());
                    child.residency.add(part.clone(), shared.pages);
                    if shared.write_protected {
                        write_protected = Some(part);
                    }
                }
            }
            is_killed()
        });
        if let Some(part) = write_protected {
            let _state = self.state.lock();
            self.table.settle_all(part.start);
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
    write_protected: bool,
}

/// Maps the pages of `part`, which lies in one leaf table, in `child` as well, and write-protects them in both.
fn share(parent: &VmSpace, child: &VmSpace, part: Range<usize>) -> ShareResult {
    debug_assert!(part.end <= leaf_of(part.start) + LEAF_SIZE);
    let guard = disable_preempt();
    let mut from = table::cursor(parent, &guard, part.clone());
    let mut to = table::cursor(child, &guard, part.clone());
    let mut shared = ShareResult { pages: 0, write_protected: false };
    let mut addr = part.start;
    while addr < part.end {
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
