//! Inodes as files: reads and writes of regular files, and the offsets of directories.
//!
//! Not here: devices and FIFOs, which an inode only names (`fs/open`); the bytes (`tmpfs/regular`).
//!
//! Opening a file adds no state to its contents, so the inode itself is the file of all its open file descriptions.
//! Source: Linux 6.1 mm/shmem.c, fs/libfs.c (`dcache_dir_lseek`).

use alloc::sync::Arc;
use core::task::Poll;

use rules::abi::errno::Errno;
use rules::core::seek::{self, Whence};
use rules::linux::credentials::Credentials;
use rules::linux::inotify::mask::Happened;

use super::notify;
use super::tmpfs::inode::{Content, Inode};
use super::tmpfs::regular::{Position, Regular};
use crate::core::event::class::Class;
use crate::core::file::traits::File;
use crate::machine::memory::pages::Pages;
use crate::machine::memory::transfer::{Sink, Source};

impl Inode {
    /// Returns the contents of a regular file.
    ///
    /// # Errors
    /// `EISDIR`: a directory. `EINVAL`: a file without a length.
    pub(crate) fn regular(&self) -> Result<&Regular, Errno> {
        match self.content() {
            Content::Regular(regular) => Ok(regular),
            Content::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Truncates a regular file to `len` bytes or extends it with zeros, and updates its times.
    ///
    /// # Errors
    /// Nothing was changed. `EFBIG`: beyond the largest offset. Those of [`Inode::regular`].
    pub(crate) fn truncate(&self, len: u64) -> Result<(), Errno> {
        self.regular()?.truncate(self.superblock(), len)?;
        self.with_attributes(|attributes| attributes.mark_modified());
        Ok(())
    }

    /// Clears the set-user-ID and set-group-ID bits of a regular file, because `by` changes its contents.
    pub(crate) fn drop_rights(&self, by: &Credentials) {
        if matches!(self.content(), Content::Regular(_))
            && self.with_attributes(|attributes| attributes.drop_rights(by))
        {
            notify::of_dentry(self, self.dentry().as_deref(), Happened::ATTRIB);
        }
    }

    fn write(&self, position: Position, from: &mut dyn Source) -> Result<(u64, usize), Errno> {
        let written = self.regular()?.write(self.superblock(), position, from)?;
        if written.1 > 0 {
            self.with_attributes(|attributes| attributes.mark_modified());
        }
        Ok(written)
    }

    fn read(&self, offset: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        let read = self.regular()?.read(offset, to)?;
        self.with_attributes(|attributes| attributes.mark_accessed());
        Ok(read)
    }
}

impl File for Inode {
    fn class(&self) -> Class {
        Class::Inode
    }

    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        Poll::Ready(self.read(offset, to))
    }

    fn write_at(&self, offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        Poll::Ready(self.write(Position::At(offset), from).map(|(_, written)| written))
    }

    fn append(&self, from: &mut dyn Source) -> Poll<Result<(u64, usize), Errno>> {
        Poll::Ready(self.write(Position::End, from))
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn seek(&self, current: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        match (self.content(), whence) {
            (Content::Regular(regular), Whence::Data | Whence::Hole) => regular.seek(offset, whence),
            // An offset in a directory is the cookie of an entry; the end has no known cookie.
            (Content::Directory(_), Whence::End | Whence::Data | Whence::Hole) => Err(Errno::EINVAL),
            _ => seek::resolve(current, self.size(), offset, whence),
        }
    }

    fn pages(self: Arc<Self>) -> Result<Arc<dyn Pages>, Errno> {
        if matches!(self.content(), Content::Regular(_)) { Ok(self) } else { Err(Errno::ENODEV) }
    }

    fn bytes_readable(&self, offset: u64) -> Result<usize, Errno> {
        let rest = self.regular().map_err(|_| Errno::ENOTTY)?.size().saturating_sub(offset);
        Ok(usize::try_from(rest).unwrap_or(usize::MAX))
    }
}
