//! Resolves page faults.
//!
//! Nothing here sleeps: every page is either in memory or zero-filled.

use core::ops::Range;

use ostd::mm::io::util::HasVmReaderWriter;
use ostd::mm::vm_space::{CursorMut, VmQueriedItem};
use ostd::mm::{PageFlags, UFrame};
use ostd::task::disable_preempt;
use rules::machine::abi::mman::Prot;
use rules::machine::vma::{Area, Areas, Traits};

use super::super::budget;
use super::super::fault::{Access, FaultError};
use super::super::layout::{GUARD_GAP, PAGE_SIZE, TASK_SIZE, page_down};
use super::super::limits::Limits;
use super::super::pages::PageError;
use super::super::reclaim;
use super::residency::{LEAF_SIZE, LeafMut, leaf_of};
use super::table::{self, Table};
use super::{AddressSpace, Backing, State};

/// A fault on a file's page also maps the pages in this window that are in memory. The window is small, because
/// mapping and later unmapping a page costs a fifth of a fault, and fork(2) copies what is mapped.
const FILE_WINDOW: usize = 4 * PAGE_SIZE;
/// Size of the window when a fault continues a run of a file's pages.
const FILE_RUN: usize = 8 * PAGE_SIZE;
/// Bytes of anonymous memory that a fault populates when it continues a run.
const RUN: usize = 8 * PAGE_SIZE;
/// Memory for page tables that mapping one page may need at most.
const TABLES: usize = 3 * PAGE_SIZE;

impl AddressSpace {
    /// Makes `access` to `addr` possible.
    ///
    /// Also succeeds if it already was: another CPU may have resolved the same fault first.
    ///
    /// # Errors
    /// See [`FaultError`]; nothing visible was changed.
    pub(crate) fn fault(&self, addr: usize, access: Access) -> Result<(), FaultError> {
        let page = page_down(addr);
        if page >= TASK_SIZE {
            return Err(FaultError::NotMapped);
        }
        let mut state = self.state.lock();
        let State { areas, residency, .. } = &mut *state;
        let area = match areas.at_mut(page) {
            Some(area) => area,
            None => {
                grow_down_to(areas, page, &self.limits)?;
                areas.at_mut(page).ok_or(FaultError::NotMapped)?
            }
        };
        if !permits(area.prot, access) {
            return Err(FaultError::Denied);
        }
        // Held until the tables are built.
        let mut tables = None;
        let leaf = residency.leaf(page, || budget::hold(TABLES).map(|held| tables = Some(held)));
        let leaf = leaf.map_err(|_| FaultError::OutOfMemory)?;
        let guard = disable_preempt();
        let window = window(area, page, access);
        let mut cursor = self.table.cursor(&guard, window.clone());
        Fault { table: &self.table, area, leaf, page, access, window }.resolve(&mut cursor)
    }
}

/// Grows the area above `page` down to it, if that area grows down.
fn grow_down_to(areas: &mut Areas<Backing>, page: usize, limits: &Limits) -> Result<(), FaultError> {
    let stack = areas.above(page).filter(|area| area.traits.contains(Traits::GROWS_DOWN));
    let stack = stack.ok_or(FaultError::NotMapped)?;
    let (start, grown) = (stack.start, stack.end - page);
    let clear = areas.below(page).is_none_or(|below| {
        // A program cannot run from one stack into another; an area without access is a guard itself.
        page - below.end >= GUARD_GAP || below.prot.is_empty() || below.traits.contains(Traits::GROWS_DOWN)
    });
    let total = areas.total() + (start - page);
    if !clear || !Limits::allows(&limits.stack, grown) || !Limits::allows(&limits.address_space, total) {
        return Err(FaultError::NotMapped);
    }
    areas.grow_down(start, page);
    Ok(())
}

/// A fault while it is resolved under the lock.
struct Fault<'a> {
    table: &'a Table,
    area: &'a mut Area<Backing>,
    leaf: LeafMut<'a>,
    page: usize,
    access: Access,
    window: Range<usize>,
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
                    // Only the entry is outdated, or the page is no longer shared.
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
            // Device memory is never mapped into user space.
            Some(VmQueriedItem::MappedIoMem { .. }) => Err(FaultError::Denied),
            None => match self.area.backing {
                Backing::Anonymous => self.fill_with_zeroes(cursor),
                Backing::Private { .. } | Backing::Shared { .. } => self.fill_from_pages(cursor),
            },
        }
    }

    /// Maps `copy` in place of a shared page.
    fn replace(&mut self, cursor: &mut CursorMut<'_>, copy: UFrame) {
        cursor.unmap(PAGE_SIZE);
        // No CPU may read the old page once another has written the new one.
        self.table.settle(cursor);
        reclaim::note_unmapped(1);
        jump(cursor, self.page);
        cursor.map(copy, table::property(table::flags(self.area.prot)));
        self.area.traits |= Traits::OWN_PAGES;
    }

    /// Maps `page` where nothing is mapped; the cursor is at `addr`.
    fn map(&mut self, cursor: &mut CursorMut<'_>, addr: usize, page: UFrame, flags: PageFlags) {
        cursor.map(page, table::property(flags));
        self.leaf.add(addr..addr + PAGE_SIZE, 1);
    }

    fn fill_with_zeroes(&mut self, cursor: &mut CursorMut<'_>) -> Result<(), FaultError> {
        let flags = table::flags(self.area.prot);
        let untouched = self.leaf.high();
        self.map(cursor, self.page, zeroes()?, flags);
        self.area.traits |= Traits::OWN_PAGES;
        let before = self.page.wrapping_sub(PAGE_SIZE);
        if !self.window.contains(&before) {
            return Ok(());
        }
        jump(cursor, before);
        if query(cursor).is_none() {
            return Ok(());
        }
        // The page before was touched as well, so the next ones probably will be. The run ends at the first page that
        // is already mapped or not available.
        for addr in (self.page + PAGE_SIZE..self.window.end).step_by(PAGE_SIZE) {
            jump(cursor, addr);
            if addr < untouched && query(cursor).is_some() {
                break;
            }
            let Ok(page) = zeroes() else { break };
            self.map(cursor, addr, page, flags);
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
        if self.access == Access::Write && !self.area.backing.is_shared() {
            self.map(cursor, self.page, copy_of(&page)?, flags);
            self.area.traits |= Traits::OWN_PAGES;
            return Ok(());
        }
        flags.set(PageFlags::W, flags.contains(PageFlags::W) && self.area.backing.is_shared());
        self.map(cursor, self.page, page, flags);
        let low = self.page - self.page % FILE_WINDOW;
        let before = low.wrapping_sub(PAGE_SIZE);
        let is_run = self.window.contains(&before) && {
            jump(cursor, before);
            query(cursor).is_some()
        };
        let high = low + if is_run { FILE_RUN } else { FILE_WINDOW };
        for addr in (low.max(self.window.start)..high.min(self.window.end)).step_by(PAGE_SIZE) {
            jump(cursor, addr);
            if query(cursor).is_some() {
                continue;
            }
            let Some((pages, index)) = self.area.backing.page_at(addr - start) else { break };
            let Some(page) = pages.present_page(index) else { continue };
            self.map(cursor, addr, page, flags);
        }
        Ok(())
    }
}

/// Returns the addresses that a fault may populate, all in one leaf table.
fn window(area: &Area<Backing>, page: usize, access: Access) -> Range<usize> {
    let leaf = leaf_of(page);
    let (low, high) = match area.backing {
        Backing::Anonymous => (page.saturating_sub(PAGE_SIZE), page + RUN),
        Backing::Private { .. } if access == Access::Write => (page, page + PAGE_SIZE),
        Backing::Private { .. } | Backing::Shared { .. } => {
            let low = page - page % FILE_WINDOW;
            (low.saturating_sub(PAGE_SIZE), low + FILE_RUN)
        }
    };
    low.max(area.start).max(leaf)..high.min(area.end).min(leaf + LEAF_SIZE)
}

fn permits(prot: Prot, access: Access) -> bool {
    match access {
        // On x86 a page that can be written or executed can be read, too.
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
