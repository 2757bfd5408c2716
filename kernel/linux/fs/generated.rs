//! Texts that are made when they are read, such as `/proc/meminfo`, as files.
//!
//! Owns: the text that one opening reads.   Not here: how a text is made (`linux/proc`).
//! Source: Linux 6.1 fs/seq_file.c.

use alloc::sync::Arc;
use core::task::Poll;

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::core::seek::{self, Whence};

use super::tmpfs::inode::{Content, Inode};
use crate::core::event::class::Class;
use crate::core::file::traits::File;
use crate::machine::memory::transfer::Sink;

/// One opening of such a text. The text is made anew whenever it is read from its start.
pub(super) struct OpenGeneratedFile {
    inode: Arc<Inode>,
    text: SpinLock<Arc<[u8]>>,
}

impl OpenGeneratedFile {
    /// Opens `inode`, with no text made yet.
    pub(super) fn new(inode: Arc<Inode>) -> Self {
        Self { inode, text: SpinLock::new(Arc::new([])) }
    }

    fn read(&self, offset: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        let Content::GeneratedFile(report) = self.inode.content() else {
            return Err(Errno::EINVAL);
        };
        let text = if offset == 0 {
            let fresh: Arc<[u8]> = report()?.into();
            *self.text.lock() = fresh.clone();
            fresh
        } else {
            self.text.lock().clone()
        };
        let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..)).unwrap_or_default();
        if rest.is_empty() || to.remaining() == 0 {
            return Ok(0);
        }
        let put = to.put(&rest[..rest.len().min(to.remaining())]);
        if put == 0 { Err(Errno::EFAULT) } else { Ok(put) }
    }
}

impl File for OpenGeneratedFile {
    fn class(&self) -> Class {
        Class::Inode
    }

    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        Poll::Ready(self.read(offset, to))
    }

    fn is_seekable(&self) -> bool {
        true
    }

    /// Nothing is known of the end.
    fn seek(&self, current: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        seek::resolve(current, 0, offset, whence)
    }
}
