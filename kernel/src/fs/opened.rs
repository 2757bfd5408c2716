//! An open file of the tree: what read(2) and its kin reach through an open file description.
//!
//! Owns: what opening added to the inode: the driver's side of a device, the text of a report.
//! Not here: the offset and the flags (file::description), the inode's contents (`tmpfs`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::Poll;

use model::abi::errno::Errno;
use ostd::sync::SpinLock;

use super::mount::Location;
use super::tmpfs::inode::Content;
use super::tmpfs::regular::{Position, Regular};
use crate::file::file::File;
use crate::memory::transfer::{Sink, Source};

/// A file that was found in the tree and opened.
pub(crate) struct OpenInode {
    location: Location,
    target: Target,
}

/// Where reads and writes go.
pub(crate) enum Target {
    /// To the inode's own contents.
    Contents,
    /// To a device, or a pipe.
    Other(Arc<dyn File>),
    /// To a text that is made anew whenever it is read from its start.
    Report(SpinLock<Arc<[u8]>>),
    /// Nowhere: `O_PATH`.
    Nowhere,
}

impl OpenInode {
    /// An open file.
    pub(crate) fn new(location: Location, target: Target) -> Self {
        Self { location, target }
    }

    /// Where it was found.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// The bytes, if it was opened for them.
    ///
    /// # Errors
    /// `EBADF`: opened with `O_PATH`. `EISDIR`: a directory. `EINVAL`: nothing with a length.
    pub(crate) fn regular(&self) -> Result<&Regular, Errno> {
        match (&self.target, self.location.inode.content()) {
            (Target::Nowhere, _) => Err(Errno::EBADF),
            (_, Content::Regular(regular)) => Ok(regular),
            (_, Content::Directory(_)) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Writes at the end, wherever that is by then: `O_APPEND`. Returns where the bytes went and how many.
    pub(crate) fn append(&self, from: &mut dyn Source) -> Result<(u64, usize), Errno> {
        self.write(Position::End, from)
    }

    fn write(&self, position: Position, from: &mut dyn Source) -> Result<(u64, usize), Errno> {
        let inode = &self.location.inode;
        let written = self.regular()?.write(inode.superblock(), position, from)?;
        if written.1 > 0 {
            inode.with_attributes(|attributes| attributes.mark_modified());
        }
        Ok(written)
    }

    fn read(&self, offset: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        if let Target::Report(text) = &self.target {
            return self.read_report(text, offset, to);
        }
        let read = self.regular()?.read(offset, to)?;
        self.location.inode.with_attributes(|attributes| attributes.mark_accessed());
        Ok(read)
    }

    fn read_report(
        &self,
        text: &SpinLock<Arc<[u8]>>,
        offset: u64,
        to: &mut dyn Sink,
    ) -> Result<usize, Errno> {
        let Content::Report(report) = self.location.inode.content() else {
            return Err(Errno::EINVAL);
        };
        let text = if offset == 0 {
            let fresh: Arc<[u8]> = report().into();
            *text.lock() = fresh.clone();
            fresh
        } else {
            text.lock().clone()
        };
        let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..)).unwrap_or_default();
        if rest.is_empty() || to.remaining() == 0 {
            return Ok(0);
        }
        let put = to.put(&rest[..rest.len().min(to.remaining())]);
        if put == 0 { Err(Errno::EFAULT) } else { Ok(put) }
    }
}

impl File for OpenInode {
    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        match &self.target {
            Target::Other(file) => file.read_at(offset, to),
            _ => Poll::Ready(self.read(offset, to)),
        }
    }

    fn write_at(&self, offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        match &self.target {
            Target::Other(file) => file.write_at(offset, from),
            _ => Poll::Ready(self.write(Position::At(offset), from).map(|(_, written)| written)),
        }
    }

    fn is_seekable(&self) -> bool {
        match &self.target {
            Target::Other(file) => file.is_seekable(),
            _ => true,
        }
    }
}

/// All bytes of a regular file, for programs that the kernel itself reads.
///
/// # Errors
/// `EISDIR`, `EACCES`: not a regular file. `EFBIG`: more than `limit` bytes.
pub(crate) fn read_whole(location: &Location, limit: usize) -> Result<Vec<u8>, Errno> {
    match location.inode.content() {
        Content::Regular(regular) => regular.to_vec(limit),
        Content::Directory(_) => Err(Errno::EISDIR),
        _ => Err(Errno::EACCES),
    }
}
