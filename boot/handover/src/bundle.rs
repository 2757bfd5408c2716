//! The bundle: the file beside the stage, with kernel, initramfs and command line.
//!
//! ```text
//!  0  magic, 8 bytes
//!  8  length of the command line │ 16  of the kernel │ 24  of the initramfs    (little endian)
//! 32  the command line, the kernel, the initramfs, without gaps
//! ```

use crate::Refusal;

const MAGIC: [u8; 8] = *b"POLLUX\x1a\x01";
const HEADER: usize = 32;

/// The parts of a bundle in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle<'a> {
    /// The kernel's command line, without a NUL.
    pub command_line: &'a str,
    /// The kernel, an ELF file.
    pub kernel: &'a [u8],
    /// The initial file system, a cpio archive.
    pub initramfs: &'a [u8],
}

impl<'a> Bundle<'a> {
    /// Parses the file that the loader has read.
    ///
    /// # Errors
    /// [`Refusal::ForeignBundle`] without our magic, [`Refusal::TruncatedBundle`] if the file is shorter than its
    /// header says, [`Refusal::NoInitramfs`] if that part is empty, [`Refusal::CommandLine`] if it is not UTF-8.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Refusal::ForeignBundle);
        }
        let found = bytes.len() as u64;
        let too_short = Refusal::TruncatedBundle { expected: HEADER as u64, found };
        let (header, content) = bytes.split_at_checked(HEADER).ok_or(too_short)?;
        let lengths = [length(header, 8), length(header, 16), length(header, 24)];
        let expected = lengths.iter().fold(HEADER as u64, |sum, &length| sum.saturating_add(length));
        let truncated = Refusal::TruncatedBundle { expected, found };
        let split = |bytes: &'a [u8], length: u64| {
            usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length)).ok_or(truncated)
        };
        let (command_line, content) = split(content, lengths[0])?;
        let (kernel, content) = split(content, lengths[1])?;
        let (initramfs, _) = split(content, lengths[2])?;
        if initramfs.is_empty() {
            return Err(Refusal::NoInitramfs);
        }
        let command_line = core::str::from_utf8(command_line).map_err(|_| Refusal::CommandLine)?;
        Ok(Self { command_line, kernel, initramfs })
    }

    /// Returns the pieces of the file in order: the header, then the parts.
    pub fn pieces(&self) -> ([u8; HEADER], [&'a [u8]; 3]) {
        let parts = [self.command_line.as_bytes(), self.kernel, self.initramfs];
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&MAGIC);
        for (place, part) in header[8..].chunks_exact_mut(8).zip(parts) {
            place.copy_from_slice(&(part.len() as u64).to_le_bytes());
        }
        (header, parts)
    }
}

fn length(header: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&header[at..at + 8]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUNDLE: Bundle<'_> = Bundle { command_line: "init=/x", kernel: b"elf", initramfs: b"cpio" };

    fn file(bundle: &Bundle<'_>) -> Vec<u8> {
        let (header, parts) = bundle.pieces();
        [&header[..], &parts.concat()].concat()
    }

    #[test]
    fn what_was_packed_is_found() {
        assert_eq!(Bundle::parse(&file(&BUNDLE)), Ok(BUNDLE));
        let padded = [file(&BUNDLE), vec![0; 100]].concat();
        assert_eq!(Bundle::parse(&padded), Ok(BUNDLE));
    }

    #[test]
    fn every_truncation_is_noticed() {
        let whole = file(&BUNDLE);
        for length in 0..whole.len() {
            let expected = if length < HEADER { HEADER } else { whole.len() } as u64;
            let refusal = match length {
                ..8 => Refusal::ForeignBundle,
                _ => Refusal::TruncatedBundle { expected, found: length as u64 },
            };
            assert_eq!(Bundle::parse(&whole[..length]), Err(refusal), "{length} bytes");
        }
    }

    #[test]
    fn lengths_beyond_all_memory_are_a_truncation_too() {
        let mut bytes = file(&BUNDLE);
        bytes[8..32].fill(0xff);
        let refusal = Refusal::TruncatedBundle { expected: u64::MAX, found: bytes.len() as u64 };
        assert_eq!(Bundle::parse(&bytes), Err(refusal));
    }

    #[test]
    fn a_bundle_without_initramfs_is_refused() {
        let bytes = file(&Bundle { initramfs: b"", ..BUNDLE });
        assert_eq!(Bundle::parse(&bytes), Err(Refusal::NoInitramfs));
    }
}
