//! User buffers: the destination of a read or the source of a write.

use core::marker::PhantomData;

use ostd::mm::{Infallible, VmReader, VmWriter};
use rules::abi::errno::Errno;

use super::super::fault::Access;
use super::super::space::AddressSpace;
use super::super::transfer;
use super::iovec::{Position, Segments};
use super::window::Window;

/// A `read(2)` buffer or the buffers of a `readv(2)`.
pub(crate) type UserSink<'a> = UserBuffers<'a, Filled>;

/// A `write(2)` buffer or the buffers of a `writev(2)`.
pub(crate) type UserSource<'a> = UserBuffers<'a, Taken>;

/// One or several user buffers, and the position of a copy in them.
pub(crate) struct UserBuffers<'a, D> {
    segments: Segments<'a>,
    window: Window<'a>,
    _direction: PhantomData<D>,
}

/// Direction: the kernel fills the buffers.
pub(crate) struct Filled;

/// Direction: the kernel takes the buffers' bytes.
pub(crate) struct Taken;

/// The direction of a copy between the kernel and user buffers.
pub(crate) trait Direction {
    /// The access that the buffers must allow.
    const ACCESS: Access;
}

impl Direction for Filled {
    const ACCESS: Access = Access::Write;
}

impl Direction for Taken {
    const ACCESS: Access = Access::Read;
}

impl<'a, D: Direction> UserBuffers<'a, D> {
    /// Makes a single buffer; a length over `MAX_RW_COUNT` is cut.
    ///
    /// # Errors
    /// `EFAULT`: the buffer leaves user space.
    #[inline]
    pub(crate) fn buffer(space: &'a AddressSpace, addr: usize, len: usize) -> Result<Self, Errno> {
        Segments::buffer(space, addr, len).map(|segments| Self::new(space, segments))
    }

    /// Makes the buffers that the `count` `struct iovec` at `addr` describe; their total is cut to `MAX_RW_COUNT`.
    ///
    /// # Errors
    /// `EINVAL`: more than `IOV_MAX` buffers, or a negative length. `EFAULT`: the array is not readable, or a buffer
    /// leaves user space.
    pub(crate) fn vector(space: &'a AddressSpace, addr: usize, count: usize) -> Result<Self, Errno> {
        Segments::vector(space, addr, count).map(|segments| Self::new(space, segments))
    }

    fn new(space: &'a AddressSpace, segments: Segments<'a>) -> Self {
        Self { segments, window: Window::new(space, D::ACCESS), _direction: PhantomData }
    }
}

impl<'a, D> UserBuffers<'a, D> {
    /// Returns the current position.
    #[inline]
    pub(crate) const fn position(&self) -> Position<'a> {
        self.segments.position()
    }

    /// Goes back to `position`, to copy the same bytes again.
    #[inline]
    pub(crate) const fn rewind(&mut self, position: Position<'a>) {
        self.segments.rewind(position);
    }

    /// Limits the rest to `most` bytes.
    pub(crate) fn truncate(&mut self, most: usize) {
        self.segments.truncate(most);
    }
}

impl rules::machine::transfer::Sink for UserSink<'_> {
    fn remaining(&self) -> usize {
        self.segments.remaining()
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        transfer::Sink::put_from(self, &mut VmReader::from(bytes))
    }
}

impl transfer::Sink for UserSink<'_> {
    #[inline(always)]
    fn put_from(&mut self, from: &mut VmReader<'_, Infallible>) -> usize {
        let Self { segments, window, .. } = self;
        segments.advance(from.remain(), |stretch| stretch.copy_from(window, from))
    }
}

impl rules::machine::transfer::Source for UserSource<'_> {
    fn remaining(&self) -> usize {
        self.segments.remaining()
    }

    fn take(&mut self, space: &mut [u8]) -> usize {
        transfer::Source::take_into(self, &mut VmWriter::from(space))
    }
}

impl transfer::Source for UserSource<'_> {
    #[inline(always)]
    fn take_into(&mut self, space: &mut VmWriter<'_, Infallible>) -> usize {
        let Self { segments, window, .. } = self;
        segments.advance(space.avail(), |stretch| stretch.copy_to(window, space))
    }
}
