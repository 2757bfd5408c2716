//! symlink(2), symlinkat(2).
//!
//! Source: Linux 6.1 fs/namei.c (`do_symlinkat`).

use model::abi::at::AT_FDCWD;
use model::abi::errno::Errno;
use model::abi::mode::Permissions;

use super::at::Caller;
use crate::fs::name::NewFile;

type SysResult = Result<usize, Errno>;

/// symlink(2).
pub(crate) fn symlink(caller: &Caller<'_>, target: usize, path: usize) -> SysResult {
    symlinkat(caller, target, AT_FDCWD, path)
}

/// symlinkat(2).
pub(crate) fn symlinkat(caller: &Caller<'_>, target: usize, directory: i32, path: usize) -> SysResult {
    let target = caller.path(target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    caller.make(directory, path, NewFile::Symlink(target.into()), Permissions::empty())
}
