//! symlink(2), symlinkat(2).
//!
//! Source: Linux 6.1 fs/namei.c (`do_symlinkat`).

use rules::abi::errno::Errno;
use rules::abi::mode::Permissions;
use rules::linux::abi::at::AT_FDCWD;

use super::context::{Context, SysResult};
use crate::linux::fs::namei::NewFile;

/// symlink(2).
pub(crate) fn symlink(cx: &mut Context<'_>, target: usize, path: usize) -> SysResult {
    symlinkat(cx, target, AT_FDCWD, path)
}

/// symlinkat(2).
pub(crate) fn symlinkat(cx: &mut Context<'_>, target: usize, directory: i32, path: usize) -> SysResult {
    let target = cx.path(target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    cx.make(directory, path, NewFile::Symlink(target.into()), Permissions::empty())
}
