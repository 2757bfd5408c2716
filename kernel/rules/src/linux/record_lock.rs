//! Advisory locks on ranges of a file: fcntl(2)'s record locks.
//!
//! Owns: the locks on one file.   Not here: waiting, the owners' kind, closing (`linux/fs/record_lock`).
//! Invariant: of two owners' locks that overlap, both are shared; one owner's locks do not overlap, and those of one
//! mode do not touch.
//! Source: fcntl_locking(2); Linux 6.1 fs/locks.c (`posix_lock_inode`).

pub mod argument;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use crate::abi::errno::Errno;
use crate::linux::lock::LockMode;
use crate::machine::fallible;

/// Bytes of a file, the last one included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LockRange {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// A lock that `O` holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordLock<O> {
    /// Who.
    pub owner: O,
    /// How.
    pub mode: LockMode,
    /// What.
    pub bytes: LockRange,
}

/// The record locks of one file.
#[derive(Debug)]
pub struct RecordLocks<O> {
    held: Vec<RecordLock<O>>,
}

impl LockRange {
    const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Returns whether the two are, or could be, one range.
    const fn touches(self, other: Self) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }
}

impl<O: Copy + Eq> RecordLocks<O> {
    /// Creates a file's locks: none.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: Vec::new() }
    }

    /// Finds the first lock that conflicts with a lock of `owner` on `bytes`.
    #[must_use]
    pub fn in_the_way(&self, owner: O, mode: LockMode, bytes: LockRange) -> Option<RecordLock<O>> {
        let conflicts = |held: &&RecordLock<O>| {
            held.owner != owner
                && held.bytes.overlaps(bytes)
                && (held.mode == LockMode::Exclusive || mode == LockMode::Exclusive)
        };
        self.held.iter().filter(conflicts).min_by_key(|held| held.bytes.first).copied()
    }

    /// Locks `bytes` for `owner`, replacing its locks there. No lock may be [in the way](Self::in_the_way).
    ///
    /// # Errors
    /// `ENOMEM`: nothing changed.
    pub fn acquire(&mut self, owner: O, mode: LockMode, bytes: LockRange) -> Result<(), Errno> {
        // One for the lock, one for what the release leaves behind it.
        fallible::reserve(&mut self.held, 2)?;
        self.release(owner, bytes)?;
        let mut all = bytes;
        self.held.retain(|held| {
            let joins = held.owner == owner && held.mode == mode && held.bytes.touches(all);
            if joins {
                all.first = all.first.min(held.bytes.first);
                all.last = all.last.max(held.bytes.last);
            }
            !joins
        });
        self.held.push(RecordLock { owner, mode, bytes: all });
        Ok(())
    }

    /// Takes `bytes` from `owner`, as far as it has them.
    ///
    /// # Errors
    /// `ENOMEM`: a lock would become two; nothing changed.
    pub fn release(&mut self, owner: O, bytes: LockRange) -> Result<(), Errno> {
        fallible::reserve(&mut self.held, 1)?;
        let mut behind = None;
        self.held.retain_mut(|held| {
            if held.owner != owner || !held.bytes.overlaps(bytes) {
                return true;
            }
            if held.bytes.last > bytes.last {
                let rest = LockRange { first: bytes.last + 1, last: held.bytes.last };
                behind = Some(RecordLock { bytes: rest, ..*held });
            }
            let is_before = held.bytes.first < bytes.first;
            if is_before {
                held.bytes.last = bytes.first - 1;
            }
            is_before
        });
        // One lock at most reaches behind the range: an owner's own do not overlap.
        self.held.extend(behind);
        Ok(())
    }

    /// Takes everything from `owner`; `false` if it had nothing.
    pub fn release_all(&mut self, owner: O) -> bool {
        let before = self.held.len();
        self.held.retain(|held| held.owner != owner);
        self.held.len() < before
    }

    /// Returns whether there are no locks.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

impl<O: Copy + Eq> Default for RecordLocks<O> {
    fn default() -> Self {
        Self::new()
    }
}
