//! The copies themselves, small and large.

use ostd::mm::io::util::HasVmReaderWriter;
use ostd::mm::{FallibleVmRead, FallibleVmWrite, Infallible, VmReader, VmWriter};

use super::super::space::AddressSpace;
use super::window::{Extent, Window};

/// From here on looking the page up costs less than copying by bytes.
pub(super) const LARGE: usize = 512;

/// User memory from `addr` to `end`, to be copied in one or more pieces.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'a> {
    pub(super) space: &'a AddressSpace,
    pub(super) addr: usize,
    pub(super) end: usize,
}

impl Stretch<'_> {
    /// Fills `to` as far as the stretch goes. Less means that the next byte is not readable.
    #[inline(always)]
    pub(super) fn copy_to(self, window: &mut Window<'_>, to: &mut VmWriter<'_, Infallible>) -> usize {
        let len = to.avail().min(self.end - self.addr);
        if len < LARGE && !window.reaches(self.addr) {
            return self.copy_small_to(to);
        }
        window.copy(self.extent(len), |page, offset, len| page.reader().skip(offset).limit(len).read(to))
    }

    /// Copies `from` as far as the stretch goes. Less means that the next byte is not writable.
    #[inline(always)]
    pub(super) fn copy_from(self, window: &mut Window<'_>, from: &mut VmReader<'_, Infallible>) -> usize {
        let len = from.remain().min(self.end - self.addr);
        if len < LARGE && !window.reaches(self.addr) {
            return self.copy_small_from(from);
        }
        window.copy(self.extent(len), |page, offset, len| page.writer().skip(offset).limit(len).write(from))
    }

    /// The first `len` bytes, before the rest.
    #[inline(always)]
    const fn extent(self, len: usize) -> Extent {
        Extent { addr: self.addr, end: self.addr + len, until: self.end }
    }

    /// [`Self::copy_to`] by bytes, at the user's own address.
    #[inline(always)]
    pub(super) fn copy_small_to(self, to: &mut VmWriter<'_, Infallible>) -> usize {
        let Ok(mut reader) = self.space.vm().reader(self.addr, self.end - self.addr) else { return 0 };
        reader.read_fallible(to).unwrap_or_else(|(_, copied)| copied)
    }

    /// [`Self::copy_from`] by bytes, at the user's own address.
    #[inline(always)]
    pub(super) fn copy_small_from(self, from: &mut VmReader<'_, Infallible>) -> usize {
        let Ok(mut writer) = self.space.vm().writer(self.addr, self.end - self.addr) else { return 0 };
        writer.write_fallible(from).unwrap_or_else(|(_, copied)| copied)
    }
}
