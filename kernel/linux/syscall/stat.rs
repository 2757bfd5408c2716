//! stat(2), lstat(2), fstat(2), newfstatat(2), statx(2).
//!
//! Not here: filling the structures (`fs/stat`).
//! Source: Linux 6.1 fs/stat.c.

use rules::abi::errno::Errno;
use rules::abi::stat::{STATX_FILLED, Stat, Statx, StatxTimestamp};
use rules::core::fd::Fd;
use rules::linux::abi::at::{AT_FDCWD, AtFlags};
use rules::linux::abi::device::DeviceNumber;

use super::at::{self, FoundFile, Lookup};
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::stat;
use crate::linux::fs::tmpfs::inode::Content;
use crate::machine::memory::user::UserPtr;

/// stat(2).
pub(crate) fn stat(cx: &mut Context<'_>, path: usize, to: usize) -> SysResult {
    let location = cx.locate(AT_FDCWD, path, Lookup::FOLLOW)?;
    write(cx, to, &stat::stat(&location.inode))
}

/// lstat(2).
pub(crate) fn lstat(cx: &mut Context<'_>, path: usize, to: usize) -> SysResult {
    let location = cx.locate(AT_FDCWD, path, Lookup::KEEP)?;
    write(cx, to, &stat::stat(&location.inode))
}

/// fstat(2).
pub(crate) fn fstat(cx: &mut Context<'_>, fd: Fd, to: usize) -> SysResult {
    write(cx, to, &cx.files().get_any(fd)?.stat())
}

/// newfstatat(2), the system call behind fstatat(3).
pub(crate) fn newfstatat(
    cx: &mut Context<'_>,
    directory: i32,
    path: usize,
    to: usize,
    flags: u32,
) -> SysResult {
    let flags = at::flags(flags, LOOKUP | AtFlags::STATX_FORCE_SYNC | AtFlags::STATX_DONT_SYNC)?;
    let stat = match cx.find(directory, path, Lookup::with(flags))? {
        FoundFile::Place(location) => stat::stat(&location.inode),
        FoundFile::Elsewhere(file) => file.stat(),
    };
    write(cx, to, &stat)
}

/// statx(2). Returns all fields, whatever `mask` requests.
pub(crate) fn statx(
    cx: &mut Context<'_>,
    directory: i32,
    path: usize,
    flags: u32,
    mask: u32,
    to: usize,
) -> SysResult {
    const RESERVED: u32 = 0x8000_0000;
    let sync = AtFlags::STATX_FORCE_SYNC | AtFlags::STATX_DONT_SYNC;
    let flags = at::flags(flags, LOOKUP | sync)?;
    if mask & RESERVED != 0 || flags.contains(sync) {
        return Err(Errno::EINVAL);
    }
    let statx = match cx.find(directory, path, Lookup::with(flags))? {
        FoundFile::Place(location) if matches!(location.inode.content(), Content::Nameless(_)) => {
            extended(&stat::stat(&location.inode))
        }
        FoundFile::Place(location) => stat::statx(&location),
        FoundFile::Elsewhere(file) => extended(&file.stat()),
    };
    UserPtr::new(cx.space(), to).write(&statx)?;
    Ok(0)
}

const LOOKUP: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::NO_AUTOMOUNT).union(AtFlags::EMPTY_PATH);

fn write(cx: &mut Context<'_>, to: usize, stat: &Stat) -> SysResult {
    UserPtr::new(cx.space(), to).write(stat)?;
    Ok(0)
}

/// Converts a `struct stat` to a `struct statx`.
fn extended(stat: &Stat) -> Statx {
    const STATX_BTIME: u32 = 0x800;
    let stamp = |[seconds, nanoseconds]: [i64; 2]| StatxTimestamp {
        seconds,
        nanoseconds: nanoseconds as u32,
        ..StatxTimestamp::default()
    };
    let pair = |encoded: u64| {
        let device = DeviceNumber::decode(encoded as u32);
        [device.major, device.minor]
    };
    Statx {
        mask: STATX_FILLED & !STATX_BTIME,
        block_size: stat.block_size as u32,
        links: stat.links as u32,
        uid: stat.uid,
        gid: stat.gid,
        mode: stat.mode as u16,
        inode: stat.inode,
        size: stat.size.cast_unsigned(),
        blocks: stat.blocks.cast_unsigned(),
        accessed: stamp(stat.accessed),
        modified: stamp(stat.modified),
        changed: stamp(stat.changed),
        special_device: pair(stat.special_device),
        device: pair(stat.device),
        ..Statx::default()
    }
}
