//! Copies between kernel memory and a caller's buffers.
//!
//! The same traits as [`rules::machine::transfer`], which can also copy directly to and from page frames; safe code
//! reaches those only through OSTD's readers and writers.

use ostd::mm::{Infallible, VmReader, VmWriter};

/// A [`rules::machine::transfer::Sink`] that can be filled from a page frame.
pub(crate) trait Sink: rules::machine::transfer::Sink {
    /// Copies as much of `from` as fits, advances `from`, and returns how much was copied.
    ///
    /// Less than `min(from.remain(), remaining())` means `EFAULT`, as in [`rules::machine::transfer::Sink::put`].
    fn put_from(&mut self, from: &mut VmReader<'_, Infallible>) -> usize;
}

/// A [`rules::machine::transfer::Source`] that can fill a page frame.
pub(crate) trait Source: rules::machine::transfer::Source {
    /// Fills `space` as far as there are bytes, and returns how much was copied.
    ///
    /// Less than `min(space.avail(), remaining())` means `EFAULT`.
    fn take_into(&mut self, space: &mut VmWriter<'_, Infallible>) -> usize;
}

impl Sink for &mut [u8] {
    fn put_from(&mut self, from: &mut VmReader<'_, Infallible>) -> usize {
        let n = from.remain().min(self.len());
        let (head, tail) = core::mem::take(self).split_at_mut(n);
        from.read(&mut VmWriter::from(head));
        *self = tail;
        n
    }
}

impl Source for &[u8] {
    fn take_into(&mut self, space: &mut VmWriter<'_, Infallible>) -> usize {
        let n = space.avail().min(self.len());
        let (head, tail) = self.split_at(n);
        space.write(&mut VmReader::from(head));
        *self = tail;
        n
    }
}
