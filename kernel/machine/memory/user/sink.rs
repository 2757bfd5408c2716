//! The user's buffer as the place that a read fills.

use ostd::mm::{Infallible, VmReader};
use rules::abi::errno::Errno;

use super::super::fault::Access;
use super::super::space::AddressSpace;
use super::super::transfer;
use super::iovec::{Position, Segments};
use super::window::Window;

/// A `read(2)` buffer or the buffers of a `readv(2)`.
pub(crate) struct UserSink<'a> {
    segments: Segments<'a>,
    window: Window<'a>,
}

impl<'a> UserSink<'a> {
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

    /// How far the place has been filled.
    #[inline]
    pub(crate) const fn position(&self) -> Position<'a> {
        self.segments.position()
    }

    /// Fills again what was filled since it was at `position`.
    #[inline]
    pub(crate) const fn rewind(&mut self, position: Position<'a>) {
        self.segments.rewind(position);
    }

    fn new(space: &'a AddressSpace, segments: Segments<'a>) -> Self {
        Self { segments, window: Window::new(space, Access::Write) }
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
        let Self { segments, window } = self;
        segments.advance(from.remain(), |stretch| stretch.copy_from(window, from))
    }
}
