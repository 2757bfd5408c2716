//! fork(2): a second address space with the same contents.
//!
//! Only pages that a fault could not find again are visited: written pages of private areas. Both spaces then share
//! them write-protected, and the first write copies. Pages of files and shared memory are mapped again by faults,
//! which map many at once.

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ostd::mm::vm_space::VmQueriedItem;
use ostd::mm::{PageFlags, VmSpace};
use ostd::sync::SpinLock;
use ostd::task::disable_preempt;
use rules::abi::errno::Errno;
use rules::machine::vma::{Area, Areas, Backing as _, Traits};

use super::super::budget;
use super::super::layout::PAGE_SIZE;
use super::recycle::{self, Empty};
use super::residency::{LEAF_SIZE, leaf_of};
use super::table::{self, Table};
use super::{AddressSpace, Backing, COST, State};

/// Kernel heap that an area takes at most, in bytes. Nodes of the tree may be half empty, and their slots in the heap, too;
/// 720 were measured.
const AREA_COST: usize = 768;

impl AddressSpace {
    /// Makes a copy of this address space for a child.
    ///
    /// # Errors
    /// `ENOMEM`: only the emergency reserve is left. The parent is unchanged.
    pub(crate) fn fork(&self) -> Result<Arc<Self>, Errno> {
        let grant = budget::grant(COST)?;
        let Empty { vm, residency } = recycle::take();
        let mut state = self.state.lock();
        let mut child = State { areas: Areas::default(), residency, heap: state.heap, lock_future: false };
        let State { areas, residency, .. } = &mut *state;
        drop(grant);
        // One page table for each of the parent's, and the levels above.
        let tables = 2 * residency.table_count() * PAGE_SIZE;
        let _grant = budget::grant(COST + tables + areas.count() * AREA_COST)?;
        let mut write_protected = None;
        child.areas = areas.inherited();
        for area in areas.iter().filter(|area| has_pages_to_share(area)) {
            for part in residency.populated(area.range()) {
                let shared = share(self.table.vm(), &vm, part.clone());
                child.residency.add(part.clone(), shared.pages);
                if shared.write_protected {
                    write_protected = Some(part);
                }
            }
        }
        if let Some(part) = write_protected {
            self.table.settle_all(part.start);
        }
        drop(state);
        Ok(Arc::new(Self {
            table: Table::new(vm),
            limits: self.limits.clone(),
            mmap_top: AtomicUsize::new(self.mmap_top.load(Ordering::Relaxed)),
            starved: AtomicBool::new(false),
            is_administrators: AtomicBool::new(self.is_administrators.load(Ordering::Relaxed)),
            state: SpinLock::new(child),
        }))
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
