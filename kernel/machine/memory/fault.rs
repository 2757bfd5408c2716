//! Types of page faults, and the handler for faults of the kernel itself.
//!
//! Owns: the types; faults while the kernel copies from or to user memory.
//! Not here: resolving a fault (space), signals for faults in user mode (task).

use ostd::arch::cpu::context::{CpuException, PageFaultErrorCode};

use super::space::AddressSpace;

/// The kind of access that faulted.
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
    /// Decodes the access from the processor's error code.
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

/// Why a fault cannot be resolved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FaultError {
    /// Nothing is mapped there: `SIGSEGV` with `SEGV_MAPERR`.
    NotMapped,
    /// The area does not allow the access: `SIGSEGV` with `SEGV_ACCERR`.
    Denied,
    /// The mapped file ends before the page: `SIGBUS` with `BUS_ADRERR`.
    BeyondEnd,
    /// Only the reserve is left. If [`super::reclaim::pending`] is not zero, a retry after a task switch may succeed;
    /// otherwise the process is killed.
    OutOfMemory,
}

/// Resolves a page fault of the kernel at an address of the current task's `space`.
///
/// It is called with spin locks held (ranks 1 to 3), so it takes only the address space's own lock and never sleeps.
///
/// # Errors
/// The access is not possible; the copy that faulted ends short.
pub(crate) fn resolve_kernel_fault(exception: &CpuException, space: &AddressSpace) -> Result<(), ()> {
    let CpuException::PageFault(info) = exception else { return Err(()) };
    let access = Access::from_error_code(info.error_code);
    space.fault(info.addr, access).map_err(|error| {
        if error == FaultError::OutOfMemory {
            space.note_starved();
        }
    })
}
