//! The heap: one area whose end brk(2) moves.
//!
//! Source: brk(2); Linux 6.1 mm/mmap.c (`SYSCALL_DEFINE1(brk)`).

use rules::machine::abi::mman::Prot;

use super::super::layout::{PAGE_SIZE, TASK_SIZE, page_up};
use super::super::limits::Limits;
use super::map::Removed;
use super::{AddressSpace, MapRequest, Placement};

/// The bounds of the heap; neither need be page-aligned.
#[derive(Clone, Copy, Default)]
pub(super) struct Heap {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl AddressSpace {
    /// Puts an empty heap at `start`, for execve(2), before the program runs.
    pub(crate) fn place_heap(&self, start: usize) {
        self.state.lock().heap = Heap { start, end: start };
    }

    /// Moves the end of the heap to `end` if possible, and returns where it is now.
    ///
    /// The end stays if `end` is before the heap's start, if another area is in the way, if a limit (`RLIMIT_DATA`,
    /// `RLIMIT_AS`) forbids it, or if only the emergency reserve is left.
    pub(crate) fn brk(&self, end: usize) -> usize {
        let _layout = self.layout.lock();
        let mut state = self.state.lock();
        let heap = state.heap;
        let aligned = page_up(end).filter(|end| *end <= TASK_SIZE - PAGE_SIZE);
        let (Some(new), Some(old)) = (aligned, page_up(heap.end)) else { return heap.end };
        if end < heap.start || !Limits::allows(&self.limits.data, end - heap.start) {
            return heap.end;
        }
        if new < old {
            drop(state);
            if self.unmap_pages(new..old).is_err() {
                return heap.end;
            }
            state = self.state.lock();
        } else if new > old {
            // Linux keeps one page free behind the heap.
            if state.areas.overlapping(old..new + PAGE_SIZE).next().is_some() {
                return heap.end;
            }
            let placement = Placement::IfFree(old);
            let request = MapRequest::anonymous(placement, new - old, Prot::READ | Prot::WRITE);
            if self.map_locked(&mut state, &request, &mut Removed::new()).is_err() {
                return heap.end;
            }
        }
        state.heap.end = end;
        end
    }
}
