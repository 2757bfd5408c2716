//! mkdir(2), mkdirat(2).
//!
//! Source: Linux 6.1 fs/namei.c (`do_mkdirat`).

use rules::abi::mode::Permissions;
use rules::linux::abi::at::AT_FDCWD;

use super::context::{Context, SysResult};
use crate::linux::fs::namei::NewFile;

/// mkdir(2).
pub(crate) fn mkdir(cx: &mut Context<'_>, path: usize, mode: u32) -> SysResult {
    mkdirat(cx, AT_FDCWD, path, mode)
}

/// mkdirat(2).
pub(crate) fn mkdirat(cx: &mut Context<'_>, directory: i32, path: usize, mode: u32) -> SysResult {
    cx.make(directory, path, NewFile::Directory, Permissions::from_mode(mode & 0o1777))
}
