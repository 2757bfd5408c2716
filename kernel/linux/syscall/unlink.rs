//! unlink(2), unlinkat(2), rmdir(2).
//!
//! Source: Linux 6.1 fs/namei.c (`do_unlinkat`, `do_rmdir`).

use rules::linux::abi::at::{AT_FDCWD, AtFlags};

use super::at;
use super::context::{Context, SysResult};
use crate::linux::fs::namei;

/// unlink(2).
pub(crate) fn unlink(cx: &mut Context<'_>, path: usize) -> SysResult {
    unlinkat(cx, AT_FDCWD, path, 0)
}

/// rmdir(2).
pub(crate) fn rmdir(cx: &mut Context<'_>, path: usize) -> SysResult {
    unlinkat(cx, AT_FDCWD, path, AtFlags::REMOVEDIR.bits())
}

/// unlinkat(2).
pub(crate) fn unlinkat(cx: &mut Context<'_>, directory: i32, path: usize, flags: u32) -> SysResult {
    let flags = at::flags(flags, AtFlags::REMOVEDIR)?;
    let path = cx.path(path)?;
    let origin = cx.origin_at(directory, &path)?;
    if flags.contains(AtFlags::REMOVEDIR) {
        namei::remove_directory(&origin, &path)?;
    } else {
        namei::unlink(&origin, &path)?;
    }
    Ok(0)
}
