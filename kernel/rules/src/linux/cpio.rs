//! Archives in the "newc" format, which initramfs images are.
//!
//! Own code, because the published readers cannot tell a damaged archive from a finished one (they stop
//! at both) or want names to be UTF-8.
//! Invariant: never reads outside the archive, whatever its headers claim; after an error there is nothing more.
//! Source: Linux 6.1 Documentation/driver-api/early-userspace/buffer-format.rst, init/initramfs.c.

/// One file of an archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CpioEntry<'a> {
    /// The path, without a leading slash as a rule; never empty.
    pub name: &'a [u8],
    /// The contents; a symbolic link's target.
    pub data: &'a [u8],
    /// Type and permissions.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Last write, in seconds since 1970.
    pub modified: u32,
    /// Which device a device node stands for: major, minor.
    pub special_device: (u32, u32),
    /// How many names share the inode.
    pub links: u32,
    /// What such names have in common: the concatenated archive's number, device major, minor, inode.
    pub identity: (u32, u32, u32, u32),
}

/// What is wrong with an archive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Malformed {
    /// No "070701" where a header must be; compressed archives have to be unpacked before.
    Magic,
    /// A header field is not a hexadecimal number.
    Number,
    /// A name or its data goes beyond the end.
    Truncated,
    /// A name is empty, not closed by a zero byte, or has one inside.
    Name,
}

/// Walks through `archive`, and through further archives behind it, as Linux does.
#[must_use]
pub const fn entries(archive: &[u8]) -> CpioEntries<'_> {
    CpioEntries { archive, position: 0, ordinal: 0 }
}

/// The iterator of [`entries`].
#[derive(Debug)]
pub struct CpioEntries<'a> {
    archive: &'a [u8],
    position: usize,
    ordinal: u32,
}

/// Magic and thirteen fields of eight digits.
const HEADER: usize = 6 + 13 * 8;
const MAGIC: &[u8] = b"070701";
const TRAILER: &[u8] = b"TRAILER!!!";

impl<'a> CpioEntries<'a> {
    fn parse(&mut self) -> Result<Option<CpioEntry<'a>>, Malformed> {
        loop {
            // Zeros fill the last block of an archive.
            while self.archive.get(self.position) == Some(&0) {
                self.position += 1;
            }
            if self.position == self.archive.len() {
                return Ok(None);
            }
            let entry = self.parse_entry()?;
            if entry.name != TRAILER {
                return Ok(Some(entry));
            }
            self.ordinal += 1;
        }
    }

    fn parse_entry(&mut self) -> Result<CpioEntry<'a>, Malformed> {
        let header = self.take(HEADER)?;
        if &header[..MAGIC.len()] != MAGIC {
            return Err(Malformed::Magic);
        }
        let mut fields = [0; 13];
        for (field, digits) in fields.iter_mut().zip(header[MAGIC.len()..].chunks_exact(8)) {
            *field = parse_number(digits)?;
        }
        let [
            inode,
            mode,
            uid,
            gid,
            links,
            modified,
            size,
            major,
            minor,
            special_major,
            special_minor,
            name_size,
            _checksum,
        ] = fields;

        let Some((&0, name)) = self.take(name_size as usize)?.split_last() else {
            return Err(Malformed::Name);
        };
        if name.is_empty() || name.contains(&0) {
            return Err(Malformed::Name);
        }
        self.align();
        let data = self.take(size as usize)?;
        self.align();
        Ok(CpioEntry {
            name,
            data,
            mode,
            uid,
            gid,
            modified,
            special_device: (special_major, special_minor),
            links,
            identity: (self.ordinal, major, minor, inode),
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let rest = &self.archive[self.position..];
        let taken = rest.get(..length).ok_or(Malformed::Truncated)?;
        self.position += length;
        Ok(taken)
    }

    /// Names and data are padded to four bytes, counted from the start; the very last padding may be missing.
    fn align(&mut self) {
        self.position = self.position.next_multiple_of(4).min(self.archive.len());
    }
}

impl<'a> Iterator for CpioEntries<'a> {
    type Item = Result<CpioEntry<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.parse().transpose();
        if matches!(item, Some(Err(_))) {
            self.position = self.archive.len();
        }
        item
    }
}

fn parse_number(digits: &[u8]) -> Result<u32, Malformed> {
    digits.iter().try_fold(0, |number: u32, &digit| {
        let value = char::from(digit).to_digit(16).ok_or(Malformed::Number)?;
        Ok(number << 4 | value)
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use std::format;

    use super::{Malformed, entries};

    fn append(archive: &mut Vec<u8>, name: &str, mode: usize, data: &[u8]) {
        pad(archive);
        let fields = [7, mode, 1, 2, 1, 99, data.len(), 8, 1, 5, 64, name.len() + 1, 0];
        archive.extend(b"070701");
        for field in fields {
            archive.extend(format!("{field:08X}").bytes());
        }
        archive.extend(name.bytes());
        archive.push(0);
        pad(archive);
        archive.extend(data);
    }

    fn pad(archive: &mut Vec<u8>) {
        archive.resize(archive.len().next_multiple_of(4), 0);
    }

    fn sample() -> Vec<u8> {
        let mut archive = Vec::new();
        append(&mut archive, "etc", 0o040_755, b"");
        append(&mut archive, "etc/motd", 0o100_644, b"hello");
        append(&mut archive, "TRAILER!!!", 0, b"");
        archive
    }

    #[test]
    fn entries_come_in_order_with_all_their_fields() {
        let archive = sample();
        let found: Vec<_> = entries(&archive).map(Result::unwrap).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].name, b"etc");
        let motd = found[1];
        assert_eq!((motd.name, motd.data), (&b"etc/motd"[..], &b"hello"[..]));
        assert_eq!((motd.mode, motd.uid, motd.gid, motd.modified), (0o100_644, 1, 2, 99));
        assert_eq!((motd.special_device, motd.identity), ((5, 64), (0, 8, 1, 7)));
    }

    #[test]
    fn a_second_archive_behind_zeros_is_read_as_well() {
        let mut archive = sample();
        archive.extend([0; 512]);
        append(&mut archive, "init", 0o100_755, b"x");
        let last = entries(&archive).last().unwrap().unwrap();
        assert_eq!((last.name, last.identity.0), (&b"init"[..], 1));
    }

    #[test]
    fn the_empty_archive_has_no_entries() {
        assert_eq!(entries(b"").next(), None);
        assert_eq!(entries(&[0; 1024]).next(), None);
    }

    #[test]
    fn every_cut_through_a_header_name_or_datum_is_reported_and_ends_the_walk() {
        let archive = sample();
        // The first entry ends at 114; zeros follow it up to 116. The second one ends at 241.
        for cut in (1..114).chain(117..241) {
            let mut walk = entries(&archive[..cut]);
            let error = walk.by_ref().find_map(Result::err);
            assert_eq!(error, Some(Malformed::Truncated), "cut at {cut}");
            assert_eq!(walk.next(), None);
        }
    }

    #[test]
    fn lengths_larger_than_the_archive_are_truncation() {
        let mut archive = sample();
        archive[54..62].copy_from_slice(b"FFFFFFFF");
        assert_eq!(entries(&archive).next(), Some(Err(Malformed::Truncated)));
    }

    #[test]
    fn damaged_magic_digits_and_names_are_named() {
        let damaged = |at: usize, byte: u8| {
            let mut archive = sample();
            archive[at] = byte;
            entries(&archive).next().unwrap().err()
        };
        assert_eq!(damaged(5, b'2'), Some(Malformed::Magic));
        assert_eq!(damaged(20, b'+'), Some(Malformed::Number));
        assert_eq!(damaged(113, b'x'), Some(Malformed::Name));
        assert_eq!(damaged(111, 0), Some(Malformed::Name));
        assert_eq!(entries(b"\x1f\x8b compressed").next(), Some(Err(Malformed::Truncated)));
    }
}
