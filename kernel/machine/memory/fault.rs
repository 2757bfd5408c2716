//! Page faults: what was tried, why it cannot be, and the entry for faults of the kernel itself.
//!
//! Owns: the types, and faults that happen while the kernel copies from or to user memory.
//! Not here: how a fault is resolved (space), signals for faults of user mode (task).

use ostd::arch::cpu::context::{CpuException, PageFaultErrorCode};

use super::space::AddressSpace;

/// What was tried at the address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// A load.
    Read,
    /// A store, or an atomic read-modify-write.
    Write,
    /// An instruction fetch.
    Execute,
}

impl Access {
    /// What the processor says was tried.
    #[must_use]
    pub(crate) fn from_error_code(code: PageFaultErrorCode) -> Self {
        if code.contains(PageFaultErrorCode::WRITE) {
            Self::Write
        } else if code.contains(PageFaultErrorCode::INSTRUCTION) {
            Self::Execute
        } else {
            Self::Read
        }
    }
}

/// Why the access cannot be made possible.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FaultError {
    /// Nothing is mapped there: `SIGSEGV` with `SEGV_MAPERR`.
    NotMapped,
    /// What is mapped there does not allow it: `SIGSEGV` with `SEGV_ACCERR`.
    Denied,
    /// The file behind the mapping ends before: `SIGBUS` with `BUS_ADRERR`.
    BeyondEnd,
    /// Only the reserve is left. If [`super::reclaim::pending`] says that memory is about to become free,
    /// a switch to another task and a second try may help; otherwise the process is killed.
    OutOfMemory,
}

/// Resolves a page fault of the kernel on an address of the current task's `space`.
///
/// Called with spin locks held (ranks 1 to 3): takes only the address space's own lock and never sleeps.
///
/// # Errors
/// Nothing, where the access cannot be made possible: the copy that faulted ends short.
pub(crate) fn resolve_kernel_fault(exception: &CpuException, space: &AddressSpace) -> Result<(), ()> {
    let CpuException::PageFault(info) = exception else { return Err(()) };
    let access = Access::from_error_code(info.error_code);
    space.fault(info.addr, access).map_err(|error| {
        if error == FaultError::OutOfMemory {
            space.note_starved();
        }
    })
}
