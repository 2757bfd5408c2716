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
