//! getdents64(2).
//!
//! Source: Linux 6.1 fs/readdir.c.

use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::abi::mode::FileType;
use rules::abi::open::AccessMode;
use rules::core::fd::Fd;

use super::at;
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::mount::Location;
use crate::linux::fs::tmpfs::directory::FIRST_COOKIE;
use crate::machine::memory::user::UserSlice;

/// getdents64(2). The file offset is the cookie of the next entry.
pub(crate) fn getdents64(cx: &mut Context<'_>, fd: Fd, to: usize, size: u32) -> SysResult {
    /// The most bytes that one call returns.
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
    // At the end as well.
    file.tell(AccessMode::Read, 1);
    Ok(records.bytes.len())
}

/// A sequence of `struct linux_dirent64`.
struct Records {
    bytes: Vec<u8>,
    size: usize,
    next: u64,
}

impl Records {
    /// Appends an entry whose successor has the cookie `next`; returns false if there is no room.
    fn add(&mut self, name: &[u8], inode: u64, file_type: FileType, next: u64) -> bool {
        /// The fields before the name: inode number, offset, length, type.
        const HEADER: usize = 8 + 8 + 2 + 1;
        let length = (HEADER + name.len() + 1).next_multiple_of(8);
        if self.bytes.len() + length > self.size {
            return false;
        }
        let end = self.bytes.len() + length;
        self.bytes.extend(inode.to_le_bytes());
        self.bytes.extend(next.to_le_bytes());
        // Fits into 16 bits: a name has at most 255 bytes.
        self.bytes.extend((length as u16).to_le_bytes());
        self.bytes.push(file_type.to_dirent());
        self.bytes.extend_from_slice(name);
        self.bytes.resize(end, 0);
        self.next = next;
        true
    }
}

/// Appends entries; returns whether it stopped for lack of room, not at the end.
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
