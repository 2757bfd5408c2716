//! The user's buffer as the place that a write takes from.

use ostd::mm::{Infallible, VmWriter};
use rules::abi::errno::Errno;

use super::super::fault::Access;
use super::super::space::AddressSpace;
use super::super::transfer;
use super::iovec::{Position, Segments};
use super::window::Window;

/// A `write(2)` buffer or the buffers of a `writev(2)`.
pub(crate) struct UserSource<'a> {
    segments: Segments<'a>,
    window: Window<'a>,
}

impl<'a> UserSource<'a> {
    /// One buffer; a length over `MAX_RW_COUNT` is cut to it.
    ///
    /// # Errors
    /// `EFAULT`: it leaves user space.
    #[inline]
    pub(crate) fn buffer(space: &'a AddressSpace, addr: usize, len: usize) -> Result<Self, Errno> {
        Segments::buffer(space, addr, len).map(|segments| Self::new(space, segments))
    }

    /// The buffers that the array of `count` `struct iovec` at `addr` describes; together they are cut to
    /// `MAX_RW_COUNT`.
    ///
    /// # Errors
    /// `EINVAL`: more than `IOV_MAX`, or a negative length. `EFAULT`: the array is not readable, or a buffer
    /// leaves user space.
    pub(crate) fn vector(space: &'a AddressSpace, addr: usize, count: usize) -> Result<Self, Errno> {
        Segments::vector(space, addr, count).map(|segments| Self::new(space, segments))
    }

    /// How far the bytes have been taken.
    #[inline]
    pub(crate) const fn position(&self) -> Position<'a> {
        self.segments.position()
    }

    /// Offers again what was taken since it was at `position`.
    #[inline]
    pub(crate) const fn rewind(&mut self, position: Position<'a>) {
        self.segments.rewind(position);
    }

    /// Offers the first `most` bytes only.
    pub(crate) fn truncate(&mut self, most: usize) {
        self.segments.truncate(most);
    }

    fn new(space: &'a AddressSpace, segments: Segments<'a>) -> Self {
        Self { segments, window: Window::new(space, Access::Read) }
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
        let Self { segments, window } = self;
        segments.advance(space.avail(), |stretch| stretch.copy_to(window, space))
    }
}
