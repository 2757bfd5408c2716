//! A queue of bytes outside the engine's buffers. An empty queue holds no memory.

use alloc::collections::VecDeque;

use super::buffer::Buffer;
use super::engine::LARGE_BUFFER;
use crate::machine::fallible;
use crate::machine::transfer::{Sink, Source};

/// The largest piece, in bytes.
const PIECE: usize = LARGE_BUFFER;

/// A queue of bytes in pieces.
#[derive(Debug, Default)]
pub(super) struct ByteQueue {
    pieces: VecDeque<Buffer>,
    /// Bytes of the first piece that were read.
    gone: usize,
    len: usize,
}

impl ByteQueue {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends at most `most` bytes of `from` and returns how many; fewer if memory runs out.
    pub(super) fn push(&mut self, from: &mut dyn Source, most: usize) -> usize {
        let mut total = 0;
        while total < most {
            let len = (most - total).min(from.remaining()).min(PIECE);
            if len == 0 {
                break;
            }
            let Some(mut piece) = Buffer::try_new(len) else { break };
            if fallible::reserve(&mut self.pieces, 1).is_err() {
                break;
            }
            let taken = from.take(piece.bytes_mut());
            piece.truncate(taken);
            self.append(piece);
            total += taken;
            if taken < len {
                break;
            }
        }
        total
    }

    /// Copies the first bytes to `to`, as many as it takes, removes them, and returns how many.
    pub(super) fn pop(&mut self, to: &mut dyn Sink) -> usize {
        let mut total = 0;
        while let Some(piece) = self.pieces.front() {
            let rest = &piece.bytes()[self.gone..];
            let put = to.put(rest);
            let is_whole = put == rest.len();
            total += put;
            self.consume(put);
            if !is_whole {
                break;
            }
        }
        total
    }

    /// Copies the first bytes to `to`, as many as it takes, and returns how many. The bytes stay.
    pub(super) fn peek(&self, to: &mut dyn Sink) -> usize {
        let mut total = 0;
        let mut gone = self.gone;
        for piece in &self.pieces {
            let rest = &piece.bytes()[gone..];
            let put = to.put(rest);
            total += put;
            if put < rest.len() {
                break;
            }
            gone = 0;
        }
        total
    }

    /// Removes bytes from the front as long as `take`, which returns how many it took, takes them. The last `kept`
    /// stay.
    pub(super) fn drain(&mut self, kept: usize, mut take: impl FnMut(&mut dyn Source) -> usize) {
        while self.len > kept
            && let Some(piece) = self.pieces.front()
        {
            let rest = &piece.bytes()[self.gone..];
            let len = rest.len().min(self.len - kept);
            let mut rest = &rest[..len];
            let taken = take(&mut rest);
            self.consume(taken);
            if taken < len {
                break;
            }
        }
    }

    /// Appends `piece`.
    pub(super) fn append(&mut self, piece: Buffer) {
        if piece.len() > 0 {
            self.len += piece.len();
            self.pieces.push_back(piece);
        }
    }

    fn consume(&mut self, count: usize) {
        self.gone += count;
        self.len -= count;
        if self.pieces.front().is_some_and(|piece| piece.len() == self.gone) {
            self.pieces.pop_front();
            self.gone = 0;
        }
        if self.pieces.is_empty() {
            // An idle connection keeps no memory for this.
            self.pieces = VecDeque::new();
        }
    }
}
