//! The user who has a socket open, for `/proc/net` and fstat(2).
//!
//! A connection has no user before accept(2) and after close(2).

use core::sync::atomic::{AtomicU64, Ordering};

use rules::abi::mode::FileType;
use rules::abi::stat::Stat;

/// The socket was not opened yet.
const NOT_YET: u64 = u64::MAX;
/// The socket was closed.
const NO_MORE: u64 = u64::MAX - 1;

/// The user who has a socket open.
pub(crate) struct Holder(AtomicU64);

impl Holder {
    /// Makes the holder of a socket that is not open yet.
    pub(crate) const fn none() -> Self {
        Self(AtomicU64::new(NOT_YET))
    }

    /// Makes the holder of a socket that user `uid` opens.
    pub(crate) const fn new(uid: u32) -> Self {
        Self(AtomicU64::new(uid as u64))
    }

    /// Notes that user `uid` has opened the socket.
    pub(crate) fn open(&self, uid: u32) {
        self.0.store(uid.into(), Ordering::Relaxed);
    }

    /// Notes that the socket was closed.
    pub(crate) fn close(&self) {
        self.0.store(NO_MORE, Ordering::Relaxed);
    }

    /// Returns whether the socket was closed.
    pub(crate) fn has_left(&self) -> bool {
        self.0.load(Ordering::Relaxed) == NO_MORE
    }

    /// Returns the user ID, if the socket is open.
    pub(crate) fn uid(&self) -> Option<u32> {
        u32::try_from(self.0.load(Ordering::Relaxed)).ok()
    }

    /// Returns what fstat(2) reports about the socket.
    pub(crate) fn stat(&self, inode: u64) -> Stat {
        let mode = FileType::Socket.to_mode() | 0o777;
        let uid = self.uid().unwrap_or(0);
        Stat { inode, links: 1, mode, uid, block_size: 4096, ..Stat::default() }
    }
}
