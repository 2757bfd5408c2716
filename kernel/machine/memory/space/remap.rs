//! Grows, shrinks and moves mappings.
//!
//! Source: mremap(2); Linux 6.1 mm/mremap.c.

use core::ops::Range;

use rules::abi::errno::Errno;
use rules::machine::abi::mman::Prot;
use rules::machine::vma::{Area, Backing as _, Traits};

use super::super::budget;
use super::super::layout::{PAGE_SIZE, TASK_SIZE, page_down, user_range};
use super::{AddressSpace, Backing, Placement, State};

/// Where a mapping may be moved when it is resized.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Move {
    /// Not at all.
    Never,
    /// Elsewhere, if it cannot grow in place.
    IfNeeded,
    /// To this address, replacing what is mapped there.
    To(usize),
    /// Its pages go to a free range, preferably this one; the old area stays, empty.
    Leaving(usize),
    /// Its pages go to this address, replacing what is mapped there; the old area stays, empty.
    LeavingTo(usize),
}

impl AddressSpace {
    /// Resizes the `old_len` bytes mapped at `start` to `new_len` bytes and returns their new address. Both lengths
    /// are whole pages.
    ///
    /// With `old_len` zero, a shared area is mapped a second time.
    ///
    /// # Errors
    /// - `EFAULT`: `start` is not mapped, or the old range leaves its area;
    /// - `EINVAL`: `start` or a target is not at a page's start, the new length is zero, the target overlaps the
    ///   old range or leaves user space, or the old length is zero for a private area;
    /// - `ENOMEM`: more than user space, no room where it may go, over a limit, too many areas, or only the reserve is left.
    ///
    /// As on Linux, mappings at a target or behind a shrunken end may have been removed already.
    pub(crate) fn remap(
        &self,
        start: usize,
        old_len: usize,
        new_len: usize,
        to: Move,
    ) -> Result<usize, Errno> {
        if page_down(start) != start || new_len == 0 {
            return Err(Errno::EINVAL);
        }
        let _layout = self.layout.lock();
        let mut old = start..start.saturating_add(old_len);
        self.state.lock().areas.at(old.start).ok_or(Errno::EFAULT)?;
        let fixed = match to {
            Move::To(addr) | Move::LeavingTo(addr) => Some(target(&old, addr, new_len)?),
            Move::Never | Move::IfNeeded | Move::Leaving(_) => None,
        };
        if let Some(target) = &fixed {
            self.unmap_pages(target.clone())?;
        }
        if old.len() > new_len {
            let tail = old.start + new_len..old.end;
            self.unmap_pages(tail.clone())?;
            old.end = tail.start;
        }
        if old.len() == new_len && matches!(to, Move::Never | Move::IfNeeded) {
            return Ok(old.start);
        }
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let _grant = budget::grant(4 * PAGE_SIZE)?;
        let area = self.check_resize(state, &old, new_len, to)?;
        let extendable = matches!(to, Move::Never | Move::IfNeeded) && old.end == area.end;
        if extendable && self.extend(state, &area, old.start + new_len) {
            return Ok(old.start);
        }
        let target = match (to, fixed) {
            (Move::Never, _) => return Err(Errno::ENOMEM),
            (_, Some(target)) => target,
            (Move::Leaving(hint), None) => self.place(state, Placement::Anywhere(hint), new_len)?,
            (Move::IfNeeded | Move::To(_) | Move::LeavingTo(_), None) => {
                self.place(state, Placement::Anywhere(0), new_len)?
            }
        };
        let _cut = state.grant_cut(&old)?;
        let tables = 4 + 2 * old.len() / super::residency::LEAF_SIZE;
        let _tables = budget::grant(tables * PAGE_SIZE)?;
        drop(guard);
        let start = target.start;
        self.relocate(&area, old, target, matches!(to, Move::Leaving(_) | Move::LeavingTo(_)));
        Ok(start)
    }

    /// Checks that the area of `old` can get `new_len` bytes, there or elsewhere, and returns the area.
    fn check_resize(
        &self,
        state: &State,
        old: &Range<usize>,
        new_len: usize,
        to: Move,
    ) -> Result<Area<Backing>, Errno> {
        let area = state.areas.at(old.start).ok_or(Errno::EFAULT)?;
        if old.is_empty() && !area.backing.is_shared() {
            return Err(Errno::EINVAL);
        }
        if old.end > area.end {
            return Err(Errno::EFAULT);
        }
        // From here on, no sum of an address and the length overflows.
        if new_len > TASK_SIZE {
            return Err(Errno::ENOMEM);
        }
        let stays = matches!(to, Move::Leaving(_) | Move::LeavingTo(_));
        let added = if stays { new_len } else { new_len - old.len() };
        let counted = area.backing.is_private() && area.prot.contains(Prot::WRITE);
        self.check_limits(state, added, counted)?;
        Ok(area.clone())
    }

    /// Extends `area` to `end`, if nothing is in the way.
    fn extend(&self, state: &mut State, area: &Area<Backing>, end: usize) -> bool {
        let free = end <= TASK_SIZE && state.areas.overlapping(area.end..end).next().is_none();
        if free {
            let backing = area.backing.advanced(area.len());
            // The new part merges with `area`, because only its addresses differ. An area that grows down does not
            // merge, but the part behind its end behaves the same.
            state.areas.insert(Area { start: area.end, end, backing, ..area.clone() });
        }
        free
    }

    /// Moves the pages of `old`, a part of `area`, to the free range `target`, and maps that, a stretch at a time.
    ///
    /// If the old area `stays`, it is empty afterwards, and not locked.
    fn relocate(&self, area: &Area<Backing>, old: Range<usize>, target: Range<usize>, stays: bool) {
        // Maps the part of the target from `to` to `end`; the parts join.
        let map = |state: &mut State, to: usize, end: usize| {
            if to < end {
                let offset = old.start - area.start + (to - target.start);
                let backing = area.backing.advanced(offset);
                state.areas.insert(Area { start: to, end, backing, ..area.clone() });
            }
        };
        let Ok(()) = self.for_each_stretch(old.clone(), |state, stretch| {
            let to = target.start + (stretch.start - old.start);
            self.table.relocate(&mut state.residency, stretch.clone(), to);
            let removed = if stays {
                state.areas.update(stretch.clone(), |area| area.traits -= Traits::LOCKED);
                None
            } else {
                // The old range is in one area.
                state.areas.remove_first(stretch.clone())
            };
            map(state, to, to + stretch.len());
            Ok::<_, core::convert::Infallible>(removed)
        });
        map(&mut self.state.lock(), target.start + old.len(), target.end);
    }
}

/// Checks the range at a fixed target.
fn target(old: &Range<usize>, addr: usize, len: usize) -> Result<Range<usize>, Errno> {
    if page_down(addr) != addr {
        return Err(Errno::EINVAL);
    }
    let target = user_range(addr, len).ok_or(Errno::EINVAL)?;
    if old.start < target.end && target.start < old.end {
        return Err(Errno::EINVAL);
    }
    if addr < super::super::layout::MMAP_MIN_ADDR { Err(Errno::EPERM) } else { Ok(target) }
}
