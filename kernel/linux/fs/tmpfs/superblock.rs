//! Superblocks: the identity of a file system, and its limits.
//!
//! Owns: the inode numbers, and the counts of pages and inodes.   Not here: the tree (the mount has its root).
//! Invariant: a count is at most its limit; each charge is refunded when the page or inode is dropped.
//! Source: tmpfs(5); Linux 6.1 mm/shmem.c (`shmem_default_max_blocks`).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ostd::mm::PAGE_SIZE;
use rules::abi::errno::Errno;
use rules::linux::abi::device::DeviceNumber;

use crate::machine::memory::budget;

/// File system types, as statfs(2) and mount(2) show them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileSystemType {
    /// tmpfs, which also holds the unpacked initramfs.
    Tmpfs,
    /// Device nodes.
    Devtmpfs,
    /// The names of pseudoterminals.
    Devpts,
    /// The kernel's state as files.
    Proc,
    /// An empty tree, for programs that insist on mounting it.
    Sysfs,
}

impl FileSystemType {
    /// Returns `f_type` of statfs(2).
    pub(crate) const fn magic(self) -> i64 {
        match self {
            Self::Tmpfs | Self::Devtmpfs => 0x0102_1994,
            Self::Devpts => 0x1cd1,
            Self::Proc => 0x9fa0,
            Self::Sysfs => 0x6265_6572,
        }
    }

    /// Returns the name for mount(2) and `/proc/mounts`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Devtmpfs => "devtmpfs",
            Self::Devpts => "devpts",
            Self::Proc => "proc",
            Self::Sysfs => "sysfs",
        }
    }
}

/// A count with a limit.
#[derive(Debug)]
pub(crate) struct Allowance {
    used: AtomicU64,
    limit: u64,
}

impl Allowance {
    const fn new(limit: u64) -> Self {
        Self { used: AtomicU64::new(0), limit }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// `ENOSPC`: the limit is reached.
    pub(crate) fn charge(&self) -> Result<(), Errno> {
        // Relaxed: the count orders no other access.
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < self.limit).then_some(used + 1)
            })
            .map(|_| ())
            .map_err(|_| Errno::ENOSPC)
    }

    /// Counts `count` fewer.
    pub(crate) fn refund(&self, count: u64) {
        self.used.fetch_sub(count, Ordering::Relaxed);
    }

    /// Returns the limit.
    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns how many may still be counted.
    pub(crate) fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
    }
}

/// A file system.
#[derive(Debug)]
pub(crate) struct Superblock {
    file_system: FileSystemType,
    device: DeviceNumber,
    next_inode: AtomicU64,
    /// The count of pages of file contents.
    pub(crate) pages: Allowance,
    /// The count of inodes, which also bounds the heap that names and inodes use.
    pub(crate) inodes: Allowance,
    /// How many watches its files have.
    watches: AtomicU32,
}

/// The limits of a file system; a missing one is half of the memory, tmpfs(5)'s default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SizeLimits {
    /// The most pages of file contents.
    pub(crate) pages: Option<u64>,
    /// The most inodes.
    pub(crate) inodes: Option<u64>,
}

impl Superblock {
    /// Makes an empty file system.
    pub(crate) fn new(file_system: FileSystemType, limits: SizeLimits) -> Arc<Self> {
        static NEXT_MINOR: AtomicU32 = AtomicU32::new(1);
        let half = (budget::total() / PAGE_SIZE / 2) as u64;
        Arc::new(Self {
            file_system,
            // Major 0, because there is no real device; Linux numbers such file systems the same way.
            device: DeviceNumber::new(0, NEXT_MINOR.fetch_add(1, Ordering::Relaxed)),
            next_inode: AtomicU64::new(1),
            pages: Allowance::new(limits.pages.unwrap_or(half)),
            inodes: Allowance::new(limits.inodes.unwrap_or(half).min(half)),
            watches: AtomicU32::new(0),
        })
    }

    /// Returns an unused inode number.
    pub(super) fn next_inode_number(&self) -> u64 {
        self.next_inode.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns whether a file of it is watched.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        // Relaxed: an event that comes together with the watch may as well have come before it.
        self.watches.load(Ordering::Relaxed) > 0
    }

    /// Counts a watch.
    pub(crate) fn add_watch(&self) {
        self.watches.fetch_add(1, Ordering::Relaxed);
    }

    /// Reverts [`add_watch`](Self::add_watch).
    pub(crate) fn remove_watch(&self) {
        self.watches.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the file system's type.
    pub(crate) const fn file_system(&self) -> FileSystemType {
        self.file_system
    }

    /// Returns `st_dev` of its files.
    pub(crate) const fn device(&self) -> DeviceNumber {
        self.device
    }
}
