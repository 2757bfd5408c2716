//! The user's buffer as the place that a read fills.

use core::array;

use model::abi::errno::Errno;
use ostd::mm::{Infallible, VmReader};

use super::super::space::AddressSpace;
use super::super::transfer;
use super::iovec::{Segments, TOGETHER};

/// A `read(2)` buffer or the buffers of a `readv(2)`.
pub struct UserSink<'a>(Segments<'a>);

impl<'a> UserSink<'a> {
    /// One buffer; a length over `MAX_RW_COUNT` is cut to it.
    ///
    /// # Errors
    /// `EFAULT`: it leaves user space.
    pub fn buffer(space: &'a AddressSpace, addr: usize, len: usize) -> Result<Self, Errno> {
        Segments::buffer(space, addr, len).map(Self)
    }

    /// The buffers that the array of `count` `struct iovec` at `addr` describes; together they are cut to
    /// `MAX_RW_COUNT`.
    ///
    /// # Errors
    /// `EINVAL`: more than `IOV_MAX`, or a negative length. `EFAULT`: the array is not readable, or a buffer
    /// leaves user space.
    pub fn vector(space: &'a AddressSpace, addr: usize, count: usize) -> Result<Self, Errno> {
        Segments::vector(space, addr, count).map(Self)
    }
}

impl model::transfer::Sink for UserSink<'_> {
    fn remaining(&self) -> usize {
        self.0.remaining()
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        self.0.advance(bytes.len(), |part| {
            let copied = part.write_some(&rest[..part.len()]);
            rest = &rest[copied..];
            copied
        })
    }

    fn put_each(&mut self, pieces: &[&[u8]]) -> usize {
        if let [piece] = pieces {
            return self.put(piece);
        }
        let mut total = 0;
        for pieces in pieces.chunks(TOGETHER) {
            let piece = |i| pieces.get(i).copied().unwrap_or_default();
            let mut readers: [_; TOGETHER] = array::from_fn(|i| VmReader::from(piece(i)));
            let put = transfer::Sink::put_from_each(self, &mut readers);
            total += put;
            if put < pieces.iter().map(|piece| piece.len()).sum() {
                break;
            }
        }
        total
    }
}

impl transfer::Sink for UserSink<'_> {
    fn put_from(&mut self, from: &mut VmReader<'_, Infallible>) -> usize {
        self.put_from_each(core::slice::from_mut(from))
    }

    fn put_from_each(&mut self, from: &mut [VmReader<'_, Infallible>]) -> usize {
        let len = from.iter().map(VmReader::remain).sum();
        self.0.advance(len, |part| part.copy_from(from))
    }
}
