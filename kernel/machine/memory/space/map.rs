//! Maps and unmaps memory.

use core::ops::Range;
use core::sync::atomic::Ordering;

use rules::abi::errno::Errno;
use rules::machine::abi::mman::Prot;
use rules::machine::vma::{Area, Backing as _, Traits};

use super::super::budget::{self, Grant};
use super::super::layout::{GUARD_GAP, MMAP_MIN_ADDR, PAGE_SIZE, TASK_SIZE, page_down, page_up, user_range};
use super::super::limits::Limits;
use super::{AddressSpace, Backing, State, stretch};

/// `vm.max_map_count`: the most areas that an address space may have.
const AREAS_MAX: usize = 65530;

/// Kernel heap and page tables that changing the areas may need, in bytes.
const COST: usize = 8 * PAGE_SIZE;

/// Kernel heap that cutting areas in two may need, in bytes.
const CUT_COST: usize = 4 * PAGE_SIZE;

/// Areas that were removed under the lock, to be dropped without it: a file may go with one. When it is full, there may
/// be more to remove, after these are dropped.
pub(super) type Removed = heapless::Vec<Area<Backing>, { stretch::AREAS + 1 }>;

/// How far a change came that removes areas.
pub(super) enum Progress<T> {
    /// To its end.
    Done(T),
    /// It must be repeated after the removed areas were dropped.
    Again,
}

/// The range that [`Placement::Low`] searches, as on Linux.
const LOW: Range<usize> = 0x4000_0000..0x8000_0000;

/// Where to place a mapping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Placement {
    /// At this address if possible, otherwise at any free one. 0 is no hint.
    Anywhere(usize),
    /// The same, but below 2 GiB (`MAP_32BIT`).
    Low(usize),
    /// At this address, replacing what is mapped (`MAP_FIXED`).
    Replacing(usize),
    /// At this address, if nothing is mapped there (`MAP_FIXED_NOREPLACE`).
    IfFree(usize),
}

/// A mapping to make.
pub(crate) struct MapRequest {
    /// Where to place it.
    pub placement: Placement,
    /// Its size in bytes; rounded up to whole pages.
    pub len: usize,
    /// Its protection.
    pub prot: Prot,
    /// The most protection that mprotect(2) may give it later.
    pub max_prot: Prot,
    /// Traits of the area.
    pub traits: Traits,
    /// The source of its initial contents.
    pub backing: Backing,
}

impl MapRequest {
    /// Requests private memory filled with zeroes.
    #[must_use]
    pub(crate) fn anonymous(placement: Placement, len: usize, prot: Prot) -> Self {
        let backing = Backing::Anonymous;
        Self { placement, len, prot, max_prot: Prot::all(), traits: Traits::empty(), backing }
    }
}

impl AddressSpace {
    /// Makes the mapping and returns its address.
    ///
    /// # Errors
    /// Nothing was mapped or unmapped, and:
    /// - `EINVAL`: the length is zero, or a fixed address is not at a page's start;
    /// - `ENOMEM`: no room, outside user space, over a limit, too many areas, or only the reserve is left;
    /// - `EPERM`: below `mmap_min_addr`;
    /// - `EEXIST`: [`Placement::IfFree`] and something is there.
    pub(crate) fn map(&self, request: MapRequest) -> Result<usize, Errno> {
        let _layout = self.layout.lock();
        if let Placement::Replacing(_) = request.placement {
            let replaced = {
                let mut state = self.state.lock();
                let range = self.admit(&mut state, &request)?.0;
                (state.stretch(range.clone()) != range).then_some(range)
            };
            if let Some(range) = replaced {
                self.drain(range);
            }
        }
        loop {
            // Dropped without the lock, at the end of each round: the last reference to a file may be among it.
            let mut replaced = Removed::new();
            if let Progress::Done(start) = self.map_locked(&mut self.state.lock(), &request, &mut replaced)? {
                return Ok(start);
            }
        }
    }

    /// Checks whether a mapping could be placed there now.
    ///
    /// # Errors
    /// Those of [`Self::map`] that concern the address and the length; the length is a whole number of pages.
    pub(crate) fn check_place(&self, placement: Placement, len: usize) -> Result<(), Errno> {
        self.place(&mut self.state.lock(), placement, len).map(|_| ())
    }

    /// Unmaps a range; parts of it may be unmapped already.
    ///
    /// # Errors
    /// Nothing was unmapped, and:
    /// - `EINVAL`: `start` is not at a page's start, the length is zero, or the range leaves user space;
    /// - `ENOMEM`: cutting an area in two would make too many, or needs more memory than there is.
    ///
    /// It needs memory for a cut alone.
    pub(crate) fn unmap(&self, start: usize, len: usize) -> Result<(), Errno> {
        let len = page_up(len).filter(|len| *len != 0).ok_or(Errno::EINVAL)?;
        let range = user_range(start, len).ok_or(Errno::EINVAL)?;
        if page_down(start) != start {
            return Err(Errno::EINVAL);
        }
        let _layout = self.layout.lock();
        self.unmap_pages(range)
    }

    /// Unmaps a range of whole pages; the caller holds `layout`.
    ///
    /// # Errors
    /// Nothing was unmapped. `ENOMEM`: cutting an area in two would make too many, or needs more memory than there is.
    pub(super) fn unmap_pages(&self, range: Range<usize>) -> Result<(), Errno> {
        let cut = self.state.lock().grant_cut(&range)?;
        let Ok(()) = self.for_each_stretch(range, |state, stretch| {
            let mut removed = Removed::new();
            // A stretch has no more areas than there is room for.
            let _ = self.remove(state, stretch, &mut removed);
            Ok::<_, core::convert::Infallible>(removed)
        });
        drop(cut);
        Ok(())
    }

    /// Makes a mapping under the lock; what it replaces is in `replaced` afterwards.
    pub(super) fn map_locked(
        &self,
        state: &mut State,
        request: &MapRequest,
        replaced: &mut Removed,
    ) -> Result<Progress<usize>, Errno> {
        let (range, _grant) = self.admit(state, request)?;
        let &MapRequest { placement, prot, max_prot, mut traits, ref backing, .. } = request;
        if let Placement::Replacing(_) = placement
            && let Progress::Again = self.remove(state, range.clone(), replaced)
        {
            return Ok(Progress::Again);
        }
        traits.set(Traits::LOCKED, traits.contains(Traits::LOCKED) || state.lock_future);
        let (start, end) = (range.start, range.end);
        state.areas.insert(Area { start, end, prot, max_prot, traits, backing: backing.clone() });
        Ok(Progress::Done(start))
    }

    /// Checks whether the mapping can be made now, and returns where, with what it needs.
    fn admit(&self, state: &mut State, request: &MapRequest) -> Result<(Range<usize>, Grant), Errno> {
        let MapRequest { placement, len, prot, traits, backing, .. } = request;
        if *len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = page_up(*len).filter(|len| *len <= TASK_SIZE).ok_or(Errno::ENOMEM)?;
        let grant = budget::grant(COST)?;
        let range = self.place(state, *placement, len)?;
        let private_writable =
            backing.is_private() && prot.contains(Prot::WRITE) && !traits.contains(Traits::GROWS_DOWN);
        let replaces = matches!(placement, Placement::Replacing(_));
        let gone = if replaces { state.mapped_in(&range) } else { 0 };
        self.check_limits(state, len - gone, private_writable)?;
        if state.areas.count() >= AREAS_MAX {
            return Err(Errno::ENOMEM);
        }
        Ok((range, grant))
    }

    /// Removes a range from the areas and the page table, as far as there is room in `removed`.
    pub(super) fn remove(
        &self,
        state: &mut State,
        range: Range<usize>,
        removed: &mut Removed,
    ) -> Progress<()> {
        let mut is_empty = true;
        while !removed.is_full() {
            let Some(area) = state.areas.remove_first(range.clone()) else {
                if !is_empty {
                    self.table.unmap(&mut state.residency, range);
                }
                return Progress::Done(());
            };
            is_empty = false;
            // There is room for it.
            let _ = removed.push(area);
        }
        if let Some(last) = removed.last() {
            self.table.unmap(&mut state.residency, range.start..last.end);
        }
        Progress::Again
    }

    /// Finds a free range for a mapping, or checks the requested one.
    pub(super) fn place(
        &self,
        state: &mut State,
        placement: Placement,
        len: usize,
    ) -> Result<Range<usize>, Errno> {
        match placement {
            Placement::Replacing(addr) => fixed(addr, len),
            Placement::IfFree(addr) => {
                let range = fixed(addr, len)?;
                let taken = state.areas.overlapping(range.clone()).next().is_some();
                if taken { Err(Errno::EEXIST) } else { Ok(range) }
            }
            Placement::Low(hint) => {
                let hinted = hinted(state, hint, len).filter(|range| range.end <= LOW.end);
                let found = || state.areas.find_gap(len, LOW, GUARD_GAP).map(|start| start..start + len);
                hinted.or_else(found).ok_or(Errno::ENOMEM)
            }
            Placement::Anywhere(hint) => {
                if let Some(range) = hinted(state, hint, len) {
                    return Ok(range);
                }
                let top = self.mmap_top.load(Ordering::Relaxed);
                let start = state
                    .areas
                    .find_gap(len, MMAP_MIN_ADDR..top, GUARD_GAP)
                    // A place near the stack is better than none.
                    .or_else(|| state.areas.find_gap(len, MMAP_MIN_ADDR..TASK_SIZE, GUARD_GAP))
                    .ok_or(Errno::ENOMEM)?;
                Ok(start..start + len)
            }
        }
    }

    /// Checks `RLIMIT_AS`, and `RLIMIT_DATA` if the area counts for it, for `added` more bytes.
    pub(super) fn check_limits(&self, state: &State, added: usize, data: bool) -> Result<(), Errno> {
        let fits = Limits::allows(&self.limits.address_space, state.areas.total() + added)
            && (!data || Limits::allows(&self.limits.data, state.areas.data() + added));
        if fits { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

impl State {
    /// Returns how many bytes of `range` are mapped.
    fn mapped_in(&self, range: &Range<usize>) -> usize {
        let part = |area: &Area<Backing>| area.end.min(range.end) - area.start.max(range.start);
        self.areas.overlapping(range.clone()).map(part).sum()
    }

    /// Grants that areas are cut in two at the ends of `range`, if there are any.
    ///
    /// # Errors
    /// `ENOMEM`: there would be too many areas, or there is no memory for them.
    pub(super) fn grant_cut(&self, range: &Range<usize>) -> Result<Option<Grant>, Errno> {
        let cuts = |addr| usize::from(self.areas.at(addr).is_some_and(|area| area.start < addr));
        match cuts(range.start) + cuts(range.end) {
            0 => Ok(None),
            more if self.areas.count() + more > AREAS_MAX + 1 => Err(Errno::ENOMEM),
            _ => budget::grant(CUT_COST).map(Some),
        }
    }
}

/// Checks a range at a fixed address.
fn fixed(addr: usize, len: usize) -> Result<Range<usize>, Errno> {
    if page_down(addr) != addr {
        return Err(Errno::EINVAL);
    }
    let range = user_range(addr, len).ok_or(Errno::ENOMEM)?;
    // Linux lets root map page 0. Here a null pointer always faults.
    if addr < MMAP_MIN_ADDR { Err(Errno::EPERM) } else { Ok(range) }
}

/// Returns the range at the hint, if it is free.
fn hinted(state: &State, hint: usize, len: usize) -> Option<Range<usize>> {
    let addr = page_down(hint);
    if addr == 0 {
        return None;
    }
    let range = user_range(addr.max(MMAP_MIN_ADDR), len)?;
    let free = state.areas.overlapping(range.clone()).next().is_none();
    let above = state.areas.above(range.start);
    let clear = above
        .is_none_or(|area| !area.traits.contains(Traits::GROWS_DOWN) || area.start - range.end >= GUARD_GAP);
    (free && clear).then_some(range)
}
