//! Page lookups for consecutive user addresses, cached for later copies.
//!
//! Programs read into and write from the same buffer again and again, and looking up a page costs as much as copying
//! it.
//!
//! Owns: cached lookups.   Not here: looking up, and copying (`user`).
//! Invariant: a cached lookup matches the page table; every change of the table drops the cache ([`Kept::forget`]).
//! Why: decision 0056.

use alloc::boxed::Box;

use heapless::Vec;
use ostd::mm::UFrame;
use ostd::sync::SpinLock;

use super::super::fault::Access;
use super::super::layout::{PAGE_SIZE, page_down};

/// Pages that are looked up together: those of a 64 KiB buffer at any address, and as many again.
pub(in super::super) const PAGES: usize = 32;

/// Lookups that an address space caches: for a reading and a writing thread, and two more.
const KEPT: usize = 4;

/// The pages behind the addresses from `start` on, when the table's change count was `changes`. They allowed the given
/// access.
pub(in super::super) struct Lookup {
    pub(in super::super) start: usize,
    pub(in super::super) access: Access,
    pub(in super::super) pages: Vec<UFrame, PAGES>,
    pub(in super::super) changes: u64,
}

impl Lookup {
    /// Makes an empty lookup.
    pub(in super::super) const fn new(access: Access) -> Self {
        Self { start: 0, access, pages: Vec::new(), changes: 0 }
    }

    /// Returns the page at address `page`, if it was looked up.
    pub(in super::super) fn page(&self, page: usize) -> Option<&UFrame> {
        self.pages.get(page.checked_sub(self.start)? / PAGE_SIZE)
    }

    /// Returns whether the page of `addr` was looked up.
    pub(in super::super) fn reaches(&self, addr: usize) -> bool {
        self.page(page_down(addr)).is_some()
    }
}

/// An address space's cached lookups, the latest last.
pub(super) struct Kept(SpinLock<Vec<Box<Lookup>, KEPT>>);

impl Kept {
    pub(super) const fn new() -> Self {
        Self(SpinLock::new(Vec::new()))
    }

    /// Removes and returns the cached lookup that has the page of `addr`.
    pub(super) fn take(&self, addr: usize, access: Access) -> Option<Box<Lookup>> {
        let mut kept = self.0.lock();
        let place = kept.iter().position(|lookup| lookup.access == access && lookup.reaches(addr))?;
        Some(kept.remove(place))
    }

    /// Caches a lookup, in place of the oldest if the cache is full.
    pub(super) fn give(&self, lookup: Box<Lookup>) {
        let mut kept = self.0.lock();
        let oldest = kept.is_full().then(|| kept.remove(0));
        // The push fits: an entry was removed if the cache was full.
        let _ = kept.push(lookup);
        drop(kept);
        drop(oldest);
    }

    /// Drops all cached lookups.
    pub(super) fn forget(&self) {
        let old = core::mem::take(&mut *self.0.lock());
        drop(old);
    }
}
