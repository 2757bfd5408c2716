//! The devices that need no hardware: `/dev/null`, `/dev/zero`, `/dev/full`.
//!
//! Source: null(4), full(4); Linux 6.1 drivers/char/mem.c.

use alloc::sync::Arc;
use core::task::Poll;

use rules::abi::errno::Errno;
use rules::core::seek::Whence;

use super::nodes;
use crate::core::event::class::Class;
use crate::core::file::traits::File;
use crate::machine::memory::pages::Pages;
use crate::machine::memory::shared::SharedPages;
use crate::machine::memory::transfer::{Sink, Source};

/// Lets the three be opened.
pub(crate) fn register() {
    super::register(nodes::NULL, |_, _| Ok(Arc::new(Null)));
    super::register(nodes::ZERO, |_, _| Ok(Arc::new(Zero)));
    super::register(nodes::FULL, |_, _| Ok(Arc::new(Full)));
}

struct Null;
struct Zero;
struct Full;

impl File for Null {
    fn class(&self) -> Class {
        Class::Inode
    }

    fn read_at(&self, _offset: u64, _to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        Poll::Ready(Ok(0))
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        Poll::Ready(Ok(from.remaining()))
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn seek(&self, _current: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Ok(0)
    }
}

impl File for Zero {
    fn class(&self) -> Class {
        Class::Inode
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        Poll::Ready(fill(to))
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        Poll::Ready(Ok(from.remaining()))
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn seek(&self, _current: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Ok(0)
    }

    /// Memory that starts as zeros, as an anonymous mapping.
    fn pages(self: Arc<Self>) -> Result<Arc<dyn Pages>, Errno> {
        Ok(SharedPages::new_shared())
    }
}

impl File for Full {
    fn class(&self) -> Class {
        Class::Inode
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        Poll::Ready(fill(to))
    }

    fn write_at(&self, _offset: u64, _from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        Poll::Ready(Err(Errno::ENOSPC))
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn seek(&self, _current: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Ok(0)
    }
}

/// Zeros up to the end of the sink.
fn fill(to: &mut dyn Sink) -> Result<usize, Errno> {
    static ZEROS: [u8; 4096] = [0; 4096];
    let mut done = 0;
    while to.remaining() > 0 {
        let wanted = to.remaining().min(ZEROS.len());
        let put = to.put(&ZEROS[..wanted]);
        done += put;
        if put < wanted {
            return if done == 0 { Err(Errno::EFAULT) } else { Ok(done) };
        }
    }
    Ok(done)
}
