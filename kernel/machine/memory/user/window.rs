//! Pages behind consecutive user addresses, looked up together and used one by one.
//!
//! OSTD copies user memory through the user's own addresses with one `rep movsb`, which is slow for large
//! pieces where the processor does not accelerate it. Large ones therefore go to the page itself. Finding
//! it costs as much as copying it, unless the neighbours are found in the same walk; and the caller (a pipe,
//! a file) brings its bytes page by page. So the pages are kept from one piece to the next, and from one copy to the
//! next that has to do with them.
//!
//! In between they may stop being the right ones: copy-on-write, munmap(2) or mprotect(2) may run on another
//! CPU. As a CPU's translation buffer does, the window goes by what it looked up until it is told:
//!
//! ```text
//! copy                                     change
//! read `changes` (n), look pages up
//!                                          change the page table
//! hold `changes`: still n → copy           add 1 to `changes`: waits for the copy
//! hold `changes`: n + 1 → look up again    go on: nobody uses the old page
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

/// What a copy is about.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    /// The first byte.
    pub(super) addr: usize,
    /// The end of what is copied now.
    pub(super) end: usize,
    /// The end of what is copied soon: pages up to here are looked up as well where that costs little.
    pub(super) until: usize,
}

/// The pages behind some part of a buffer.
pub(super) struct Window<'a> {
    space: &'a AddressSpace,
    access: Access,
    /// Had when the first large piece comes.
    lookup: Option<Box<Lookup>>,
}

impl<'a> Window<'a> {
    /// On no page yet.
    #[inline]
    pub(super) const fn new(space: &'a AddressSpace, access: Access) -> Self {
        Self { space, access, lookup: None }
    }

    /// Copies an extent with `copy`, until that copies less than it was given, and returns how much was
    /// copied.
    ///
    /// `copy` gets a page, and where in it to begin and how much to copy at most.
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

    /// Whether the page of `addr` has been looked up; it may not be the right one any more.
    pub(super) fn reaches(&self, addr: usize) -> bool {
        self.lookup.as_ref().is_some_and(|lookup| lookup.reaches(addr))
    }

    /// Hands out the page at `page`, if it was looked up and is still the right one.
    fn with_page<R>(&self, page: usize, use_page: impl FnOnce(&UFrame) -> R) -> Option<R> {
        let lookup = self.lookup.as_ref()?;
        let frame = lookup.page(page)?;
        let changes = self.space.table().changes();
        (*changes == lookup.changes).then(|| use_page(frame))
    }

    /// Looks up the pages from `addr` on, after faulting the first in if necessary. False if it cannot be had.
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
                // There is room: the range has no more pages.
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

/// Whether `addr` is mapped and readable, after faulting it in where necessary.
///
/// Asked first because looking up an address that is not mapped would build page tables for it.
fn is_reachable(space: &AddressSpace, addr: usize) -> bool {
    let word = addr & !(size_of::<u32>() - 1);
    space.vm().reader(word, size_of::<u32>()).is_ok_and(|reader| reader.atomic_load::<u32>().is_ok())
}
