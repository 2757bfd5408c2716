//! copy_file_range(2).
//!
//! Source: Linux 6.1 fs/read_write.c (`vfs_copy_file_range`, `generic_copy_file_checks`).

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::abi::open::OpenFlags;
use rules::core::fd::Fd;
use rules::core::seek::OFFSET_MAX;

use super::context::{Caller, Context, SysResult};
use super::{file_size, sendfile};
use crate::core::file::description::OpenFile;
use crate::core::syscall::buffers::Position;
use crate::core::syscall::write;
use crate::machine::memory::user::{MAX_RW_COUNT, UserPtr};

/// A file descriptor, and the address of an offset, or null for the file's own offset.
pub(crate) type CopyEnd = (Fd, usize);

/// Copies at most `count` bytes from one regular file to another, or within one, and returns how many. Both offsets
/// advance.
///
/// # Errors
/// Nothing was copied. `EBADF`: not open for this, or `O_APPEND`. `EINVAL`: a flag is set, a file is not regular, an
/// offset is negative, or the ranges overlap in one file. `EISDIR`: a directory. `EXDEV`: files of two file systems.
/// `EOVERFLOW`: a range ends beyond the largest offset. `EFBIG`: beyond the largest file size. `EFAULT`: an offset is
/// not accessible. Those of read(2) and write(2).
pub(crate) fn copy_file_range(
    cx: &mut Context<'_>,
    from: CopyEnd,
    to: CopyEnd,
    count: usize,
    flags: u32,
) -> SysResult {
    let files = cx.files();
    let (from_file, to_file) = (files.get(from.0)?, files.get(to.0)?);
    let from_offset = UserPtr::<u64>::new(cx.space(), from.1);
    let to_offset = UserPtr::<u64>::new(cx.space(), to.1);
    let start = if from_offset.is_null() { *from_file.offset() } else { from_offset.read()? };
    let target = if to_offset.is_null() { *to_file.offset() } else { to_offset.read()? };
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    check_kinds(&from_file, &to_file)?;
    if start.checked_add(count as u64).is_none() || target.checked_add(count as u64).is_none() {
        return Err(Errno::EOVERFLOW);
    }
    let (from_stat, to_stat) = (from_file.stat(), to_file.stat());
    let rest = from_stat.size.cast_unsigned().saturating_sub(start);
    let count = count.min(usize::try_from(rest).unwrap_or(usize::MAX)).min(MAX_RW_COUNT);
    let room = file_size::room(cx, &to_file, Position::At(target), OpenFlags::empty())?;
    let count = count.min(room.unwrap_or(count));
    let is_same = (from_stat.device, from_stat.inode) == (to_stat.device, to_stat.inode);
    if is_same && target.saturating_add(count as u64) > start && target < start.saturating_add(count as u64) {
        return Err(Errno::EINVAL);
    }
    if from_stat.device != to_stat.device {
        return Err(Errno::EXDEV);
    }
    if start > OFFSET_MAX || target > OFFSET_MAX {
        return Err(Errno::EINVAL);
    }
    if count == 0 {
        return Ok(0);
    }
    let (mut position, mut goal) = (start, target);
    let copied = sendfile::copy(cx, &from_file, &mut position, count, |from| {
        write::write_all(cx, &to_file, from, |from| {
            let written = to_file.write_at(goal, from, OpenFlags::empty());
            written.map_ok(|written| {
                goal += written as u64;
                written
            })
        })
    })?;
    sendfile::tell(&from_file, &to_file, copied);
    move_offset(&from_file, &from_offset, start + copied as u64)?;
    move_offset(&to_file, &to_offset, target + copied as u64)?;
    Ok(copied)
}

fn check_kinds(from: &OpenFile, to: &OpenFile) -> Result<(), Errno> {
    let kinds = [from, to].map(|file| FileType::from_mode(file.stat().mode));
    if kinds.contains(&Some(FileType::Directory)) {
        return Err(Errno::EISDIR);
    }
    if kinds.iter().any(|kind| *kind != Some(FileType::Regular)) {
        return Err(Errno::EINVAL);
    }
    from.require_read()?;
    to.require_write()?;
    if to.status().contains(OpenFlags::APPEND) { Err(Errno::EBADF) } else { Ok(()) }
}

fn move_offset(file: &OpenFile, pointer: &UserPtr<'_, u64>, offset: u64) -> Result<(), Errno> {
    if pointer.is_null() {
        *file.offset() = offset;
        return Ok(());
    }
    pointer.write(&offset)
}
