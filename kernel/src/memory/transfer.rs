//! Copies between kernel memory and wherever the caller's bytes are.
//!
//! The kernel's side of [`model::transfer`]: the same places, able also to take bytes straight from a page
//! frame, which safe code can reach only through OSTD's readers and writers.

use ostd::mm::{Infallible, VmReader, VmWriter};

/// A [`model::transfer::Sink`] that can be filled from a page frame.
pub trait Sink: model::transfer::Sink {
    /// Copies as much of `from` as fits and returns how much that was; `from` moves on by as much.
    ///
    /// Less than `min(from.remain(), remaining())` means `EFAULT`, as in [`model::transfer::Sink::put`].
    fn put_from(&mut self, from: &mut VmReader<'_, Infallible>) -> usize;

    /// [`Self::put_from`] one piece after the other, until one is copied short.
    ///
    /// An object that holds its bytes in several pages gives as many as it has at once: that looks the
    /// user's pages up together, which for a single page costs as much as copying it.
    fn put_from_each(&mut self, from: &mut [VmReader<'_, Infallible>]) -> usize {
        let mut done = 0;
        for piece in from {
            let expected = piece.remain().min(self.remaining());
            let copied = self.put_from(piece);
            done += copied;
            if copied < expected {
                break;
            }
        }
        done
    }
}

/// A [`model::transfer::Source`] that can fill a page frame.
pub trait Source: model::transfer::Source {
    /// Fills as much of `space` as there are bytes for and returns how much that was.
    ///
    /// Less than `min(space.avail(), remaining())` means `EFAULT`.
    fn take_into(&mut self, space: &mut VmWriter<'_, Infallible>) -> usize;

    /// [`Self::take_into`] one piece after the other, until one is filled short; at once as with
    /// [`Sink::put_from_each`].
    fn take_into_each(&mut self, space: &mut [VmWriter<'_, Infallible>]) -> usize {
        let mut done = 0;
        for piece in space {
            let expected = piece.avail().min(self.remaining());
            let copied = self.take_into(piece);
            done += copied;
            if copied < expected {
                break;
            }
        }
        done
    }
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
