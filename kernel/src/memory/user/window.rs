//! Pages behind consecutive user addresses, looked up together and used one by one.
//!
//! OSTD copies user memory through the user's own addresses with one `rep movsb`, which is slow for large
//! pieces where the processor does not accelerate it. Large ones therefore go to the page itself. Finding
//! it costs as much as copying it, unless the neighbours are found in the same walk; and the caller (a pipe,
//! a file) brings its bytes page by page. So the pages are kept from one piece to the next.
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

use heapless::Vec;
use ostd::mm::vm_space::VmQueriedItem;
use ostd::mm::{PageFlags, UFrame};
use ostd::task::disable_preempt;

use super::super::fault::Access;
use super::super::layout::{PAGE_SIZE, page_down, page_up};
use super::super::space::AddressSpace;

/// Pages that are looked up together.
const PAGES: usize = 16;

/// Pages that were behind the addresses from `start` on when `changes` was read.
pub(super) struct Window {
    start: usize,
    pages: Vec<UFrame, PAGES>,
    changes: u64,
}

/// The clone looks for itself.
impl Clone for Window {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

impl Window {
    /// Nothing.
    fn new() -> Self {
        Self { start: 0, pages: Vec::new(), changes: 0 }
    }

    /// Copies `addr..end` with `copy`, until that copies less than it was given, and returns how much was
    /// copied.
    ///
    /// `copy` gets a page, and where in it to begin and how much to copy at most. Pages up to `until` are looked
    /// up as well where it costs little.
    pub(super) fn copy(
        &mut self,
        space: &AddressSpace,
        (addr, end, until): (usize, usize, usize),
        access: Access,
        mut copy: impl FnMut(&UFrame, usize, usize) -> usize,
    ) -> usize {
        let mut next = addr;
        while next < end {
            let offset = next % PAGE_SIZE;
            let len = (end - next).min(PAGE_SIZE - offset);
            match self.with_page(space, next - offset, |page| copy(page, offset, len)) {
                Some(copied) => {
                    next += copied;
                    if copied < len {
                        break;
                    }
                }
                None if self.look_up(space, next, until, access) => {}
                None => break,
            }
        }
        next - addr
    }

    /// Whether the page of `addr` has been looked up; it may not be the right one any more.
    pub(super) fn reaches(&self, addr: usize) -> bool {
        self.slot(page_down(addr)).is_some()
    }

    fn slot(&self, page: usize) -> Option<&UFrame> {
        self.pages.get(page.checked_sub(self.start)? / PAGE_SIZE)
    }

    /// Hands out the page at `page`, if it was looked up and is still the right one.
    fn with_page<R>(
        &self,
        space: &AddressSpace,
        page: usize,
        use_page: impl FnOnce(&UFrame) -> R,
    ) -> Option<R> {
        let frame = self.slot(page)?;
        let changes = space.table().changes();
        (*changes == self.changes).then(|| use_page(frame))
    }

    /// Looks up the pages from `addr` on, after faulting the first in if necessary. False if it cannot be had.
    fn look_up(&mut self, space: &AddressSpace, addr: usize, until: usize, access: Access) -> bool {
        let start = page_down(addr);
        let end = page_up(until).unwrap_or(until).min(start + PAGES * PAGE_SIZE);
        let needed = if access == Access::Write { PageFlags::RW } else { PageFlags::R };
        loop {
            if !is_reachable(space, addr) {
                return false;
            }
            *self = Self { start, changes: *space.table().changes(), ..Self::new() };
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
                let _ = self.pages.push((*frame).clone());
            }
            drop(cursor);
            if !self.pages.is_empty() {
                return true;
            }
            if space.fault(addr, access).is_err() {
                return false;
            }
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
