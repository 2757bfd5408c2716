//! The flags of open(2).
//!
//! Source: open(2); Linux 6.1 include/uapi/asm-generic/fcntl.h.

use bitflags::bitflags;

/// What the opened file may be used for: the lowest two bits of the flags.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccessMode {
    /// `O_RDONLY`.
    Read,
    /// `O_WRONLY`.
    Write,
    /// `O_RDWR`.
    ReadWrite,
    /// The value 3: both permissions are checked, and the file serves `ioctl` alone.
    Neither,
}

impl AccessMode {
    /// Returns the mode in the flags of open(2).
    #[must_use]
    pub const fn from_flags(flags: u32) -> Self {
        match flags & 3 {
            0 => Self::Read,
            1 => Self::Write,
            2 => Self::ReadWrite,
            _ => Self::Neither,
        }
    }

    /// Returns the mode as `F_GETFL` shows it.
    #[must_use]
    pub const fn to_flags(self) -> u32 {
        match self {
            Self::Read => 0,
            Self::Write => 1,
            Self::ReadWrite => 2,
            Self::Neither => 3,
        }
    }

    /// Returns whether read(2) works.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// Returns whether write(2) works.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }
}

bitflags! {
    /// Everything in the flags of open(2) beside the access mode.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct OpenFlags: u32 {
        /// Make the file if the name is free.
        const CREATE = 0o100;
        /// With `CREATE`: the name must be free.
        const EXCLUSIVE = 0o200;
        /// Do not make a terminal the controlling one.
        const NO_CONTROLLING_TTY = 0o400;
        /// Cut a regular file to no bytes.
        const TRUNCATE = 0o1000;
        /// Every write goes to the end.
        const APPEND = 0o2000;
        /// Do not sleep.
        const NONBLOCK = 0o4000;
        /// Data is on the disk when a write returns.
        const DATA_SYNC = 0o10000;
        /// Signal-driven I/O.
        const ASYNC = 0o20000;
        /// Around the page cache.
        const DIRECT = 0o40000;
        /// Offsets beyond 2 GiB; without effect on 64 bits.
        const LARGE_FILE = 0o100_000;
        /// Anything but a directory is an error.
        const DIRECTORY = 0o200_000;
        /// A symbolic link at the end of the path is an error.
        const NO_FOLLOW = 0o400_000;
        /// Reading leaves the access time alone.
        const NO_ACCESS_TIME = 0o1_000_000;
        /// The descriptor does not survive execve(2).
        const CLOSE_ON_EXEC = 0o2_000_000;
        /// With `DATA_SYNC`: metadata as well.
        const SYNC = 0o4_000_000;
        /// A place in the tree, not a file to read or write.
        const PATH = 0o10_000_000;
        /// With `DIRECTORY`: a file without a name.
        const TEMPORARY = 0o20_000_000;
    }
}

impl OpenFlags {
    /// Returns the known flags; unknown bits are dropped, as open(2) and openat(2) drop them.
    #[must_use]
    pub const fn from_flags(flags: u32) -> Self {
        Self::from_bits_truncate(flags)
    }
}
