//! Who has a socket open: whose it is, in `/proc/net` and for fstat(2).
//!
//! A connection exists before accept(2) and after close(2), when it is nobody's.

use core::sync::atomic::{AtomicU64, Ordering};

use rules::abi::mode::FileType;
use rules::abi::stat::Stat;

/// Nobody has opened it yet.
const NOT_YET: u64 = u64::MAX;
/// Nobody has it open any more.
const NO_MORE: u64 = u64::MAX - 1;

/// The user who has a socket open.
pub(crate) struct Holder(AtomicU64);

impl Holder {
    /// Nobody.
    pub(crate) const fn nobody() -> Self {
        Self(AtomicU64::new(NOT_YET))
    }

    /// The user `uid`.
    pub(crate) const fn new(uid: u32) -> Self {
        Self(AtomicU64::new(uid as u64))
    }

    /// From now on the user `uid`.
    pub(crate) fn open(&self, uid: u32) {
        self.0.store(uid.into(), Ordering::Relaxed);
    }

    /// From now on nobody.
    pub(crate) fn close(&self) {
        self.0.store(NO_MORE, Ordering::Relaxed);
    }

    /// Whether nobody has it open any more.
    pub(crate) fn has_left(&self) -> bool {
        self.0.load(Ordering::Relaxed) == NO_MORE
    }

    /// The user, if there is one.
    pub(crate) fn uid(&self) -> Option<u32> {
        u32::try_from(self.0.load(Ordering::Relaxed)).ok()
    }

    /// What fstat(2) tells of a socket that has it.
    pub(crate) fn stat(&self, inode: u64) -> Stat {
        let mode = FileType::Socket.to_mode() | 0o777;
        let uid = self.uid().unwrap_or(0);
        Stat { inode, links: 1, mode, uid, block_size: 4096, ..Stat::default() }
    }
}
