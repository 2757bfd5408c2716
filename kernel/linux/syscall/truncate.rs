//! truncate(2), ftruncate(2).
//!
//! Source: Linux 6.1 fs/open.c (`do_sys_truncate`, `do_sys_ftruncate`).

use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::linux::abi::at::AT_FDCWD;
use rules::linux::access::Access;
use rules::linux::inotify::mask::Happened;

use super::at::{self, Lookup};
use super::context::{Caller, Context, SysResult};
use super::file_size;
use crate::linux::fs::notify;
use crate::linux::fs::tmpfs::inode::Inode;

/// truncate(2).
pub(crate) fn truncate(cx: &mut Context<'_>, path: usize, length: i64) -> SysResult {
    let length = u64::try_from(length).map_err(|_| Errno::EINVAL)?;
    file_size::check(cx, length)?;
    let location = cx.locate(AT_FDCWD, path, Lookup::FOLLOW)?;
    let inode = &location.inode;
    inode.regular()?;
    let who = cx.credentials();
    inode.check(&who, Access::WRITE)?;
    inode.drop_rights(&who);
    inode.truncate(length)?;
    notify::of_file(&location, Happened::MODIFY);
    Ok(0)
}

/// ftruncate(2).
pub(crate) fn ftruncate(cx: &mut Context<'_>, fd: Fd, length: i64) -> SysResult {
    let length = u64::try_from(length).map_err(|_| Errno::EINVAL)?;
    let file = cx.files().get(fd)?;
    if !file.access().writes() {
        return Err(Errno::EINVAL);
    }
    file_size::check(cx, length)?;
    let inode = file.downcast::<Inode>().ok_or(Errno::EINVAL)?;
    inode.drop_rights(&cx.credentials());
    inode.truncate(length)?;
    if let Some(location) = at::place(&file) {
        notify::of_file(location, Happened::MODIFY);
    }
    Ok(0)
}
