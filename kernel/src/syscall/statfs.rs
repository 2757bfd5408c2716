//! statfs(2), fstatfs(2).
//!
//! Source: Linux 6.1 fs/statfs.c.

use model::abi::at::AT_FDCWD;
use model::abi::errno::Errno;
use model::abi::stat::Statfs;

use super::at::{self, Caller, Lookup};
use crate::fs::stat;
use crate::memory::user::UserPtr;

type SysResult = Result<usize, Errno>;

/// statfs(2).
pub(crate) fn statfs(caller: &Caller<'_>, path: usize, to: usize) -> SysResult {
    let location = caller.locate(AT_FDCWD, path, Lookup::FOLLOW)?;
    UserPtr::new(caller.space, to).write(&stat::statfs(&location))?;
    Ok(0)
}

/// fstatfs(2).
pub(crate) fn fstatfs(caller: &Caller<'_>, fd: u32, to: usize) -> SysResult {
    /// `ANON_INODE_FS_MAGIC`: of files that are in no tree.
    const ANONYMOUS: i64 = 0x0904_1934;
    let file = caller.any_file(fd)?;
    let statfs = match at::place(&file) {
        Some(location) => stat::statfs(&location),
        None => Statfs { magic: ANONYMOUS, block_size: 4096, name_length: 255, ..Statfs::default() },
    };
    UserPtr::new(caller.space, to).write(&statfs)?;
    Ok(0)
}
