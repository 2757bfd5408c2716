//! Pages behind consecutive user addresses, looked up together, and kept for the copies to come.
//!
//! Programs read into the same buffer and write from the same buffer again and again, and finding a page costs as
//! much as copying it.
//!
//! Owns: what was found, and which finds are kept.   Not here: finding, and copying (`user`).
//! Invariant: what is kept was not changed since it was found; who changes the page table forgets it ([`Kept::forget`]).
//! Why: decision 0056.

use alloc::boxed::Box;

use heapless::Vec;
use ostd::mm::UFrame;
use ostd::sync::SpinLock;

use super::super::fault::Access;
use super::super::layout::{PAGE_SIZE, page_down};

/// Pages that are looked up together: those of a buffer of 64 KiB wherever it begins, and as many again.
pub(in super::super) const PAGES: usize = 32;

/// Finds that an address space keeps: for a reading and a writing thread, and two more.
const KEPT: usize = 4;

/// Pages that were behind the addresses from `start` on when the table's count of changes was `changes`, and that
/// could be accessed so.
pub(in super::super) struct Lookup {
    pub(in super::super) start: usize,
    pub(in super::super) access: Access,
    pub(in super::super) pages: Vec<UFrame, PAGES>,
    pub(in super::super) changes: u64,
}

impl Lookup {
    /// Nothing.
    pub(in super::super) const fn new(access: Access) -> Self {
        Self { start: 0, access, pages: Vec::new(), changes: 0 }
    }

    /// The page at `page`, if it was looked up.
    pub(in super::super) fn page(&self, page: usize) -> Option<&UFrame> {
        self.pages.get(page.checked_sub(self.start)? / PAGE_SIZE)
    }

    /// Whether the page of `addr` was looked up.
    pub(in super::super) fn reaches(&self, addr: usize) -> bool {
        self.page(page_down(addr)).is_some()
    }
}

/// The finds of an address space, the latest last.
pub(super) struct Kept(SpinLock<Vec<Box<Lookup>, KEPT>>);

impl Kept {
    pub(super) const fn new() -> Self {
        Self(SpinLock::new(Vec::new()))
    }

    /// Takes out what is known of the page of `addr`.
    pub(super) fn take(&self, addr: usize, access: Access) -> Option<Box<Lookup>> {
        let mut kept = self.0.lock();
        let place = kept.iter().position(|lookup| lookup.access == access && lookup.reaches(addr))?;
        Some(kept.remove(place))
    }

    /// Keeps a find, in place of the oldest if there is no room.
    pub(super) fn give(&self, lookup: Box<Lookup>) {
        let mut kept = self.0.lock();
        let oldest = kept.is_full().then(|| kept.remove(0));
        // There is room now.
        let _ = kept.push(lookup);
        drop(kept);
        drop(oldest);
    }

    /// Lets go of everything.
    pub(super) fn forget(&self) {
        let old = core::mem::take(&mut *self.0.lock());
        drop(old);
    }
}
