//! Advice about ranges of memory.
//!
//! Source: madvise(2); Linux 6.1 mm/madvise.c.

use core::ops::Range;

use rules::abi::errno::Errno;
use rules::machine::abi::mman::{Advice, Prot};
use rules::machine::vma::{Area, Traits};

use super::super::fault::{Access, FaultError};
use super::super::layout::PAGE_SIZE;
use super::{AddressSpace, Backing, State};
use crate::machine::pause::pause_unless_killed;

impl AddressSpace {
    /// Applies `advice` to `range`, which must be page-aligned.
    ///
    /// # Errors
    /// - `ENOMEM`: part of the range is not mapped (the advice was followed for the rest), or
    ///   there is no memory to populate it;
    /// - `EINVAL`: the advice does not fit an area, or its protection does not allow populating it;
    /// - `EACCES`: [`Advice::Remove`] on a mapping that cannot write the file;
    /// - `EOPNOTSUPP`: [`Advice::Remove`]; making holes through a mapping is not supported;
    /// - `EFAULT`: a file ends before a page that should be populated.
    ///
    /// As on Linux, the advice was followed for the areas before the failing one.
    pub(crate) fn advise(&self, range: Range<usize>, advice: Advice) -> Result<(), Errno> {
        match advice {
            Advice::PopulateRead => return self.populate(range, Access::Read).map_err(populate_error),
            Advice::PopulateWrite => return self.populate(range, Access::Write).map_err(populate_error),
            _ => {}
        }
        let _layout = self.layout.lock();
        self.for_each_stretch(range.clone(), |state, stretch| {
            let mut next = stretch.start;
            while next < stretch.end {
                let Some(area) = first_in(state, next..stretch.end) else { break };
                let part = area.start.max(next)..area.end.min(stretch.end);
                check(area, advice)?;
                self.follow(state, part.clone(), advice)?;
                next = part.end;
            }
            Ok::<_, Errno>(())
        })?;
        if self.covers(range) { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// Faults in every page of `range`, unless the current thread must end.
    ///
    /// # Errors
    /// As [`Self::fault`]; the pages before the one that failed were populated.
    pub(crate) fn populate(&self, range: Range<usize>, access: Access) -> Result<(), FaultError> {
        for page in range.step_by(PAGE_SIZE) {
            self.fault(page, access)?;
            if pause_unless_killed().is_err() {
                break;
            }
        }
        Ok(())
    }

    fn follow(&self, state: &mut State, part: Range<usize>, advice: Advice) -> Result<(), Errno> {
        let mut set = |trait_: Traits, on: bool| {
            let _cut = state.grant_cut(&part)?;
            state.areas.update(part.clone(), |area| area.traits.set(trait_, on));
            Ok(())
        };
        match advice {
            Advice::DontNeed | Advice::DontNeedLocked | Advice::Free => {
                self.table.unmap(&mut state.residency, part);
                Ok(())
            }
            Advice::DontFork => set(Traits::DONT_FORK, true),
            Advice::DoFork => set(Traits::DONT_FORK, false),
            Advice::WipeOnFork => set(Traits::WIPE_ON_FORK, true),
            Advice::KeepOnFork => set(Traits::WIPE_ON_FORK, false),
            Advice::Hint | Advice::Remove | Advice::PopulateRead | Advice::PopulateWrite => Ok(()),
        }
    }
}

/// Returns the first area that overlaps `range`.
fn first_in(state: &State, range: Range<usize>) -> Option<&Area<Backing>> {
    state.areas.overlapping(range).next()
}

/// Checks whether `advice` can be applied to `area`.
fn check(area: &Area<Backing>, advice: Advice) -> Result<(), Errno> {
    let locked = area.traits.contains(Traits::LOCKED);
    let anonymous = matches!(area.backing, Backing::Anonymous);
    match advice {
        Advice::DontNeed if locked => Err(Errno::EINVAL),
        Advice::Free if locked || !anonymous => Err(Errno::EINVAL),
        Advice::WipeOnFork if !anonymous => Err(Errno::EINVAL),
        Advice::Remove if locked || anonymous => Err(Errno::EINVAL),
        Advice::Remove if !area.backing.is_shared() || !area.prot.contains(Prot::WRITE) => Err(Errno::EACCES),
        Advice::Remove => Err(Errno::EOPNOTSUPP),
        _ => Ok(()),
    }
}

fn populate_error(error: FaultError) -> Errno {
    match error {
        FaultError::NotMapped | FaultError::OutOfMemory => Errno::ENOMEM,
        FaultError::Denied => Errno::EINVAL,
        FaultError::BeyondEnd => Errno::EFAULT,
    }
}
