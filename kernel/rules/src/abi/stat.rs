//! The structures that stat(2), statx(2) and statfs(2) return.
//!
//! Source: Linux 6.1 arch/x86/include/uapi/asm/stat.h, include/uapi/linux/stat.h,
//! include/uapi/asm-generic/statfs.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A point in time as inodes keep it; the seconds of before 1970 are negative.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Timestamp {
    /// Whole seconds since 1970-01-01 UTC.
    pub seconds: i64,
    /// The nanoseconds after them: 0..1 000 000 000.
    pub nanoseconds: u32,
}

/// `struct stat`.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Stat {
    /// The file system's device number.
    pub device: u64,
    /// The inode's number in its file system.
    pub inode: u64,
    /// Names that lead to the inode.
    pub links: u64,
    /// Type and permissions.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Unused.
    pub padding: u32,
    /// Which device a device node stands for.
    pub special_device: u64,
    /// Length in bytes.
    pub size: i64,
    /// The unit that reads do best in.
    pub block_size: i64,
    /// Room taken, in 512-byte units.
    pub blocks: i64,
    /// Last read: seconds and nanoseconds.
    pub accessed: [i64; 2],
    /// Last write: seconds and nanoseconds.
    pub modified: [i64; 2],
    /// Last change of the inode: seconds and nanoseconds.
    pub changed: [i64; 2],
    /// Unused.
    pub unused: [i64; 3],
}

/// `struct statx_timestamp`.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct StatxTimestamp {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds beyond them.
    pub nanoseconds: u32,
    /// Unused.
    pub padding: i32,
}

/// `struct statx`.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Statx {
    /// Which of the fields are filled in.
    pub mask: u32,
    /// The unit that reads do best in.
    pub block_size: u32,
    /// Properties such as "immutable".
    pub attributes: u64,
    /// Names that lead to the inode.
    pub links: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Type and permissions.
    pub mode: u16,
    /// Unused.
    pub padding: u16,
    /// The inode's number in its file system.
    pub inode: u64,
    /// Length in bytes.
    pub size: u64,
    /// Room taken, in 512-byte units.
    pub blocks: u64,
    /// Which of `attributes` mean something here.
    pub attributes_mask: u64,
    /// Last read.
    pub accessed: StatxTimestamp,
    /// Creation.
    pub born: StatxTimestamp,
    /// Last change of the inode.
    pub changed: StatxTimestamp,
    /// Last write.
    pub modified: StatxTimestamp,
    /// Which device a device node stands for: major, minor.
    pub special_device: [u32; 2],
    /// The file system's device number: major, minor.
    pub device: [u32; 2],
    /// The mount's identity.
    pub mount: u64,
    /// Alignment that direct I/O asks of memory and offsets.
    pub direct_alignment: [u32; 2],
    /// Unused.
    pub spare: [u64; 12],
}

/// `STATX_BASIC_STATS | STATX_BTIME`: what [`Statx`] has filled in here.
pub const STATX_FILLED: u32 = 0xfff;

/// `STATX_MNT_ID`.
pub const STATX_MOUNT: u32 = 0x1000;

/// `STATX_ATTR_MOUNT_ROOT`.
pub const STATX_ATTRIBUTE_MOUNT_ROOT: u64 = 0x2000;

/// `struct statfs`.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Statfs {
    /// The file system's magic number.
    pub magic: i64,
    /// Bytes in a block.
    pub block_size: i64,
    /// Blocks in all.
    pub blocks: u64,
    /// Blocks that are free.
    pub blocks_free: u64,
    /// Free blocks for unprivileged users.
    pub blocks_available: u64,
    /// Inodes in all.
    pub inodes: u64,
    /// Inodes that are free.
    pub inodes_free: u64,
    /// The file system's identity.
    pub identity: [i32; 2],
    /// Longest name.
    pub name_length: i64,
    /// Bytes in a fragment.
    pub fragment_size: i64,
    /// Mount flags, `ST_VALID` among them.
    pub flags: i64,
    /// Unused.
    pub spare: [i64; 4],
}

const _: () = assert!(size_of::<Stat>() == 144);
const _: () = assert!(size_of::<Statx>() == 256);
const _: () = assert!(size_of::<Statfs>() == 120);
