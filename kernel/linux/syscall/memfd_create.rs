//! memfd_create(2).
//!
//! Missing: huge pages (`ENOSYS`, as on a Linux without them).
//! Source: Linux 6.1 mm/memfd.c.

use bitflags::bitflags;
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::core::fd::{Fd, OnExec};
use rules::linux::path::NAME_MAX;
use rules::linux::seals::Seals;

use super::context::{Caller, Context, SysResult};
use crate::linux::fs::memfd;
use crate::machine::memory::user;

bitflags! {
    /// Flags of memfd_create(2).
    #[derive(Clone, Copy)]
    struct MemfdFlags: u32 {
        /// `MFD_CLOEXEC`.
        const CLOSE_ON_EXEC = 1;
        /// `MFD_ALLOW_SEALING`.
        const ALLOW_SEALING = 2;
        /// `MFD_HUGETLB`.
        const HUGE = 4;
    }
}

/// The bits of the flags that encode the size of huge pages.
const HUGE_SIZE: u32 = 0x3f << 26;

/// memfd_create(2).
///
/// # Errors
/// `EINVAL`: unknown flags, or the name is too long. `EFAULT`: the name is not readable. `ENOSYS`: huge pages.
/// `EMFILE`, `ENOSPC`, `ENOMEM`.
pub(crate) fn memfd_create(cx: &mut Context<'_>, name: usize, flags: u32) -> SysResult {
    /// `memfd:` and the name must not exceed `NAME_MAX`.
    const LONGEST: usize = NAME_MAX - 6;
    let size = if flags & MemfdFlags::HUGE.bits() != 0 { HUGE_SIZE } else { 0 };
    let flags = MemfdFlags::from_bits(flags & !size).ok_or(Errno::EINVAL)?;
    let name = user::read_string(cx.space(), name, LONGEST + 1).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        error => error,
    })?;
    if flags.contains(MemfdFlags::HUGE) {
        return Err(Errno::ENOSYS);
    }
    let seals = if flags.contains(MemfdFlags::ALLOW_SEALING) { Seals::empty() } else { Seals::SEAL };
    let reserved = cx.files().reserve(Fd::new(0), cx.file_limit())?;
    let opened = memfd::create(&name, seals, &cx.credentials())?;
    let file = opened.describe(AccessMode::ReadWrite, OpenFlags::LARGE_FILE)?;
    let on_exec = if flags.contains(MemfdFlags::CLOSE_ON_EXEC) { OnExec::Close } else { OnExec::Keep };
    Ok(reserved.commit(file, on_exec).index())
}
