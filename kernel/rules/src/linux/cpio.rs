//! Reads archives in the "newc" format of initramfs images.
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
mod tests;
