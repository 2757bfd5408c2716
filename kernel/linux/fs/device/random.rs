//! `/dev/random` and `/dev/urandom`: neither blocks, because the generator is seeded before programs run.
//!
//! Source: random(4); Linux 6.1 drivers/char/random.c.

use alloc::sync::Arc;
use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;

use super::nodes;
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::traits::File;
use crate::linux::fs::changes::{FileChanges, WatchedFile};
use crate::machine::memory::transfer::{Sink, Source};
use crate::machine::random::{self, Stream};

/// Registers both devices.
pub(crate) fn register() {
    super::register(nodes::RANDOM, |_, _| Ok(open(FileChanges::Never(Events::READABLE))));
    super::register(nodes::URANDOM, |_, _| Ok(open(FileChanges::Refused)));
}

struct Random {
    /// What poll(2) sees of `/dev/random` (`random_poll`); `/dev/urandom` has no poll.
    watched: Option<WatchedFile>,
}

fn open(changes: FileChanges) -> Arc<dyn File> {
    Arc::new(Random { watched: changes.watch() })
}

impl File for Random {
    fn class(&self) -> Class {
        Class::Inode
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        Poll::Ready(fill(to))
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        self.watched.as_ref().map(|watched| -> &event::Pollable { watched })
    }

    /// Discards the bytes: they would not improve the generator's state.
    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        Poll::Ready(Ok(from.remaining()))
    }
}

/// Enough for a program that seeds a hash or an allocator.
const FEW: usize = 32;

/// Writes random bytes up to the end of the sink.
///
/// # Errors
/// `EFAULT`: not even one byte could be written.
pub(crate) fn fill(to: &mut dyn Sink) -> Result<usize, Errno> {
    if to.remaining() <= FEW {
        let mut few = [0; FEW];
        let wanted = to.remaining();
        random::fill_few(&mut few[..wanted]);
        let put = to.put(&few[..wanted]);
        return if put == 0 && wanted > 0 { Err(Errno::EFAULT) } else { Ok(put) };
    }
    let mut stream = Stream::new();
    let mut block = [0; 1024];
    super::fill(to, block.len(), |to, count| {
        stream.fill(&mut block[..count]);
        to.put(&block[..count])
    })
}
