//! An open file of the tree: what read(2) and its kin reach through an open file description.
//!
//! Owns: what opening added to the inode: the driver's side of a device, the text of a report.
//! Not here: the offset and the flags (file::description), the inode's contents (`tmpfs`).

use alloc::sync::Arc;
use core::task::Poll;

use ostd::sync::SpinLock;
use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::abi::stat::Stat;
use rules::core::seek::{self, Whence};
use rules::linux::credentials::Credentials;

use super::mount::Location;
use super::stat;
use super::tmpfs::inode::Content;
use super::tmpfs::regular::{Position, Regular};
use crate::core::event;
use crate::core::file::file::{File, Manner, WriteExtent};
use crate::machine::memory::pages::Pages;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::transfer::{Sink, Source};

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
    /// The device or FIFO that the name stands for.
    pub(crate) fn device(&self) -> Option<&Arc<dyn File>> {
        match &self.target {
            Target::Other(file) => Some(file),
            _ => None,
        }
    }

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

    /// The device's or pipe's own file, which does everything but what the inode knows.
    pub(crate) fn other(&self) -> Option<&dyn File> {
        match &self.target {
            Target::Other(file) => Some(&**file),
            _ => None,
        }
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
            let fresh: Arc<[u8]> = report()?.into();
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
    fn finish_open(&self) -> Poll<()> {
        self.other().map_or(Poll::Ready(()), File::finish_open)
    }

    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        match self.other() {
            Some(file) => file.read_at(offset, to),
            None => Poll::Ready(self.read(offset, to)),
        }
    }

    fn write_at(&self, offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        match self.other() {
            Some(file) => file.write_at(offset, from),
            None => Poll::Ready(self.write(Position::At(offset), from).map(|(_, written)| written)),
        }
    }

    fn append(&self, from: &mut dyn Source) -> Poll<Result<(u64, usize), Errno>> {
        match self.other() {
            Some(file) => file.append(from),
            None => Poll::Ready(self.write(Position::End, from)),
        }
    }

    fn drop_rights(&self, by: &Credentials) {
        if matches!(self.location.inode.content(), Content::Regular(_)) {
            self.location.inode.with_attributes(|attributes| attributes.drop_rights(by));
        }
    }

    fn write_extent(&self) -> WriteExtent {
        self.other().map_or(WriteExtent::Some, File::write_extent)
    }

    fn poll(&self, interest: Events) -> Events {
        match self.other() {
            Some(file) => file.poll(interest),
            None => interest & (Events::READABLE | Events::WRITABLE),
        }
    }

    fn watch(&self) -> Option<&event::Pollable> {
        self.other().and_then(File::watch)
    }

    fn manner(&self, waits_for: Events) -> Manner {
        self.other().map_or_else(Manner::default, |file| file.manner(waits_for))
    }

    fn reads_when_ready(&self, len: usize) -> bool {
        self.other().is_some_and(|file| file.reads_when_ready(len))
    }

    fn is_seekable(&self) -> bool {
        self.other().is_none_or(File::is_seekable)
    }

    fn size(&self) -> u64 {
        self.location.inode.size()
    }

    fn seek(&self, current: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        if let Some(file) = self.other() {
            return file.seek(current, offset, whence);
        }
        match (self.location.inode.content(), whence) {
            (Content::Regular(regular), Whence::Data | Whence::Hole) => regular.seek(offset, whence),
            // An offset in a directory is the cookie of an entry; nothing is known of the last one's.
            (Content::Directory(_), Whence::End | Whence::Data | Whence::Hole) => Err(Errno::EINVAL),
            _ => seek::resolve(current, self.size(), offset, whence),
        }
    }

    fn stat(&self) -> Stat {
        stat::stat(&self.location)
    }

    fn truncate(&self, len: u64) -> Result<(), Errno> {
        match self.regular() {
            Err(Errno::EISDIR) => Err(Errno::EINVAL),
            regular => stat::truncate(&self.location.inode, regular?, len),
        }
    }

    fn sync(&self) -> Result<(), Errno> {
        match &self.target {
            Target::Other(file) => file.sync(),
            Target::Nowhere => Err(Errno::EBADF),
            Target::Contents | Target::Report(_) => Ok(()),
        }
    }

    fn pages(&self) -> Result<Arc<dyn Pages>, Errno> {
        match (&self.target, self.location.inode.content()) {
            (Target::Other(file), _) => file.pages(),
            (Target::Contents, Content::Regular(_)) => Ok(self.location.inode.clone()),
            _ => Err(Errno::ENODEV),
        }
    }

    fn set_status(&self, status: OpenFlags) -> Result<(), Errno> {
        match self.other() {
            Some(file) => file.set_status(status),
            // Like Linux's tmpfs, which has no disk to reach around the page cache.
            None if status.contains(OpenFlags::DIRECT) => Err(Errno::EINVAL),
            None => Ok(()),
        }
    }

    fn unread(&self, offset: u64) -> Result<usize, Errno> {
        match self.other() {
            Some(file) => file.unread(offset),
            None => self.regular().map_err(|_| Errno::ENOTTY).map(|regular| {
                let rest = regular.size().saturating_sub(offset);
                usize::try_from(rest).unwrap_or(usize::MAX)
            }),
        }
    }

    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        match self.other() {
            Some(file) => file.ioctl(request, argument, space),
            None => Poll::Ready(Err(Errno::ENOTTY)),
        }
    }
}
