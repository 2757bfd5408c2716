//! The page that tells the kernel about the machine: Linux's boot_params, the "zero page".
//!
//! It sets only the fields that OSTD 0.18 reads; OSTD takes zero for "not there".
//! Source: Linux 6.1 arch/x86/include/uapi/asm/bootparam.h, Documentation/x86/zero-page.rst.

use core::ops::Range;

use crate::memory_map::{MAX_ENTRIES, MemoryMap};

/// The size of the structure.
pub const LENGTH: usize = 4096;

const SCREEN_WIDTH: usize = 0x12;
const SCREEN_HEIGHT: usize = 0x14;
const SCREEN_DEPTH: usize = 0x16;
const SCREEN_BASE: usize = 0x18;
const SCREEN_BASE_HIGH: usize = 0x3a;
const ACPI_RSDP: usize = 0x70;
const E820_COUNT: usize = 0x1e8;
const HEADER_MAGIC: usize = 0x202;
const LOADER_TYPE: usize = 0x210;
const INITRAMFS_ADDRESS: usize = 0x218;
const INITRAMFS_SIZE: usize = 0x21c;
const COMMAND_LINE_ADDRESS: usize = 0x228;
const COMMAND_LINE_SIZE: usize = 0x238;
const E820_TABLE: usize = 0x2d0;
const E820_ENTRY: usize = 20;

/// The loader type "undefined", for a loader without an assigned number.
const OTHER_LOADER: u8 = 0xff;

/// A screen of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The physical address of the first pixel.
    pub address: u64,
    /// Pixels from the start of a line to the start of the next.
    pub width: u16,
    /// Lines.
    pub height: u16,
    /// Bits of a pixel.
    pub depth: u16,
}

/// The information for the kernel.
#[derive(Clone, Debug)]
pub struct BootParams<'a> {
    /// The memory map.
    pub memory: &'a MemoryMap,
    /// The place of the initramfs, below 4 GiB.
    pub initramfs: Range<u64>,
    /// The place of the command line with its NUL, below 4 GiB.
    pub command_line: Range<u64>,
    /// The physical address of the ACPI pointer structure.
    pub acpi: Option<u64>,
    /// The screen, if there is one.
    pub screen: Option<Screen>,
}

impl BootParams<'_> {
    /// Lays the page out.
    pub fn page(&self) -> [u8; LENGTH] {
        let mut page = [0; LENGTH];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(HEADER_MAGIC, b"HdrS");
        put(LOADER_TYPE, &[OTHER_LOADER]);
        put(INITRAMFS_ADDRESS, &low(self.initramfs.start));
        put(INITRAMFS_SIZE, &low(self.initramfs.end - self.initramfs.start));
        put(COMMAND_LINE_ADDRESS, &low(self.command_line.start));
        put(COMMAND_LINE_SIZE, &low(self.command_line.end - self.command_line.start));
        put(ACPI_RSDP, &self.acpi.unwrap_or(0).to_le_bytes());
        if let Some(screen) = self.screen {
            put(SCREEN_WIDTH, &screen.width.to_le_bytes());
            put(SCREEN_HEIGHT, &screen.height.to_le_bytes());
            put(SCREEN_DEPTH, &screen.depth.to_le_bytes());
            put(SCREEN_BASE, &low(screen.address));
            put(SCREEN_BASE_HIGH, &low(screen.address >> 32));
        }
        let entries = self.memory.entries();
        const { assert!(MAX_ENTRIES <= u8::MAX as usize && E820_TABLE + MAX_ENTRIES * E820_ENTRY <= LENGTH) };
        put(E820_COUNT, &[entries.len() as u8]);
        for (number, entry) in entries.iter().enumerate() {
            let at = E820_TABLE + number * E820_ENTRY;
            put(at, &entry.start.to_le_bytes());
            put(at + 8, &(entry.end - entry.start).to_le_bytes());
            put(at + 16, &entry.kind.number().to_le_bytes());
        }
        page
    }
}

/// Returns the low half of a number, which is all of it below 4 GiB.
fn low(number: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = number.to_le_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};

    use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
    use linux_boot_params::{BootE820Entry, BootParams as Theirs, LINUX_BOOT_HEADER_MAGIC};

    use super::*;

    #[test]
    fn offsets_are_those_that_ostd_reads_at() {
        assert_eq!(size_of::<Theirs>(), LENGTH);
        for (ours, theirs) in [
            (SCREEN_WIDTH, offset_of!(Theirs, screen_info.lfb_width)),
            (SCREEN_HEIGHT, offset_of!(Theirs, screen_info.lfb_height)),
            (SCREEN_DEPTH, offset_of!(Theirs, screen_info.lfb_depth)),
            (SCREEN_BASE, offset_of!(Theirs, screen_info.lfb_base)),
            (SCREEN_BASE_HIGH, offset_of!(Theirs, screen_info.ext_lfb_base)),
            (ACPI_RSDP, offset_of!(Theirs, acpi_rsdp_addr)),
            (E820_COUNT, offset_of!(Theirs, e820_entries)),
            (HEADER_MAGIC, offset_of!(Theirs, hdr.header)),
            (LOADER_TYPE, offset_of!(Theirs, hdr.type_of_loader)),
            (INITRAMFS_ADDRESS, offset_of!(Theirs, hdr.ramdisk_image)),
            (INITRAMFS_SIZE, offset_of!(Theirs, hdr.ramdisk_size)),
            (COMMAND_LINE_ADDRESS, offset_of!(Theirs, hdr.cmd_line_ptr)),
            (COMMAND_LINE_SIZE, offset_of!(Theirs, hdr.cmdline_size)),
            (E820_TABLE, offset_of!(Theirs, e820_table)),
            (E820_ENTRY, size_of::<BootE820Entry>()),
        ] {
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn what_is_told_stands_in_the_page() {
        let regions = [
            MemoryRegion { start: 0x1000, end: 0x3000, kind: MemoryRegionKind::Usable },
            MemoryRegion { start: 0x4000, end: 0x5000, kind: MemoryRegionKind::UnknownBios(3) },
        ];
        let page = BootParams {
            memory: &MemoryMap::new(&regions, None).unwrap(),
            initramfs: 0x20_0000..0x20_0123,
            command_line: 0x10_0000..0x10_0010,
            acpi: Some(0xf_5000),
            screen: Some(Screen { address: 0x1_8000_0000, width: 1280, height: 720, depth: 32 }),
        }
        .page();
        let word = |at: usize| u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]);
        assert_eq!(word(0x202), LINUX_BOOT_HEADER_MAGIC);
        assert_eq!((word(0x218), word(0x21c)), (0x20_0000, 0x123));
        assert_eq!((word(0x228), word(0x238)), (0x10_0000, 0x10));
        assert_eq!((word(0x18), word(0x3a)), (0x8000_0000, 1));
        assert_eq!((word(0x70), page[0x1e8]), (0xf_5000, 2));
        assert_eq!((word(0x2d0), word(0x2d8), word(0x2e0)), (0x1000, 0x2000, 1));
        assert_eq!((word(0x2e4), word(0x2ec), word(0x2f4)), (0x4000, 0x1000, 3));
    }

    #[test]
    fn without_a_screen_or_acpi_their_fields_are_zero() {
        let memory = MemoryMap::new(&[], None).unwrap();
        let params =
            BootParams { memory: &memory, initramfs: 1..2, command_line: 1..2, acpi: None, screen: None };
        let page = params.page();
        assert!(page[..HEADER_MAGIC].iter().all(|&byte| byte == 0));
    }
}
