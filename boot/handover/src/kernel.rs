//! The kernel's ELF file, and the place of its segments in memory.
//!
//! Each segment goes to its physical address: the kernel is not relocatable.

use core::ops::Range;

use elf::{ElfBytes, abi, endian::LittleEndian, file::Class, segment::ProgramHeader};

use crate::Refusal;

/// The address at which the 64-bit Linux protocol enters OSTD's kernels.
pub const ENTRY: u64 = 0x800_1200;

/// A loadable kernel: its segments lie inside the file, and one of them contains the entry.
#[derive(Debug)]
pub struct Kernel<'a> {
    elf: ElfBytes<'a, LittleEndian>,
    memory: Range<u64>,
}

/// A segment of the kernel in memory: its bytes, then zeros to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its physical addresses.
    pub memory: Range<u64>,
    /// Its bytes in the file.
    pub bytes: &'a [u8],
}

impl<'a> Kernel<'a> {
    /// Checks the whole file.
    ///
    /// # Errors
    /// [`Refusal::ForeignKernel`] if it is no 64-bit ELF executable, [`Refusal::TruncatedKernel`] if a segment
    /// lies outside the file, [`Refusal::NoEntry`] if no segment contains the entry.
    pub fn parse(file: &'a [u8]) -> Result<Self, Refusal> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(|error| {
            match file.starts_with(&abi::ELFMAGIC) {
                // A damaged file looks like a truncated one.
                true if !matches!(error, elf::ParseError::UnsupportedElfEndianness(_)) => {
                    Refusal::TruncatedKernel
                }
                _ => Refusal::ForeignKernel,
            }
        })?;
        if elf.ehdr.class != Class::ELF64 || elf.ehdr.e_type != abi::ET_EXEC {
            return Err(Refusal::ForeignKernel);
        }
        let mut kernel = Self { elf, memory: ENTRY..ENTRY };
        let mut has_entry = false;
        for header in kernel.headers() {
            let segment = kernel.segment(&header)?;
            has_entry |=
                segment.memory.start <= ENTRY && ENTRY < segment.memory.start + segment.bytes.len() as u64;
            kernel.memory.start = kernel.memory.start.min(segment.memory.start);
            kernel.memory.end = kernel.memory.end.max(segment.memory.end);
        }
        if has_entry { Ok(kernel) } else { Err(Refusal::NoEntry) }
    }

    /// Returns the physical addresses from its first byte to its last.
    pub fn memory(&self) -> Range<u64> {
        self.memory.clone()
    }

    /// Returns the segments to load.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'a>> {
        // `parse` has checked each of them.
        self.headers().filter_map(|header| self.segment(&header).ok())
    }

    fn headers(&self) -> impl Iterator<Item = ProgramHeader> + use<'a> {
        let headers = self.elf.segments().into_iter().flatten();
        headers.filter(|header| header.p_type == abi::PT_LOAD && header.p_memsz > 0)
    }

    fn segment(&self, header: &ProgramHeader) -> Result<Segment<'a>, Refusal> {
        let bytes = self.elf.segment_data(header).map_err(|_| Refusal::TruncatedKernel)?;
        match header.p_paddr.checked_add(header.p_memsz) {
            Some(end) if header.p_filesz <= header.p_memsz => {
                Ok(Segment { memory: header.p_paddr..end, bytes })
            }
            _ => Err(Refusal::ForeignKernel),
        }
    }
}

/// Cuts off the bytes that no segment loads: the sections with the debug information, which come last.
pub fn strip(file: &mut [u8]) -> Result<&[u8], Refusal> {
    const E_SHOFF: Range<usize> = 40..48;
    const E_SHNUM_AND_SHSTRNDX: Range<usize> = 60..64;
    let kernel = Kernel::parse(file)?;
    let ends = kernel.headers().map(|header| header.p_offset + header.p_filesz);
    // Both lie inside the file, as `parse` has checked.
    let loaded = ends.max().and_then(|end| usize::try_from(end).ok()).unwrap_or(file.len());
    file[E_SHOFF].fill(0);
    file[E_SHNUM_AND_SHSTRNDX].fill(0);
    Ok(&file[..loaded])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: usize = 64;
    const ENTRY_SIZE: usize = 56;
    const DATA: usize = HEADER + 2 * ENTRY_SIZE;

    /// Makes an ELF file with a segment of 16 bytes around the entry, and one of zeros only.
    fn file() -> Vec<u8> {
        let mut bytes = vec![0; DATA];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        let mut put = |at: usize, value: u64, size: usize| {
            bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        };
        put(16, 2, 2);
        put(18, 62, 2);
        put(20, 1, 4);
        put(32, HEADER as u64, 8);
        put(52, HEADER as u64, 2);
        put(54, ENTRY_SIZE as u64, 2);
        put(56, 2, 2);
        for (at, offset, address, in_file, in_memory) in [
            (HEADER, DATA as u64, ENTRY, 16, 0x1000),
            (HEADER + ENTRY_SIZE, DATA as u64, 0x900_0000, 0, 0x2000),
        ] {
            put(at, 1, 4);
            put(at + 8, offset, 8);
            put(at + 24, address, 8);
            put(at + 32, in_file, 8);
            put(at + 40, in_memory, 8);
        }
        bytes.extend(0..16);
        bytes
    }

    #[test]
    fn segments_are_found_at_their_physical_addresses() {
        let file = file();
        let kernel = Kernel::parse(&file).unwrap();
        assert_eq!(kernel.memory(), ENTRY..0x900_2000);
        let segments: Vec<_> = kernel.segments().collect();
        assert_eq!(segments[0], Segment { memory: ENTRY..ENTRY + 0x1000, bytes: &file[DATA..] });
        assert_eq!(segments[1], Segment { memory: 0x900_0000..0x900_2000, bytes: &[] });
    }

    #[test]
    fn every_truncation_is_refused() {
        let file = file();
        for length in 0..file.len() {
            let refusal = Kernel::parse(&file[..length]).map(|_| ()).unwrap_err();
            let expected = if length < 4 { Refusal::ForeignKernel } else { Refusal::TruncatedKernel };
            assert_eq!(refusal, expected, "{length} bytes");
        }
    }

    #[test]
    fn other_files_are_refused() {
        for (at, value) in [(0, 0), (4, 1), (5, 2), (16, 3)] {
            let mut file = file();
            file[at] = value;
            assert!(Kernel::parse(&file).is_err(), "byte {at}");
        }
        let mut elsewhere = file();
        elsewhere[HEADER + 24] = 0xff;
        assert_eq!(Kernel::parse(&elsewhere).map(|_| ()).unwrap_err(), Refusal::NoEntry);
    }

    #[test]
    fn a_segment_beyond_all_addresses_is_refused() {
        let mut file = file();
        file[HEADER + 40..HEADER + 48].fill(0xff);
        assert_eq!(Kernel::parse(&file).map(|_| ()).unwrap_err(), Refusal::ForeignKernel);
    }

    #[test]
    fn stripping_keeps_what_is_loaded() {
        let whole = file();
        let mut with_sections = [whole.clone(), vec![7; 200]].concat();
        assert_eq!(strip(&mut with_sections), Ok(&whole[..]));
    }
}
