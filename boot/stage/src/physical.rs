//! Accesses physical memory, through the loader's map of it.

use core::ops::Range;

use x86_64::{
    VirtAddr,
    registers::control::Cr3,
    structures::paging::{OffsetPageTable, PageTable, Translate},
};

/// All physical memory.
pub(crate) struct Physical {
    offset: u64,
}

impl Physical {
    /// Takes over the memory that is mapped from this virtual address on.
    ///
    /// # Safety
    /// All physical memory must be mapped there, writable, for as long as the stage runs, and nothing else may
    /// write to it. The caller may write only to free memory, as `handover::place` finds it.
    pub(crate) unsafe fn at(offset: u64) -> Self {
        Self { offset }
    }

    /// Fills the range with the bytes and zeros after them. Drops bytes that do not fit.
    pub(crate) fn write(&mut self, range: &Range<u64>, bytes: &[u8]) {
        let length = (range.end - range.start) as usize;
        let bytes = &bytes[..bytes.len().min(length)];
        let to = (self.offset + range.start) as *mut u8;
        // SAFETY: the range is mapped and free for use, as `at` demands; the bytes lie elsewhere, since free
        // memory holds nothing of the loader's and the kernel's own file is apart from its place.
        unsafe {
            to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            to.add(bytes.len()).write_bytes(0, length - bytes.len());
        }
    }

    /// Reads the bytes at an address.
    pub(crate) fn read<const N: usize>(&self, address: u64) -> [u8; N] {
        // SAFETY: mapped, as `at` demands; any bytes are a valid array.
        unsafe { ((self.offset + address) as *const [u8; N]).read_unaligned() }
    }

    /// Returns the physical address of something that the loader has mapped.
    pub(crate) fn address_of<T>(&self, pointer: *const T) -> Option<u64> {
        let (frame, _) = Cr3::read();
        let top = (self.offset + frame.start_address().as_u64()) as *mut PageTable;
        // SAFETY: CR3 names the table in force, which is in physical memory and which nobody changes meanwhile.
        let tables = unsafe { OffsetPageTable::new(&mut *top, VirtAddr::new(self.offset)) };
        tables.translate_addr(VirtAddr::from_ptr(pointer)).map(|address| address.as_u64())
    }
}
