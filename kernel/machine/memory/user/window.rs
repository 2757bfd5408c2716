//! A window of looked-up pages, for copies at consecutive user addresses.
//!
//! OSTD copies user memory through the user's address with one `rep movsb`, which is slow for large pieces where the
//! processor does not accelerate it. Large pieces therefore go directly to the page. Looking up one page costs as much
//! as copying it, unless its neighbours are found in the same walk, and callers (pipes, files) copy page by page. So
//! the pages are kept from one piece to the next, and from one copy to a later one of the same buffer.
//!
//! Meanwhile they may become outdated: copy-on-write, munmap(2) or mprotect(2) may run on another CPU. Like a CPU's
//! TLB, the window uses what it looked up until it is invalidated:
//!
//! ```text
//! copy                                     change
//! read `changes` (n), look pages up
//!                                          change the page table
//! hold `changes`: still n → copy           add 1 to `changes`: waits for the copy
//! hold `changes`: n + 1 → look up again    go on: no copy uses the old page
//! ```
//!
//! Why: decision 0056.

use alloc::boxed::Box;

use ostd::mm::vm_space::VmQueriedItem;
use ostd::mm::{PageFlags, UFrame};
use ostd::task::disable_preempt;

use super::super::fault::Access;
use super::super::layout::{PAGE_SIZE, page_down, page_up};
use super::super::space::{AddressSpace, Lookup, PAGES};

/// The extent of a copy.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    /// Its first byte.
    pub(super) addr: usize,
    /// Its end.
    pub(super) end: usize,
    /// The end of the copies that will follow: pages up to here are looked up as well where that is cheap.
    pub(super) until: usize,
}

/// The looked-up pages of some part of a buffer.
pub(super) struct Window<'a> {
    space: &'a AddressSpace,
    access: Access,
    /// Allocated for the first large piece.
    lookup: Option<Box<Lookup>>,
}

impl<'a> Window<'a> {
    /// Makes an empty window.
    #[inline]
    pub(super) const fn new(space: &'a AddressSpace, access: Access) -> Self {
        Self { space, access, lookup: None }
    }

    /// Copies an extent with `copy`, until that copies less than it could, and returns how much was copied.
    ///
    /// `copy` gets a page, the offset in it, and the most bytes to copy.
    pub(super) fn copy(
        &mut self,
        Extent { addr, end, until }: Extent,
        mut copy: impl FnMut(&UFrame, usize, usize) -> usize,
    ) -> usize {
        if self.lookup.is_none() {
            self.lookup = self.space.table().take_lookup(addr, self.access);
        }
        let mut next = addr;
        while next < end {
            let offset = next % PAGE_SIZE;
            let len = (end - next).min(PAGE_SIZE - offset);
            match self.with_page(next - offset, |page| copy(page, offset, len)) {
                Some(copied) => {
                    next += copied;
                    if copied < len {
                        break;
                    }
                }
                None if self.look_up(next, until) => {}
                None => break,
            }
        }
        next - addr
    }

    /// Returns whether the page of `addr` was looked up; it may be outdated.
    pub(super) fn reaches(&self, addr: usize) -> bool {
        self.lookup.as_ref().is_some_and(|lookup| lookup.reaches(addr))
    }

    /// Calls `use_page` with the page at `page`, if it was looked up and is not outdated.
    fn with_page<R>(&self, page: usize, use_page: impl FnOnce(&UFrame) -> R) -> Option<R> {
        let lookup = self.lookup.as_ref()?;
        let frame = lookup.page(page)?;
        let changes = self.space.table().changes();
        (*changes == lookup.changes).then(|| use_page(frame))
    }

    /// Looks up the pages from `addr` on, after faulting in the first if necessary. Returns false if that fails.
    fn look_up(&mut self, addr: usize, until: usize) -> bool {
        let Self { space, access, .. } = *self;
        let start = page_down(addr);
        let end = page_up(until).unwrap_or(until).min(start + PAGES * PAGE_SIZE);
        let needed = if access == Access::Write { PageFlags::RW } else { PageFlags::R };
        let lookup = self.lookup.get_or_insert_with(|| Box::new(Lookup::new(access)));
        loop {
            lookup.pages.clear();
            if !is_reachable(space, addr) {
                return false;
            }
            (lookup.start, lookup.changes) = (start, *space.table().changes());
            let guard = disable_preempt();
            let Ok(mut cursor) = space.vm().cursor(&guard, &(start..end)) else { return false };
            for page in (start..end).step_by(PAGE_SIZE) {
                if cursor.jump(page).is_err() {
                    break;
                }
                let Ok((_, Some(VmQueriedItem::MappedRam { frame, prop }))) = cursor.query() else { break };
                if !prop.flags.contains(needed) {
                    break;
                }
                // The push fits: the range has no more pages than the window.
                let _ = lookup.pages.push((*frame).clone());
            }
            drop(cursor);
            if !lookup.pages.is_empty() {
                return true;
            }
            if space.fault(addr, access).is_err() {
                return false;
            }
        }
    }
}

impl Drop for Window<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(lookup) = self.lookup.take() {
            self.space.table().keep_lookup(lookup);
        }
    }
}

/// Returns whether `addr` is readable, after faulting it in where necessary.
///
/// Checked first, because looking up an unmapped address would build page tables for it.
fn is_reachable(space: &AddressSpace, addr: usize) -> bool {
    let word = addr & !(size_of::<u32>() - 1);
    space.vm().reader(word, size_of::<u32>()).is_ok_and(|reader| reader.atomic_load::<u32>().is_ok())
}
