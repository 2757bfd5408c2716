//! The type and permission bits of an inode: `st_mode`.
//!
//! Source: inode(7); Linux 6.1 include/uapi/linux/stat.h.

use bitflags::bitflags;

/// The kind of a file; the value is its `S_IF…` pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum FileType {
    /// A named pipe.
    Fifo = 0o010_000,
    /// A device that is a stream of bytes.
    CharacterDevice = 0o020_000,
    /// A table of names.
    Directory = 0o040_000,
    /// A device that is an array of blocks.
    BlockDevice = 0o060_000,
    /// Bytes.
    Regular = 0o100_000,
    /// A path to another file.
    Symlink = 0o120_000,
    /// A local socket's name.
    Socket = 0o140_000,
}

impl FileType {
    /// The bits of `st_mode` that hold the type.
    pub const MASK: u32 = 0o170_000;

    /// Returns the type in `mode`, which may carry permissions as well.
    #[must_use]
    pub const fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & Self::MASK {
            0o010_000 => Self::Fifo,
            0o020_000 => Self::CharacterDevice,
            0o040_000 => Self::Directory,
            0o060_000 => Self::BlockDevice,
            0o100_000 => Self::Regular,
            0o120_000 => Self::Symlink,
            0o140_000 => Self::Socket,
            _ => return None,
        })
    }

    /// Returns the `S_IF…` bits.
    #[must_use]
    pub const fn to_mode(self) -> u32 {
        self as u32
    }

    /// Returns the `d_type` of a directory entry: the same pattern, shifted.
    #[must_use]
    pub const fn to_dirent(self) -> u8 {
        (self as u16 >> 12) as u8
    }
}

bitflags! {
    /// The lower twelve bits of `st_mode`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Permissions: u16 {
        /// Set user id on execution.
        const SET_UID = 0o4000;
        /// Set group id on execution; new files inherit a directory's group.
        const SET_GID = 0o2000;
        /// Only owners remove names from the directory.
        const STICKY = 0o1000;
        /// The owner reads.
        const OWNER_READ = 0o400;
        /// The owner writes.
        const OWNER_WRITE = 0o200;
        /// The owner executes or searches.
        const OWNER_EXECUTE = 0o100;
        /// The group reads.
        const GROUP_READ = 0o040;
        /// The group writes.
        const GROUP_WRITE = 0o020;
        /// The group executes or searches.
        const GROUP_EXECUTE = 0o010;
        /// All may read.
        const OTHER_READ = 0o004;
        /// All may write.
        const OTHER_WRITE = 0o002;
        /// All may execute or search.
        const OTHER_EXECUTE = 0o001;
    }
}

impl Permissions {
    /// Returns the permission bits of `mode`; all others are ignored, as chmod(2) and open(2) ignore them.
    #[must_use]
    pub const fn from_mode(mode: u32) -> Self {
        Self::from_bits_truncate((mode & 0o7777) as u16)
    }

    /// Returns the mode without the bits in umask(2)'s mask.
    #[must_use]
    pub fn masked_by(self, umask: Self) -> Self {
        self.difference(umask)
    }

    /// Returns the bits in their place in `st_mode`.
    #[must_use]
    pub const fn to_mode(self) -> u32 {
        self.bits() as u32
    }
}
