//! The memory devices: `/dev/null`, `/dev/zero`, `/dev/full`.
//!
//! Source: null(4), full(4); Linux 6.1 drivers/char/mem.c.

use alloc::sync::Arc;
use core::task::Poll;

use rules::abi::errno::Errno;
use rules::core::seek::Whence;

use super::{fill, nodes};
use crate::core::event::class::Class;
use crate::core::file::traits::File;
use crate::machine::memory::pages::Pages;
use crate::machine::memory::shared::SharedPages;
use crate::machine::memory::transfer::{Sink, Source};

/// Registers the three devices.
pub(crate) fn register() {
    super::register(nodes::NULL, |_, _| Ok(Arc::new(Memory::Null)));
    super::register(nodes::ZERO, |_, _| Ok(Arc::new(Memory::Zero)));
    super::register(nodes::FULL, |_, _| Ok(Arc::new(Memory::Full)));
}

/// One of the three devices.
enum Memory {
    /// Reads return the end of file, writes are discarded.
    Null,
    /// Reads return zeros, writes are discarded.
    Zero,
    /// Reads return zeros, writes fail with `ENOSPC`.
    Full,
}

impl File for Memory {
    fn class(&self) -> Class {
        Class::Inode
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        static ZEROS: [u8; 4096] = [0; 4096];
        Poll::Ready(match self {
            Self::Null => Ok(0),
            Self::Zero | Self::Full => fill(to, ZEROS.len(), |to, count| to.put(&ZEROS[..count])),
        })
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        Poll::Ready(match self {
            Self::Null | Self::Zero => Ok(from.remaining()),
            Self::Full => Err(Errno::ENOSPC),
        })
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn seek(&self, _current: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Ok(0)
    }

    /// Maps zero-filled memory, like an anonymous mapping; only `/dev/zero` can be mapped.
    fn pages(self: Arc<Self>) -> Result<Arc<dyn Pages>, Errno> {
        match *self {
            Self::Zero => Ok(SharedPages::new_shared()),
            Self::Null | Self::Full => Err(Errno::ENODEV),
        }
    }
}
