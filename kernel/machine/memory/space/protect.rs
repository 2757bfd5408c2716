//! Changes the protection of memory: mprotect(2).

use core::ops::Range;

use rules::abi::errno::Errno;
use rules::machine::abi::mman::Prot;
use rules::machine::vma::{Backing as _, Traits};

use super::super::limits::Limits;
use super::{AddressSpace, State};

impl AddressSpace {
    /// Sets the protection of `range`, which must be page-aligned, to `prot`.
    ///
    /// # Errors
    /// As on Linux, the areas before the failing one were changed:
    /// - `ENOMEM`: part of the range is not mapped, there would be too many areas, or private memory
    ///   that becomes writable goes over `RLIMIT_DATA`;
    /// - `EACCES`: a shared mapping of a file that is not open for writing cannot become writable.
    pub(crate) fn protect(&self, range: Range<usize>, prot: Prot) -> Result<(), Errno> {
        let _layout = self.layout.lock();
        let (_cut, (end, result)) = {
            let state = self.state.lock();
            (state.grant_cut(&range)?, self.changeable(&state, &range, prot))
        };
        let Ok(()) = self.for_each_stretch(range.start..end, |State { areas, residency, .. }, stretch| {
            areas.update(stretch.clone(), |area| area.prot = prot);
            self.table.protect(residency, stretch, prot);
            Ok::<_, core::convert::Infallible>(())
        });
        result
    }

    /// Returns the start of the first area in `range`, which must grow down, for `PROT_GROWSDOWN`.
    ///
    /// # Errors
    /// `ENOMEM`: nothing is mapped in the range. `EINVAL`: the area does not grow.
    pub(crate) fn growing_area_start(&self, range: Range<usize>) -> Result<usize, Errno> {
        let state = self.state.lock();
        let area = state.areas.overlapping(range).next().ok_or(Errno::ENOMEM)?;
        if area.traits.contains(Traits::GROWS_DOWN) { Ok(area.start) } else { Err(Errno::EINVAL) }
    }

    /// Returns how much of `range`, from its start, can get `prot`, and the error that stops it there.
    fn changeable(&self, state: &State, range: &Range<usize>, prot: Prot) -> (usize, Result<(), Errno>) {
        let mut end = range.start;
        let mut data = state.areas.data();
        for area in state.areas.overlapping(range.clone()) {
            if area.start > end {
                break;
            }
            if !area.max_prot.contains(prot) {
                return (end, Err(Errno::EACCES));
            }
            let next = area.end.min(range.end);
            let becomes_data = area.backing.is_private()
                && prot.contains(Prot::WRITE)
                && !area.prot.contains(Prot::WRITE)
                && !area.traits.contains(Traits::GROWS_DOWN);
            if becomes_data {
                data += next - end;
                if !Limits::allows(&self.limits.data, data) {
                    return (end, Err(Errno::ENOMEM));
                }
            }
            end = next;
        }
        (end, if end < range.end { Err(Errno::ENOMEM) } else { Ok(()) })
    }
}
