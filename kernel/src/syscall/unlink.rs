//! unlink(2), unlinkat(2), rmdir(2).
//!
//! Source: Linux 6.1 fs/namei.c (`do_unlinkat`, `do_rmdir`).

use model::abi::at::{AT_FDCWD, AtFlags};
use model::abi::errno::Errno;

use super::at::{self, Caller};
use crate::fs::name;

type SysResult = Result<usize, Errno>;

/// unlink(2).
pub(crate) fn unlink(caller: &Caller<'_>, path: usize) -> SysResult {
    unlinkat(caller, AT_FDCWD, path, 0)
}

/// rmdir(2).
pub(crate) fn rmdir(caller: &Caller<'_>, path: usize) -> SysResult {
    unlinkat(caller, AT_FDCWD, path, AtFlags::REMOVEDIR.bits())
}

/// unlinkat(2).
pub(crate) fn unlinkat(caller: &Caller<'_>, directory: i32, path: usize, flags: u32) -> SysResult {
    let flags = at::flags(flags, AtFlags::REMOVEDIR)?;
    let path = caller.path(path)?;
    let origin = caller.origin(directory, &path)?;
    if flags.contains(AtFlags::REMOVEDIR) {
        name::remove_directory(&origin, &path)?;
    } else {
        name::unlink(&origin, &path)?;
    }
    Ok(0)
}
