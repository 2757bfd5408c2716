//! rename(2), renameat(2), renameat2(2).
//!
//! Missing: RENAME_WHITEOUT (`EINVAL`).
//! Source: Linux 6.1 fs/namei.c (`do_renameat2`).

use rules::abi::errno::Errno;
use rules::linux::abi::at::AT_FDCWD;

use super::context::{Context, SysResult};
use crate::linux::fs::namei::{self, PathAt};
use crate::linux::fs::tmpfs::rename::ExistingName;

/// rename(2).
pub(crate) fn rename(cx: &mut Context<'_>, old: usize, new: usize) -> SysResult {
    renameat2(cx, AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// renameat(2).
pub(crate) fn renameat(
    cx: &mut Context<'_>,
    old_directory: i32,
    old: usize,
    new_directory: i32,
    new: usize,
) -> SysResult {
    renameat2(cx, old_directory, old, new_directory, new, 0)
}

/// renameat2(2).
pub(crate) fn renameat2(
    cx: &mut Context<'_>,
    old_directory: i32,
    old: usize,
    new_directory: i32,
    new: usize,
    flags: u32,
) -> SysResult {
    let taken = match flags {
        0 => ExistingName::Replace,
        1 => ExistingName::Refuse,
        2 => ExistingName::Exchange,
        _ => return Err(Errno::EINVAL),
    };
    let (old, new) = (cx.path(old)?, cx.path(new)?);
    let (from, to) = (cx.origin_at(old_directory, &old)?, cx.origin_at(new_directory, &new)?);
    namei::rename(PathAt { origin: &from, path: &old }, PathAt { origin: &to, path: &new }, taken)?;
    Ok(0)
}
