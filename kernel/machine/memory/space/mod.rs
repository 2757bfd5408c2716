//! Address spaces: a process's view of memory.
//!
//! Owns: the areas (rules in `rules::machine::vma`), the page table, the count of resident pages, the heap's ends.
//! Not here: which process has it (task), files (fs), copies to and from user memory (user).
//! Locks: one spin lock over all of it. Page faults take it while locks of ranks 1 to 3 are held, so nothing under it
//! sleeps or touches user memory. Under it come OSTD's page-table locks and then the locks of
//! [`Pages`](super::pages::Pages). Calls that change ranges work on a [stretch] at a time and pause between two;
//! the mutex `layout`, which is locked first, keeps other such calls out meanwhile, but no page fault.
//! Why: decision 0119.
//! Source: mmap(2), brk(2), mremap(2), madvise(2); Linux 6.1 mm/.

mod advise;
mod backing;
mod brk;
mod fault;
mod fork;
mod identity;
mod lock;
mod locked;
mod lookup;
mod map;
mod mincore;
mod protect;
mod recycle;
mod remap;
mod residency;
mod statistics;
mod stretch;
mod table;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ostd::mm::VmSpace;
use ostd::sync::{Mutex, SpinLock};
use rules::abi::errno::Errno;
use rules::machine::vma::Areas;
use spin::Once;

pub(crate) use self::backing::Backing;
use self::brk::Heap;
pub(crate) use self::identity::Identity;
pub(crate) use self::lock::Locking;
pub(super) use self::lookup::{Lookup, PAGES};
pub(crate) use self::map::{MapRequest, Placement};
use self::recycle::Empty;
pub(crate) use self::remap::Move;
use self::residency::Residency;
pub(crate) use self::statistics::{Purpose, Region};
use self::table::Table;
use super::limits::Limits;
use super::{budget, layout};

/// Memory that creating an address space takes at least, for page tables and kernel objects, in bytes.
const COST: usize = 16 * layout::PAGE_SIZE;

/// An address space, shared by the threads of a process.
pub(crate) struct AddressSpace {
    table: Table,
    /// The limits, which prlimit(2) sets.
    pub limits: Limits,
    /// Where the search for free ranges starts.
    mmap_top: AtomicUsize,
    /// Set when a copy by the kernel ended short because memory ran out.
    starved: AtomicBool,
    /// Whether its process may use the administrator's reserve.
    is_administrators: AtomicBool,
    /// Held by a call that changes a range.
    layout: Mutex<()>,
    state: SpinLock<State>,
}

/// The state that the lock guards.
struct State {
    areas: Areas<Backing>,
    residency: Residency,
    heap: Heap,
    /// mlockall(MCL_FUTURE): lock future areas.
    lock_future: bool,
}

impl AddressSpace {
    /// Creates an empty address space with the given limits.
    ///
    /// # Errors
    /// `ENOMEM`: only the emergency reserve is left.
    pub(crate) fn new(limits: Limits) -> Result<Arc<Self>, Errno> {
        let _grant = budget::grant(COST)?;
        Ok(Self::from_empty(recycle::take(), limits))
    }

    /// Returns the empty address space of processes that have ended; the first call creates it.
    #[must_use]
    pub(crate) fn of_ended_processes() -> Arc<Self> {
        static NOBODY: Once<Arc<AddressSpace>> = Once::new();
        let make = || {
            let vm = Empty { vm: Arc::new(VmSpace::new()), residency: Residency::default() };
            Self::from_empty(vm, Limits::default())
        };
        NOBODY.call_once(make).clone()
    }

    fn from_empty(Empty { vm, residency }: Empty, limits: Limits) -> Arc<Self> {
        let mmap_top = layout::mmap_top(limits.stack.load(Ordering::Relaxed));
        let state = State { areas: Areas::default(), residency, heap: Heap::default(), lock_future: false };
        Arc::new(Self {
            table: Table::new(vm),
            limits,
            mmap_top: AtomicUsize::new(mmap_top),
            starved: AtomicBool::new(false),
            is_administrators: AtomicBool::new(false),
            layout: Mutex::new(()),
            state: SpinLock::new(state),
        })
    }

    /// Activates it on this CPU; cheap if it is active already.
    pub(crate) fn activate(&self) {
        self.table.vm().activate();
        budget::set_administrator(self.is_administrators());
    }

    /// Says whether its process may use the administrator's reserve of memory: it has `CAP_SYS_ADMIN`.
    ///
    /// Called by the process itself, for the address space that it is in.
    pub(crate) fn set_administrators(&self, is_administrators: bool) {
        self.is_administrators.store(is_administrators, Ordering::Relaxed);
        budget::set_administrator(is_administrators);
    }

    /// Returns whether its process may use the administrator's reserve.
    #[must_use]
    pub(crate) fn is_administrators(&self) -> bool {
        self.is_administrators.load(Ordering::Relaxed)
    }

    /// Returns the page table, for the copies in `user`.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// Returns OSTD's page table object.
    pub(super) fn vm(&self) -> &VmSpace {
        self.table.vm()
    }

    /// Notes that a copy failed for lack of memory, not because of a bad address.
    pub(super) fn note_starved(&self) {
        self.starved.store(true, Ordering::Relaxed);
    }

    /// Returns whether a copy failed for lack of memory since the last call.
    ///
    /// The system call then returned `EFAULT`, although the address was good. The thread checks this on its way to
    /// user mode and kills the process instead.
    #[must_use]
    pub(crate) fn take_starved(&self) -> bool {
        self.starved.load(Ordering::Relaxed) && self.starved.swap(false, Ordering::Relaxed)
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        let State { residency, .. } = self.state.get_mut();
        recycle::give(Empty { vm: self.table.vm().clone(), residency: core::mem::take(residency) });
    }
}
