//! Where bytes come from and go to, for rules that must not know about user memory.
//!
//! Both traits keep their own position: what was moved is gone from `remaining`, so an operation that
//! blocks half way and is tried again goes on where it stopped.

/// A place that bytes are copied to: a `read(2)` buffer, an iovec, a kernel buffer.
pub trait Sink {
    /// Bytes that still fit.
    fn remaining(&self) -> usize;

    /// Copies as much of `bytes` as fits and returns how much that was.
    ///
    /// Less than `min(bytes.len(), remaining())` means that the rest of the place is not writable
    /// (`EFAULT`); the bytes before it were copied and are counted.
    fn put(&mut self, bytes: &[u8]) -> usize;

    /// [`put`](Self::put) one piece after the other, until one is copied short. To know several pieces at once
    /// saves work where to find the place costs as much as to copy a piece.
    fn put_each(&mut self, pieces: &[&[u8]]) -> usize {
        let mut total = 0;
        for piece in pieces {
            let put = self.put(piece);
            total += put;
            if put < piece.len() {
                break;
            }
        }
        total
    }
}

/// A place that bytes are copied from: a `write(2)` buffer, an iovec, a kernel buffer.
pub trait Source {
    /// Bytes that are still to be had.
    fn remaining(&self) -> usize;

    /// Fills as much of `space` as there are bytes for and returns how much that was.
    ///
    /// Less than `min(space.len(), remaining())` means that the rest of the place is not readable
    /// (`EFAULT`); the bytes before it were copied and are counted.
    fn take(&mut self, space: &mut [u8]) -> usize;

    /// [`take`](Self::take) one piece after the other, until one is filled short; at once as with
    /// [`Sink::put_each`].
    fn take_each(&mut self, spaces: &mut [&mut [u8]]) -> usize {
        let mut total = 0;
        for space in spaces {
            let taken = self.take(space);
            total += taken;
            if taken < space.len() {
                break;
            }
        }
        total
    }
}

impl Sink for &mut [u8] {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.len());
        let (head, tail) = core::mem::take(self).split_at_mut(n);
        head.copy_from_slice(&bytes[..n]);
        *self = tail;
        n
    }
}

impl Source for &[u8] {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn take(&mut self, space: &mut [u8]) -> usize {
        let n = space.len().min(self.len());
        let (head, tail) = self.split_at(n);
        space[..n].copy_from_slice(head);
        *self = tail;
        n
    }
}
