//! One file system: its identity, and how much it may still take.
//!
//! Owns: the inode numbers and the two allowances.   Not here: the tree (its root belongs to the mount).
//! Invariant: what is charged is at most the limit; whoever charges gives back when the thing is dropped.
//! Source: tmpfs(5); Linux 6.1 mm/shmem.c (`shmem_default_max_blocks`).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ostd::mm::PAGE_SIZE;
use rules::abi::errno::Errno;
use rules::linux::abi::device::DeviceNumber;

use crate::machine::memory::budget;

/// What kind of file system a superblock shows to statfs(2) and mount(2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileSystemType {
    /// Memory as a disk; also what the initramfs is unpacked to.
    Tmpfs,
    /// The tree of device nodes.
    Devtmpfs,
    /// The names of pseudo-terminals.
    Devpts,
    /// Reports of the kernel.
    Proc,
    /// An empty tree, for programs that insist on mounting it.
    Sysfs,
}

impl FileSystemType {
    /// `f_type` of statfs(2).
    pub(crate) const fn magic(self) -> i64 {
        match self {
            Self::Tmpfs | Self::Devtmpfs => 0x0102_1994,
            Self::Devpts => 0x1cd1,
            Self::Proc => 0x9fa0,
            Self::Sysfs => 0x6265_6572,
        }
    }

    /// The name that mount(2) takes and `/proc/mounts` shows.
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

/// A count that must not pass its limit.
#[derive(Debug)]
pub(crate) struct Allowance {
    used: AtomicU64,
    limit: u64,
}

impl Allowance {
    const fn new(limit: u64) -> Self {
        Self { used: AtomicU64::new(0), limit }
    }

    /// Takes one.
    ///
    /// # Errors
    /// `ENOSPC`: all are taken.
    pub(crate) fn charge(&self) -> Result<(), Errno> {
        // Relaxed: the count orders nothing else.
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < self.limit).then_some(used + 1)
            })
            .map(|_| ())
            .map_err(|_| Errno::ENOSPC)
    }

    /// Gives `count` back.
    pub(crate) fn refund(&self, count: u64) {
        self.used.fetch_sub(count, Ordering::Relaxed);
    }

    /// How many there are in all.
    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// How many can still be taken.
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
    /// Pages of file contents.
    pub(crate) pages: Allowance,
    /// Inodes; what names and inodes take of the kernel's own heap is bounded by them.
    pub(crate) inodes: Allowance,
}

/// How much a file system may take; what is not said is half of the memory, as by default in tmpfs(5).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SizeLimits {
    /// Pages of file contents.
    pub(crate) pages: Option<u64>,
    /// Inodes.
    pub(crate) inodes: Option<u64>,
}

impl Superblock {
    /// A file system with nothing in it.
    pub(crate) fn new(file_system: FileSystemType, limits: SizeLimits) -> Arc<Self> {
        static NEXT_MINOR: AtomicU32 = AtomicU32::new(1);
        let half = (budget::total() / PAGE_SIZE / 2) as u64;
        Arc::new(Self {
            file_system,
            // Major 0: no real device. Linux numbers such file systems the same way.
            device: DeviceNumber::new(0, NEXT_MINOR.fetch_add(1, Ordering::Relaxed)),
            next_inode: AtomicU64::new(1),
            pages: Allowance::new(limits.pages.unwrap_or(half)),
            inodes: Allowance::new(limits.inodes.unwrap_or(half).min(half)),
        })
    }

    /// A number no other inode here has.
    pub(super) fn next_inode_number(&self) -> u64 {
        self.next_inode.fetch_add(1, Ordering::Relaxed)
    }

    /// What kind of file system this is.
    pub(crate) const fn file_system(&self) -> FileSystemType {
        self.file_system
    }

    /// `st_dev` of everything in it.
    pub(crate) const fn device(&self) -> DeviceNumber {
        self.device
    }
}
