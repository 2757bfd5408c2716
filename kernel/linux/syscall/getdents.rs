//! getdents64(2).
//!
//! Source: Linux 6.1 fs/readdir.c.

use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::core::fd::Fd;

use super::at;
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::mount::Location;
use crate::linux::fs::tmpfs::directory::FIRST_COOKIE;
use crate::machine::memory::user::UserSlice;

/// getdents64(2). The offset of the open file is the cookie of the next entry.
pub(crate) fn getdents64(cx: &mut Context<'_>, fd: Fd, to: usize, size: u32) -> SysResult {
    /// What one call gathers at most; more takes another call.
    const GATHERED_MAX: usize = 64 << 10;
    let file = cx.files().get(fd)?;
    let location = at::place(&file).ok_or(Errno::ENOTDIR)?;
    location.inode.directory()?;
    let mut offset = file.offset();
    let mut records = Records { bytes: Vec::new(), size: (size as usize).min(GATHERED_MAX), next: *offset };
    let full = gather(location, &mut records)?;
    if records.bytes.is_empty() && full {
        return Err(Errno::EINVAL);
    }
    UserSlice::new(cx.space(), to, records.bytes.len())?.write_bytes(&records.bytes)?;
    *offset = records.next;
    Ok(records.bytes.len())
}

/// `struct linux_dirent64` one after another.
struct Records {
    bytes: Vec<u8>,
    size: usize,
    next: u64,
}

impl Records {
    /// Adds an entry, after which the one with cookie `next` follows; `false` if it has no room.
    fn add(&mut self, name: &[u8], inode: u64, file_type: FileType, next: u64) -> bool {
        /// Inode, offset, length, type.
        const HEADER: usize = 8 + 8 + 2 + 1;
        let length = (HEADER + name.len() + 1).next_multiple_of(8);
        if self.bytes.len() + length > self.size {
            return false;
        }
        let end = self.bytes.len() + length;
        self.bytes.extend(inode.to_le_bytes());
        self.bytes.extend(next.to_le_bytes());
        // A name is at most 255 bytes.
        self.bytes.extend((length as u16).to_le_bytes());
        self.bytes.push(file_type.to_dirent());
        self.bytes.extend_from_slice(name);
        self.bytes.resize(end, 0);
        self.next = next;
        true
    }
}

/// Adds entries until there is no room, which it tells, or no entry.
fn gather(location: &Location, records: &mut Records) -> Result<bool, Errno> {
    let inode = &location.inode;
    if records.next == 0 && !records.add(b".", inode.number(), FileType::Directory, 1) {
        return Ok(true);
    }
    if records.next == 1 {
        let parent = location.parent().map_or(inode.number(), |parent| parent.inode.number());
        if !records.add(b"..", parent, FileType::Directory, FIRST_COOKIE) {
            return Ok(true);
        }
    }
    let mut full = false;
    inode.directory()?.visit(records.next, |entry, next| {
        full = !records.add(entry.name, entry.number, entry.file_type, next);
        !full
    });
    inode.with_attributes(|attributes| attributes.mark_accessed());
    Ok(full)
}
