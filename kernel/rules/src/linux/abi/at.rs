//! The flags of the syscalls whose names end in "at".
//!
//! Source: openat(2) and its kin; Linux 6.1 include/uapi/linux/fcntl.h.

use bitflags::bitflags;

/// As a directory descriptor: the working directory.
pub const AT_FDCWD: i32 = -100;

bitflags! {
    /// How a path is looked up, and what for.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct AtFlags: u32 {
        /// A symbolic link at the end of the path is meant itself.
        const SYMLINK_NOFOLLOW = 0x100;
        /// unlinkat(2): remove a directory. faccessat2(2): check the effective ids.
        const REMOVEDIR = 0x200;
        /// A symbolic link at the end of the path is followed, where it is not by default.
        const SYMLINK_FOLLOW = 0x400;
        /// Do not trigger automounts.
        const NO_AUTOMOUNT = 0x800;
        /// An empty path means the descriptor itself.
        const EMPTY_PATH = 0x1000;
        /// statx(2): how fresh the answer must be.
        const STATX_FORCE_SYNC = 0x2000;
        /// statx(2): how fresh the answer must be.
        const STATX_DONT_SYNC = 0x4000;
    }
}
