//! Kernel memory in several pieces, as the other end of a copy.
//!
//! A pipe or a file holds its bytes in pages that are not next to each other. Giving all of them to one copy
//! lets it look the user's pages up together.

use ostd::mm::{Fallible, FallibleVmRead, FallibleVmWrite, Infallible, VmReader, VmWriter};

/// Pieces that are read one after the other.
pub(super) struct Readers<'p, 'm>(&'p mut [VmReader<'m, Infallible>]);

impl<'p, 'm> Readers<'p, 'm> {
    pub(super) fn new(pieces: &'p mut [VmReader<'m, Infallible>]) -> Self {
        Self(pieces)
    }

    /// Bytes left in all of them.
    pub(super) fn remain(&self) -> usize {
        self.0.iter().map(VmReader::remain).sum()
    }

    /// Copies as much as both have.
    pub(super) fn read(&mut self, to: &mut VmWriter<'_, Infallible>) -> usize {
        self.each(|piece| (piece.read(to), to.has_avail()))
    }

    /// Copies as much as both have, or up to a fault.
    pub(super) fn read_fallible(&mut self, to: &mut VmWriter<'_, Fallible>) -> usize {
        self.each(|piece| match to.write_fallible(piece) {
            Ok(copied) => (copied, to.has_avail()),
            Err((_, copied)) => (copied, false),
        })
    }

    /// Applies `copy` to one piece after the other as long as it wants to go on; returns what it copied.
    fn each(&mut self, mut copy: impl FnMut(&mut VmReader<'m, Infallible>) -> (usize, bool)) -> usize {
        let mut done = 0;
        for piece in self.0.iter_mut().filter(|piece| piece.has_remain()) {
            let (copied, go_on) = copy(piece);
            done += copied;
            if !go_on {
                break;
            }
        }
        done
    }
}

/// Pieces that are filled one after the other.
pub(super) struct Writers<'p, 'm>(&'p mut [VmWriter<'m, Infallible>]);

impl<'p, 'm> Writers<'p, 'm> {
    pub(super) fn new(pieces: &'p mut [VmWriter<'m, Infallible>]) -> Self {
        Self(pieces)
    }

    /// Room left in all of them.
    pub(super) fn avail(&self) -> usize {
        self.0.iter().map(VmWriter::avail).sum()
    }

    /// Copies as much as both have.
    pub(super) fn write(&mut self, from: &mut VmReader<'_, Infallible>) -> usize {
        self.each(|piece| (piece.write(from), from.has_remain()))
    }

    /// Copies as much as both have, or up to a fault.
    pub(super) fn write_fallible(&mut self, from: &mut VmReader<'_, Fallible>) -> usize {
        self.each(|piece| match from.read_fallible(piece) {
            Ok(copied) => (copied, from.has_remain()),
            Err((_, copied)) => (copied, false),
        })
    }

    /// Applies `copy` to one piece after the other as long as it wants to go on; returns what it copied.
    fn each(&mut self, mut copy: impl FnMut(&mut VmWriter<'m, Infallible>) -> (usize, bool)) -> usize {
        let mut done = 0;
        for piece in self.0.iter_mut().filter(|piece| piece.has_avail()) {
            let (copied, go_on) = copy(piece);
            done += copied;
            if !go_on {
                break;
            }
        }
        done
    }
}
