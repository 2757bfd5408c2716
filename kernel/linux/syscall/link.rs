//! link(2), linkat(2).
//!
//! Source: Linux 6.1 fs/namei.c (`do_linkat`).

use rules::abi::errno::Errno;
use rules::linux::abi::at::{AT_FDCWD, AtFlags};
use rules::linux::capability::Capability;

use super::at::{self, FoundFile, Lookup};
use super::context::{Context, SysResult};
use crate::linux::fs::namei;
use crate::linux::fs::path::LastLink;

/// link(2).
pub(crate) fn link(cx: &mut Context<'_>, old: usize, new: usize) -> SysResult {
    linkat(cx, AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// linkat(2).
pub(crate) fn linkat(
    cx: &mut Context<'_>,
    old_directory: i32,
    old: usize,
    new_directory: i32,
    new: usize,
    flags: u32,
) -> SysResult {
    let flags = at::flags(flags, AtFlags::SYMLINK_FOLLOW | AtFlags::EMPTY_PATH)?;
    if flags.contains(AtFlags::EMPTY_PATH) && !cx.credentials().can(Capability::DAC_READ_SEARCH) {
        return Err(Errno::ENOENT);
    }
    let follows = flags.contains(AtFlags::SYMLINK_FOLLOW);
    let lookup = Lookup {
        last_link: if follows { LastLink::Follow } else { LastLink::Keep },
        empty_path: Lookup::with(flags).empty_path,
    };
    let FoundFile::Place(file) = cx.find(old_directory, old, lookup)? else {
        // Pipes and sockets are in file systems of their own.
        return Err(Errno::EXDEV);
    };
    let path = cx.path(new)?;
    namei::link(&cx.origin_at(new_directory, &path)?, &file, &path)?;
    Ok(0)
}
