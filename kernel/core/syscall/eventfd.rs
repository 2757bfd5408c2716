//! eventfd(2), eventfd2(2).
//!
//! Not here: the counter (`core/object/eventfd`).

use bitflags::bitflags;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::eventfd::EventFdMode;
use rules::core::fd::{Fd, OnExec};

use super::caller::{Caller, SysResult};
use crate::core::object::eventfd;

bitflags! {
    /// The flags of eventfd(2).
    struct EventFdFlags: u32 {
        /// `EFD_SEMAPHORE`.
        const SEMAPHORE = 1;
        /// `EFD_NONBLOCK`.
        const NONBLOCK = OpenFlags::NONBLOCK.bits();
        /// `EFD_CLOEXEC`.
        const CLOSE_ON_EXEC = OpenFlags::CLOSE_ON_EXEC.bits();
    }
}

/// Makes an eventfd that starts at `initial` and returns its descriptor; the system call without flags.
///
/// # Errors
/// As [`eventfd2`].
pub(crate) fn eventfd(cx: &mut impl Caller, initial: u32) -> SysResult {
    eventfd2(cx, initial, 0)
}

/// Performs [`eventfd()`] with flags; the C library's eventfd(3).
///
/// # Errors
/// `EINVAL`: an unknown flag. `EMFILE`: no number is free. `ENOMEM`.
pub(crate) fn eventfd2(cx: &mut impl Caller, initial: u32, flags: u32) -> SysResult {
    let known = EventFdFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let mode =
        if known.contains(EventFdFlags::SEMAPHORE) { EventFdMode::Semaphore } else { EventFdMode::Counter };
    let flags = OpenFlags::from_bits_truncate(flags);
    let file = eventfd::create(initial, mode, flags)?;
    cx.files().open(file, OnExec::from_flags(flags), cx.file_limit()).map(Fd::index)
}
