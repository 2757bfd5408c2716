//! statfs(2), fstatfs(2).
//!
//! Source: Linux 6.1 fs/statfs.c.

use rules::abi::stat::Statfs;
use rules::core::fd::Fd;
use rules::linux::abi::at::AT_FDCWD;

use super::at::{self, Lookup};
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::stat;
use crate::machine::memory::user::UserPtr;

/// statfs(2).
pub(crate) fn statfs(cx: &mut Context<'_>, path: usize, to: usize) -> SysResult {
    let location = cx.locate(AT_FDCWD, path, Lookup::FOLLOW)?;
    UserPtr::new(cx.space(), to).write(&stat::statfs(&location))?;
    Ok(0)
}

/// fstatfs(2).
pub(crate) fn fstatfs(cx: &mut Context<'_>, fd: Fd, to: usize) -> SysResult {
    /// `ANON_INODE_FS_MAGIC`: for files that are not in the tree.
    const ANONYMOUS: i64 = 0x0904_1934;
    let file = cx.files().get_any(fd)?;
    let statfs = match at::place(&file) {
        Some(location) => stat::statfs(location),
        None => Statfs { magic: ANONYMOUS, block_size: 4096, name_length: 255, ..Statfs::default() },
    };
    UserPtr::new(cx.space(), to).write(&statfs)?;
    Ok(0)
}
