//! Sources and sinks of bytes, so that rules need not know about user memory.
//!
//! Both keep their own position: moved bytes no longer count in `remaining`, so an operation that blocks half way goes
//! on where it stopped when it is retried.

/// A destination of bytes: a `read(2)` buffer, an iovec, a kernel buffer.
pub trait Sink {
    /// Returns how many bytes still fit.
    fn remaining(&self) -> usize;

    /// Copies as many of `bytes` as fit and returns how many.
    ///
    /// Fewer than `min(bytes.len(), remaining())` means that the rest of the destination is not writable (`EFAULT`);
    /// the bytes before it were copied and are counted.
    fn put(&mut self, bytes: &[u8]) -> usize;

    /// Copies several pieces as [`put`](Self::put) does, until one is copied short. One call for all saves work where
    /// finding the destination costs as much as copying a piece.
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

/// A source of bytes: a `write(2)` buffer, an iovec, a kernel buffer.
pub trait Source {
    /// Returns how many bytes are left.
    fn remaining(&self) -> usize;

    /// Copies as many bytes as fit into `space` and returns how many.
    ///
    /// Fewer than `min(space.len(), remaining())` means that the rest of the source is not readable
    /// (`EFAULT`); the bytes before it were copied and are counted.
    fn take(&mut self, space: &mut [u8]) -> usize;

    /// Fills several pieces as [`take`](Self::take) does, until one is filled short, in one call as
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
