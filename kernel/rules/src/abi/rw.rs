//! The flags of preadv2(2) and pwritev2(2).
//!
//! Source: readv(2); Linux 6.1 include/uapi/linux/fs.h.

use bitflags::bitflags;

use super::errno::Errno;
use super::open::OpenFlags;

bitflags! {
    /// How one read or write differs from others of its file.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct RwFlags: u32 {
        /// `RWF_HIPRI`: a hint.
        const HIGH_PRIORITY = 0x01;
        /// `RWF_DSYNC`: as `O_DSYNC`.
        const DATA_SYNC = 0x02;
        /// `RWF_SYNC`: as `O_SYNC`.
        const SYNC = 0x04;
        /// `RWF_APPEND`: as `O_APPEND`.
        const APPEND = 0x10;
    }
}

impl RwFlags {
    /// Returns the flags in `raw`.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: a flag that no file here knows; `RWF_NOWAIT` is one.
    pub const fn parse(raw: u32) -> Result<Self, Errno> {
        match Self::from_bits(raw) {
            Some(flags) => Ok(flags),
            None => Err(Errno::EOPNOTSUPP),
        }
    }

    /// Returns the file status flags that have the same effect on every write.
    #[must_use]
    pub fn to_status(self) -> OpenFlags {
        let mut status = OpenFlags::empty();
        status.set(OpenFlags::APPEND, self.contains(Self::APPEND));
        status.set(OpenFlags::DATA_SYNC, self.contains(Self::DATA_SYNC));
        status.set(OpenFlags::DATA_SYNC | OpenFlags::SYNC, self.contains(Self::SYNC));
        status
    }
}
