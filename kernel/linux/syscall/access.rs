//! access(2), faccessat(2), faccessat2(2).
//!
//! Source: Linux 6.1 fs/open.c (`do_faccessat`).

use rules::abi::errno::Errno;
use rules::linux::abi::at::{AT_FDCWD, AtFlags};
use rules::linux::access::Access;

use super::at::{self, FoundFile, Lookup};
use super::context::{Context, SysResult};

/// access(2).
pub(crate) fn access(cx: &mut Context<'_>, path: usize, mode: u32) -> SysResult {
    faccessat2(cx, AT_FDCWD, path, mode, 0)
}

/// faccessat(2), whose system call has no flags.
pub(crate) fn faccessat(cx: &mut Context<'_>, directory: i32, path: usize, mode: u32) -> SysResult {
    faccessat2(cx, directory, path, mode, 0)
}

/// faccessat2(2): checks with the real IDs, or with the effective ones for `AT_EACCESS`.
pub(crate) fn faccessat2(
    cx: &mut Context<'_>,
    directory: i32,
    path: usize,
    mode: u32,
    flags: u32,
) -> SysResult {
    let wanted = u16::try_from(mode).ok().and_then(Access::from_bits).ok_or(Errno::EINVAL)?;
    // AT_REMOVEDIR and AT_EACCESS are the same bit.
    let flags = at::flags(flags, AtFlags::REMOVEDIR | AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    if let FoundFile::Place(location) = cx.find(directory, path, Lookup::with(flags))? {
        let own = cx.credentials();
        let who = if flags.contains(AtFlags::REMOVEDIR) { own } else { own.real() };
        location.inode.check(&who, wanted)?;
    }
    Ok(0)
}
