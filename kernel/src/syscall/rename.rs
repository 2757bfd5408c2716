//! rename(2), renameat(2), renameat2(2).
//!
//! Missing: RENAME_WHITEOUT (`EINVAL`).
//! Source: Linux 6.1 fs/namei.c (`do_renameat2`).

use model::abi::at::AT_FDCWD;
use model::abi::errno::Errno;

use super::at::Caller;
use crate::fs::name;
use crate::fs::tmpfs::rename::Taken;

type SysResult = Result<usize, Errno>;

/// rename(2).
pub(crate) fn rename(caller: &Caller<'_>, old: usize, new: usize) -> SysResult {
    renameat2(caller, AT_FDCWD, old, AT_FDCWD, new, 0)
}

/// renameat(2).
pub(crate) fn renameat(
    caller: &Caller<'_>,
    old_directory: i32,
    old: usize,
    new_directory: i32,
    new: usize,
) -> SysResult {
    renameat2(caller, old_directory, old, new_directory, new, 0)
}

/// renameat2(2).
pub(crate) fn renameat2(
    caller: &Caller<'_>,
    old_directory: i32,
    old: usize,
    new_directory: i32,
    new: usize,
    flags: u32,
) -> SysResult {
    let taken = match flags {
        0 => Taken::Replace,
        1 => Taken::Refuse,
        2 => Taken::Exchange,
        _ => return Err(Errno::EINVAL),
    };
    let (old, new) = (caller.path(old)?, caller.path(new)?);
    let (from, to) = (caller.origin(old_directory, &old)?, caller.origin(new_directory, &new)?);
    name::rename((&from, &old), (&to, &new), taken)?;
    Ok(0)
}
