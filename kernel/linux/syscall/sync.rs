//! sync(2), fsync(2), fdatasync(2), syncfs(2): without a disk there is nothing to write back.
//!
//! Source: Linux 6.1 fs/sync.c.

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::core::fd::Fd;

use super::at;
use super::context::{Caller, Context, SysResult};

/// fsync(2) and fdatasync(2).
///
/// # Errors
/// `EBADF`: not open. `EINVAL`: a file without contents, such as a pipe or a device.
pub(crate) fn fsync(cx: &mut Context<'_>, fd: Fd) -> SysResult {
    let file = cx.files().get(fd)?;
    let file_type = at::place(&file).map(|place| place.inode.file_type());
    match file_type {
        Some(FileType::Regular | FileType::Directory) => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// syncfs(2).
pub(crate) fn syncfs(cx: &mut Context<'_>, fd: Fd) -> SysResult {
    cx.files().get(fd)?;
    Ok(0)
}

/// sync(2).
pub(crate) fn sync() -> SysResult {
    Ok(0)
}
