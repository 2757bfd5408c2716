//! mknod(2), mknodat(2).
//!
//! Source: Linux 6.1 fs/namei.c (`do_mknodat`, `may_mknod`).

use rules::abi::errno::Errno;
use rules::abi::mode::{FileType, Permissions};
use rules::linux::abi::at::AT_FDCWD;
use rules::linux::abi::device::DeviceNumber;
use rules::linux::capability::Capability;

use super::context::{Context, SysResult};
use crate::linux::fs::fifo::Fifo;
use crate::linux::fs::namei::NewFile;
use crate::linux::fs::tmpfs::inode::{Content, DeviceKind};

/// mknod(2).
pub(crate) fn mknod(cx: &mut Context<'_>, path: usize, mode: u32, device: u32) -> SysResult {
    mknodat(cx, AT_FDCWD, path, mode, device)
}

/// mknodat(2).
pub(crate) fn mknodat(
    cx: &mut Context<'_>,
    directory: i32,
    path: usize,
    mode: u32,
    device: u32,
) -> SysResult {
    let device = DeviceNumber::decode(device);
    let file_type = match mode & FileType::MASK {
        0 => FileType::Regular,
        _ => FileType::from_mode(mode).ok_or(Errno::EINVAL)?,
    };
    let new = match file_type {
        FileType::Regular => NewFile::Regular,
        FileType::Fifo => NewFile::Special(Content::Fifo(Fifo::new())),
        FileType::Socket => NewFile::Special(Content::Socket),
        FileType::Directory => return Err(Errno::EPERM),
        FileType::Symlink => return Err(Errno::EINVAL),
        FileType::CharacterDevice | FileType::BlockDevice if !cx.credentials().can(Capability::MKNOD) => {
            return Err(Errno::EPERM);
        }
        FileType::CharacterDevice => NewFile::Special(Content::Device(DeviceKind::Character, device)),
        FileType::BlockDevice => NewFile::Special(Content::Device(DeviceKind::Block, device)),
    };
    cx.make(directory, path, new, Permissions::from_mode(mode))
}
