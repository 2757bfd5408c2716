//! mkdir(2), mkdirat(2).
//!
//! Source: Linux 6.1 fs/namei.c (`do_mkdirat`).

use model::abi::at::AT_FDCWD;
use model::abi::errno::Errno;
use model::abi::mode::Permissions;

use super::at::Caller;
use crate::fs::name::NewFile;

type SysResult = Result<usize, Errno>;

/// mkdir(2).
pub(crate) fn mkdir(caller: &Caller<'_>, path: usize, mode: u32) -> SysResult {
    mkdirat(caller, AT_FDCWD, path, mode)
}

/// mkdirat(2).
pub(crate) fn mkdirat(caller: &Caller<'_>, directory: i32, path: usize, mode: u32) -> SysResult {
    caller.make(directory, path, NewFile::Directory, Permissions::from_mode(mode & 0o1777))
}
