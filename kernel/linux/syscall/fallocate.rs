//! fallocate(2).
//!
//! Source: Linux 6.1 fs/open.c (`vfs_fallocate`), mm/shmem.c (`shmem_fallocate`).

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::abi::open::AccessMode;
use rules::core::fd::Fd;
use rules::core::seek::OFFSET_MAX;

use super::at;
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::tmpfs::inode::Content;

/// fallocate(2): allocates the pages of a range, or makes a hole.
pub(crate) fn fallocate(cx: &mut Context<'_>, fd: Fd, mode: u32, offset: i64, length: i64) -> SysResult {
    const KEEP_SIZE: u32 = 1;
    const PUNCH_HOLE: u32 = 2;
    let file = cx.files().get(fd)?;
    let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    let length = u64::try_from(length).ok().filter(|length| *length > 0).ok_or(Errno::EINVAL)?;
    if mode & !(KEEP_SIZE | PUNCH_HOLE) != 0 || mode == PUNCH_HOLE {
        return Err(Errno::EOPNOTSUPP);
    }
    file.require_write()?;
    let end = offset.checked_add(length).filter(|end| *end <= OFFSET_MAX).ok_or(Errno::EFBIG)?;
    let inode = &at::place(&file).ok_or(Errno::ESPIPE)?.inode;
    let Content::Regular(regular) = inode.content() else {
        return Err(match inode.file_type() {
            FileType::Fifo => Errno::ESPIPE,
            FileType::Directory => Errno::EISDIR,
            _ => Errno::ENODEV,
        });
    };
    inode.drop_rights(&cx.credentials());
    if mode & PUNCH_HOLE != 0 {
        regular.punch_hole(inode.superblock(), offset, length)?;
    } else {
        regular.fill_holes(inode.superblock(), offset..end)?;
        if mode & KEEP_SIZE == 0 && end > regular.size() {
            regular.extend(end);
        }
    }
    inode.with_attributes(|attributes| attributes.mark_modified());
    file.tell(AccessMode::Write, 1);
    Ok(0)
}
