//! Files whose text is generated when they are read, such as `/proc/meminfo`.
//!
//! Owns: the text that one open file reads.   Not here: generating it (`linux/proc`).
//! Source: Linux 6.1 fs/seq_file.c.

use alloc::sync::Arc;
use core::task::Poll;

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::core::seek::{self, Whence};

use super::tmpfs::dynamic::Text;
use super::tmpfs::inode::{Content, Inode};
use crate::core::event::class::Class;
use crate::core::file::traits::File;
use crate::machine::memory::transfer::Sink;

/// An open generated file. A read from the start generates the text anew.
pub(super) struct OpenGeneratedFile {
    inode: Arc<Inode>,
    text: SpinLock<Text>,
}

impl OpenGeneratedFile {
    /// Opens `inode` without generating the text yet.
    pub(super) fn new(inode: Arc<Inode>) -> Self {
        Self { inode, text: SpinLock::new(Text::default()) }
    }

    fn read(&self, offset: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        let Content::GeneratedFile(report) = self.inode.content() else {
            return Err(Errno::EINVAL);
        };
        let text = if offset == 0 {
            let fresh = report()?;
            // The text before is dropped without the lock.
            drop(core::mem::replace(&mut *self.text.lock(), fresh.clone()));
            fresh
        } else {
            self.text.lock().clone()
        };
        text.put(usize::try_from(offset).unwrap_or(usize::MAX), to)
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

    /// `SEEK_END` is an error: the length is not known.
    fn seek(&self, current: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        seek::resolve(current, 0, offset, whence)
    }
}
