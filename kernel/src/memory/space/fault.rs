//! Resolving a page fault.
//!
//! Nothing here sleeps: every page that can be mapped is in memory already or is made of zeroes.

use core::ops::Range;

use model::abi::mman::Prot;
use model::vma::{Area, Traits};
use ostd::mm::io::util::HasVmReaderWriter;
use ostd::mm::vm_space::{CursorMut, VmQueriedItem};
use ostd::mm::{PageFlags, UFrame};
use ostd::task::disable_preempt;

use super::super::budget;
use super::super::fault::{Access, FaultError};
use super::super::layout::{GUARD_GAP, PAGE_SIZE, TASK_SIZE, page_down};
use super::super::limits::Limits;
use super::super::pages::PageError;
use super::super::reclaim;
use super::residency::{LEAF_SIZE, leaf_of};
use super::{AddressSpace, Backing, State, table};

/// A fault on a file's page maps those of its neighbours in this window that are in memory.
const FILE_WINDOW: usize = 16 * PAGE_SIZE;
/// A fault that continues a run of anonymous pages makes this many at once.
const RUN: usize = 8 * PAGE_SIZE;
/// The page-table pages that a page may need, at most.
const TABLES: usize = 3 * PAGE_SIZE;

impl AddressSpace {
    /// Makes `access` to `addr` possible.
    ///
    /// Also succeeds if it was possible already: another CPU may have been faster.
    ///
    /// # Errors
    /// See [`FaultError`]; then nothing was changed that could be seen.
    pub fn fault(&self, addr: usize, access: Access) -> Result<(), FaultError> {
        let page = page_down(addr);
        if page >= TASK_SIZE {
            return Err(FaultError::NotMapped);
        }
        let mut state = self.state.lock();
        if state.areas.at(page).is_none() {
            state.grow_down_to(page, &self.limits)?;
        }
        let State { areas, residency, .. } = &mut *state;
        let area = areas.at_mut(page).ok_or(FaultError::NotMapped)?;
        if !permits(area.prot, access) {
            return Err(FaultError::Denied);
        }
        if !residency.has_table(page) {
            budget::try_reserve(TABLES).map_err(|_| FaultError::OutOfMemory)?;
        }
        let guard = disable_preempt();
        let window = window(area, page, access);
        let mut cursor = table::cursor(&self.vm, &guard, window.clone());
        let mut fault = Fault { area, page, access, window, mapped: 0 };
        let result = fault.resolve(&mut cursor);
        let mapped = fault.mapped;
        residency.add(page, mapped);
        result
    }
}

impl State {
    /// Lets the growing area above `page` reach down to it.
    fn grow_down_to(&mut self, page: usize, limits: &Limits) -> Result<(), FaultError> {
        let stack = self.areas.above(page).filter(|area| area.traits.contains(Traits::GROWS_DOWN));
        let stack = stack.ok_or(FaultError::NotMapped)?;
        let (start, grown) = (stack.start, stack.end - page);
        let below = self.areas.below(page);
        let clear = below.is_none_or(|below| {
            // Nobody can run into an area without access, or into another stack.
            page - below.end >= GUARD_GAP
                || below.prot.is_empty()
                || below.traits.contains(Traits::GROWS_DOWN)
        });
        let total = self.areas.total() + (start - page);
        if !clear || !Limits::allows(&limits.stack, grown) || !Limits::allows(&limits.address_space, total) {
            return Err(FaultError::NotMapped);
        }
        self.areas.grow_down(start, page);
        Ok(())
    }
}

/// One fault under the lock.
struct Fault<'a> {
    area: &'a mut Area<Backing>,
    page: usize,
    access: Access,
    window: Range<usize>,
    /// Pages that were absent and are mapped now.
    mapped: usize,
}

impl Fault<'_> {
    fn resolve(&mut self, cursor: &mut CursorMut<'_>) -> Result<(), FaultError> {
        jump(cursor, self.page);
        match query(cursor) {
            Some(VmQueriedItem::MappedRam { frame, prop }) => {
                if allows(prop.flags, self.access) {
                    return Ok(());
                }
                let shared = self.area.backing.is_shared();
                if self.access != Access::Write || shared || frame.reference_count() == 1 {
                    // Only the entry is behind the area, or nobody else can see the page any more.
                    let flags = table::flags(self.area.prot);
                    cursor.protect_next(PAGE_SIZE, |old, _| {
                        let writable = self.access == Access::Write || old.contains(PageFlags::W);
                        *old = flags;
                        old.set(PageFlags::W, flags.contains(PageFlags::W) && writable);
                    });
                    return Ok(());
                }
                let copy = copy_of(&frame)?;
                self.replace(cursor, copy);
                Ok(())
            }
            // No device memory is ever mapped.
            Some(VmQueriedItem::MappedIoMem { .. }) => Err(FaultError::Denied),
            None => match self.area.backing {
                Backing::Anonymous => self.fill_with_zeroes(cursor),
                Backing::Private { .. } | Backing::Shared { .. } => self.fill_from_pages(cursor),
            },
        }
    }

    /// Puts `copy` where a page shared with others is mapped.
    fn replace(&mut self, cursor: &mut CursorMut<'_>, copy: UFrame) {
        cursor.unmap(PAGE_SIZE);
        // Nobody may read the old page after somebody has written the new one.
        cursor.flusher().sync_tlb_flush();
        reclaim::note_unmapped(1);
        jump(cursor, self.page);
        cursor.map(copy, table::property(table::flags(self.area.prot)));
        self.area.traits |= Traits::OWN_PAGES;
    }

    fn fill_with_zeroes(&mut self, cursor: &mut CursorMut<'_>) -> Result<(), FaultError> {
        let property = table::property(table::flags(self.area.prot));
        self.area.traits |= Traits::OWN_PAGES;
        cursor.map(zeroes()?, property);
        self.mapped = 1;
        let before = self.page.wrapping_sub(PAGE_SIZE);
        if !self.window.contains(&before) {
            return Ok(());
        }
        jump(cursor, before);
        if query(cursor).is_none() {
            return Ok(());
        }
        // The page before was touched as well, so the next ones probably will be. This is only a guess:
        // it ends where something is in the way.
        for addr in (self.page + PAGE_SIZE..self.window.end).step_by(PAGE_SIZE) {
            jump(cursor, addr);
            if query(cursor).is_some() {
                break;
            }
            let Ok(page) = zeroes() else { break };
            cursor.map(page, property);
            self.mapped += 1;
        }
        Ok(())
    }

    fn fill_from_pages(&mut self, cursor: &mut CursorMut<'_>) -> Result<(), FaultError> {
        let start = self.area.start;
        let Some((pages, index)) = self.area.backing.page_at(self.page - start) else {
            return Err(FaultError::NotMapped);
        };
        let page = pages.page(index).map_err(|error| match error {
            PageError::BeyondEnd => FaultError::BeyondEnd,
            PageError::OutOfMemory => FaultError::OutOfMemory,
        })?;
        let mut flags = table::flags(self.area.prot);
        self.mapped = 1;
        if self.access == Access::Write && !self.area.backing.is_shared() {
            let copy = copy_of(&page).inspect_err(|_| self.mapped = 0)?;
            cursor.map(copy, table::property(flags));
            self.area.traits |= Traits::OWN_PAGES;
            return Ok(());
        }
        flags.set(PageFlags::W, flags.contains(PageFlags::W) && self.area.backing.is_shared());
        cursor.map(page, table::property(flags));
        for addr in self.window.clone().step_by(PAGE_SIZE) {
            jump(cursor, addr);
            if query(cursor).is_some() {
                continue;
            }
            let Some((pages, index)) = self.area.backing.page_at(addr - start) else { break };
            let Some(page) = pages.present_page(index) else { continue };
            cursor.map(page, table::property(flags));
            self.mapped += 1;
        }
        Ok(())
    }
}

/// The addresses that the fault may map something at, all in one leaf table.
fn window(area: &Area<Backing>, page: usize, access: Access) -> Range<usize> {
    let leaf = leaf_of(page);
    let (low, high) = match area.backing {
        Backing::Anonymous => (page.saturating_sub(PAGE_SIZE), page + RUN),
        Backing::Private { .. } if access == Access::Write => (page, page + PAGE_SIZE),
        Backing::Private { .. } | Backing::Shared { .. } => {
            let low = page - page % FILE_WINDOW;
            (low, low + FILE_WINDOW)
        }
    };
    low.max(area.start).max(leaf)..high.min(area.end).min(leaf + LEAF_SIZE)
}

fn permits(prot: Prot, access: Access) -> bool {
    match access {
        // What can be written or executed can be read: x86 knows no other pages.
        Access::Read => !prot.is_empty(),
        Access::Write => prot.contains(Prot::WRITE),
        Access::Execute => prot.contains(Prot::EXEC),
    }
}

fn allows(flags: PageFlags, access: Access) -> bool {
    flags.contains(match access {
        Access::Read => PageFlags::R,
        Access::Write => PageFlags::RW,
        Access::Execute => PageFlags::RX,
    })
}

fn zeroes() -> Result<UFrame, FaultError> {
    budget::zeroed_page().map_err(|_| FaultError::OutOfMemory)
}

fn copy_of(page: &UFrame) -> Result<UFrame, FaultError> {
    let copy = budget::uncleared_page().map_err(|_| FaultError::OutOfMemory)?;
    copy.writer().write(&mut page.reader());
    Ok(copy)
}

fn jump(cursor: &mut CursorMut<'_>, addr: usize) {
    cursor.jump(addr).expect("the address is in the cursor's window");
}

fn query<'a>(cursor: &'a mut CursorMut<'_>) -> Option<VmQueriedItem<'a>> {
    cursor.query().expect("the cursor is in its window").1
}
