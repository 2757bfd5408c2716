//! The flags of mmap(2), mremap(2), madvise(2), msync(2) and mlock2(2), with Linux's values.
//!
//! Source: Linux 6.1 include/uapi/asm-generic/mman{,-common}.h, arch/x86/include/uapi/asm/mman.h.

use bitflags::bitflags;

bitflags! {
    /// What may be done with a page.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct Prot: u32 {
        /// `PROT_READ`.
        const READ = 1;
        /// `PROT_WRITE`.
        const WRITE = 2;
        /// `PROT_EXEC`.
        const EXEC = 4;
    }
}

/// `PROT_SEM`: accepted and without effect, as on Linux.
pub const PROT_SEM: u32 = 0x8;
/// `PROT_GROWSDOWN`: mprotect(2) reaches down to the start of a growing mapping.
pub const PROT_GROWSDOWN: u32 = 0x0100_0000;
/// `PROT_GROWSUP`: no mapping of x86 grows up.
pub const PROT_GROWSUP: u32 = 0x0200_0000;

bitflags! {
    /// The `flags` argument of mmap(2) without the sharing type in its lowest four bits.
    ///
    /// Linux ignores bits it does not know here, except under `MAP_SHARED_VALIDATE`.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct MapFlags: u32 {
        /// Exactly at the given address, replacing what is there.
        const FIXED = 0x10;
        /// Zeroes instead of a file.
        const ANONYMOUS = 0x20;
        /// In the low 2 GiB.
        const BIT32 = 0x40;
        /// Grows downwards when touched just below its start.
        const GROWSDOWN = 0x100;
        /// Ignored.
        const DENYWRITE = 0x800;
        /// Ignored.
        const EXECUTABLE = 0x1000;
        /// As after mlock(2).
        const LOCKED = 0x2000;
        /// Not counted against memory that could be promised.
        const NORESERVE = 0x4000;
        /// Faulted in at once.
        const POPULATE = 0x8000;
        /// With `POPULATE`: do not block.
        const NONBLOCK = 0x1_0000;
        /// A hint that this is a stack; ignored.
        const STACK = 0x2_0000;
        /// Huge pages; needs a pool of them.
        const HUGETLB = 0x4_0000;
        /// Synchronous page faults of persistent memory.
        const SYNC = 0x8_0000;
        /// Exactly at the given address, failing if something is there.
        const FIXED_NOREPLACE = 0x10_0000;
    }
}

/// The mask of the sharing type in mmap(2)'s flags.
pub const MAP_TYPE: u32 = 0xf;
/// `MAP_SHARED`.
pub const MAP_SHARED: u32 = 1;
/// `MAP_PRIVATE`.
pub const MAP_PRIVATE: u32 = 2;
/// `MAP_SHARED_VALIDATE`: shared, and unknown flags are refused.
pub const MAP_SHARED_VALIDATE: u32 = 3;

bitflags! {
    /// The `flags` argument of mremap(2).
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct RemapFlags: u32 {
        /// The mapping may move.
        const MAYMOVE = 1;
        /// It moves to the given address.
        const FIXED = 2;
        /// The old range stays mapped, without its pages.
        const DONTUNMAP = 4;
    }
}

bitflags! {
    /// The `flags` argument of msync(2).
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct SyncFlags: u32 {
        /// Schedule the write and return.
        const ASYNC = 1;
        /// Drop other cached copies.
        const INVALIDATE = 2;
        /// Write and wait.
        const SYNC = 4;
    }
}

bitflags! {
    /// The `flags` argument of mlockall(2).
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct LockAllFlags: u32 {
        /// What is mapped now.
        const CURRENT = 1;
        /// What will be mapped.
        const FUTURE = 2;
        /// Lock pages only when they are touched.
        const ONFAULT = 4;
    }
}

/// `MLOCK_ONFAULT` of mlock2(2).
pub const MLOCK_ONFAULT: u32 = 1;

/// The `advice` argument of madvise(2), as far as it changes or refuses something here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Advice {
    /// A hint about access patterns or huge pages, which changes nothing.
    Hint,
    /// `MADV_DONTNEED`: the pages are dropped now.
    DontNeed,
    /// `MADV_DONTNEED_LOCKED`: also those that mlock(2) locked.
    DontNeedLocked,
    /// `MADV_FREE`: the pages may be dropped at any time.
    Free,
    /// `MADV_REMOVE`: a hole in the file behind a shared mapping.
    Remove,
    /// `MADV_DONTFORK`: a child does not get the range.
    DontFork,
    /// `MADV_DOFORK`: undoes `DontFork`.
    DoFork,
    /// `MADV_WIPEONFORK`: a child finds zeroes.
    WipeOnFork,
    /// `MADV_KEEPONFORK`: undoes `WipeOnFork`.
    KeepOnFork,
    /// `MADV_POPULATE_READ`: fault in for reading.
    PopulateRead,
    /// `MADV_POPULATE_WRITE`: fault in for writing.
    PopulateWrite,
}

impl Advice {
    /// Returns the advice behind Linux's number, or `None` for what Linux 6.1 answers with `EINVAL`.
    #[must_use]
    pub const fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            // NORMAL, RANDOM, SEQUENTIAL, WILLNEED, MERGEABLE, UNMERGEABLE, HUGEPAGE, NOHUGEPAGE,
            // DONTDUMP, DODUMP, COLD, PAGEOUT.
            0..=3 | 12..=17 | 20 | 21 => Self::Hint,
            4 => Self::DontNeed,
            24 => Self::DontNeedLocked,
            8 => Self::Free,
            9 => Self::Remove,
            10 => Self::DontFork,
            11 => Self::DoFork,
            18 => Self::WipeOnFork,
            19 => Self::KeepOnFork,
            22 => Self::PopulateRead,
            23 => Self::PopulateWrite,
            _ => return None,
        })
    }
}
