//! mlock(2) and related calls. Pages are never swapped out here, so a lock is only a mark and a reason to fault in.

use core::ops::Range;

use rules::abi::errno::Errno;
use rules::machine::abi::mman::Prot;
use rules::machine::vma::{Backing as _, Traits};

use super::super::fault::{Access, FaultError};
use super::super::layout::TASK_SIZE;
use super::AddressSpace;

/// What mlock(2), mlock2(2) and munlock(2) do to a range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Locking {
    /// Locks it and faults in all of it.
    Now,
    /// Locks pages that are present and those that are touched later.
    OnFault,
    /// Unlocks it.
    Off,
}

impl AddressSpace {
    /// Locks or unlocks `range`, which must be page-aligned.
    ///
    /// # Errors
    /// - `ENOMEM`: part of the range is not mapped (the areas before it were changed), there would be too many areas,
    ///   or a protection allows no access;
    /// - `EAGAIN`: there is no memory to fault everything in.
    pub(crate) fn lock_range(&self, range: Range<usize>, locking: Locking) -> Result<(), Errno> {
        {
            let mut state = self.state.lock();
            let _cut = state.grant_cut(&range)?;
            let mut end = range.start;
            for area in state.areas.overlapping(range.clone()).take_while(|area| area.start <= range.end) {
                if area.start > end {
                    break;
                }
                end = area.end.min(range.end);
            }
            if range.start < end {
                let locked = locking != Locking::Off;
                state.areas.update(range.start..end, |area| area.traits.set(Traits::LOCKED, locked));
            }
            if end < range.end {
                return Err(Errno::ENOMEM);
            }
        }
        if locking == Locking::Now { self.fault_in(range) } else { Ok(()) }
    }

    /// mlockall(2): locks what is mapped as `current` says, and future mappings if `future` is set.
    ///
    /// A page that cannot be faulted in is not an error, as on Linux.
    pub(crate) fn lock_all(&self, current: Option<Locking>, future: Locking) {
        let locking = {
            let mut state = self.state.lock();
            state.lock_future = future != Locking::Off;
            let Some(locking) = current else { return };
            let locked = locking != Locking::Off;
            state.areas.update(0..TASK_SIZE, |area| area.traits.set(Traits::LOCKED, locked));
            locking
        };
        let mut next = 0;
        while locking == Locking::Now && next < TASK_SIZE {
            let area = {
                let state = self.state.lock();
                state.areas.overlapping(next..TASK_SIZE).next().map(|area| area.range())
            };
            let Some(area) = area else { break };
            next = area.end;
            // Failure to populate an area is not reported.
            let _ = self.fault_in(area);
        }
    }

    /// Faults in the mapped parts of `range`, for writing where a write would make private pages.
    fn fault_in(&self, range: Range<usize>) -> Result<(), Errno> {
        let mut next = range.start;
        while next < range.end {
            let (part, access) = {
                let state = self.state.lock();
                let Some(area) = state.areas.overlapping(next..range.end).next() else { break };
                let own = area.backing.is_private() && area.prot.contains(Prot::WRITE);
                let part = area.start.max(next)..area.end.min(range.end);
                (part, if own { Access::Write } else { Access::Read })
            };
            next = part.end;
            self.populate(part, access).map_err(|error| match error {
                FaultError::OutOfMemory => Errno::EAGAIN,
                FaultError::NotMapped | FaultError::Denied | FaultError::BeyondEnd => Errno::ENOMEM,
            })?;
        }
        Ok(())
    }

    /// Faults in `range` for `MAP_POPULATE` and locked mappings. Failures are ignored; the later access reports them.
    pub(crate) fn prefault(&self, range: Range<usize>) {
        let _ = self.fault_in(range);
    }

    /// Returns whether future mappings are locked (`MCL_FUTURE`).
    #[must_use]
    pub(crate) fn locks_future(&self) -> bool {
        self.state.lock().lock_future
    }

    /// Returns whether part of `range` is locked, for `MS_INVALIDATE`; for the `ENOMEM` of msync(2) see
    /// [`Self::covers`].
    #[must_use]
    pub(crate) fn has_locked(&self, range: Range<usize>) -> bool {
        let state = self.state.lock();
        state.areas.overlapping(range).any(|area| area.traits.contains(Traits::LOCKED))
    }

    /// Returns whether every address of `range` is mapped.
    #[must_use]
    pub(crate) fn covers(&self, range: Range<usize>) -> bool {
        self.state.lock().areas.covers(range)
    }
}
