//! Copies small and large stretches of user memory.

use ostd::mm::io::util::HasVmReaderWriter;
use ostd::mm::{FallibleVmRead, FallibleVmWrite, Infallible, VmReader, VmWriter};

use super::super::space::AddressSpace;
use super::window::{Extent, Window};

/// From this size on, looking up the page costs less than copying through the user's address.
pub(super) const LARGE: usize = 512;

/// User memory from `addr` to `end`, copied in one or more pieces.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'a> {
    pub(super) space: &'a AddressSpace,
    pub(super) addr: usize,
    pub(super) end: usize,
}

impl Stretch<'_> {
    /// Copies the stretch into `to`. A short count means that the next byte is not readable.
    #[inline(always)]
    pub(super) fn copy_to(self, window: &mut Window<'_>, to: &mut VmWriter<'_, Infallible>) -> usize {
        let len = to.avail().min(self.end - self.addr);
        if len < LARGE && !window.reaches(self.addr) {
            return self.copy_small_to(to);
        }
        window.copy(self.extent(len), |page, offset, len| page.reader().skip(offset).limit(len).read(to))
    }

    /// Copies `from` into the stretch. A short count means that the next byte is not writable.
    #[inline(always)]
    pub(super) fn copy_from(self, window: &mut Window<'_>, from: &mut VmReader<'_, Infallible>) -> usize {
        let len = from.remain().min(self.end - self.addr);
        if len < LARGE && !window.reaches(self.addr) {
            return self.copy_small_from(from);
        }
        window.copy(self.extent(len), |page, offset, len| page.writer().skip(offset).limit(len).write(from))
    }

    /// Describes the first `len` bytes; the rest follows soon.
    #[inline(always)]
    const fn extent(self, len: usize) -> Extent {
        Extent { addr: self.addr, end: self.addr + len, until: self.end }
    }

    /// Does what [`Self::copy_to`] does, through the user's own address.
    #[inline(always)]
    pub(super) fn copy_small_to(self, to: &mut VmWriter<'_, Infallible>) -> usize {
        let Ok(mut reader) = self.space.vm().reader(self.addr, self.end - self.addr) else { return 0 };
        reader.read_fallible(to).unwrap_or_else(|(_, copied)| copied)
    }

    /// Does what [`Self::copy_from`] does, through the user's own address.
    #[inline(always)]
    pub(super) fn copy_small_from(self, from: &mut VmReader<'_, Infallible>) -> usize {
        let Ok(mut writer) = self.space.vm().writer(self.addr, self.end - self.addr) else { return 0 };
        writer.write_fallible(from).unwrap_or_else(|(_, copied)| copied)
    }
}
