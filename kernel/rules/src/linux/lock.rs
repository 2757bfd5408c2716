//! Advisory locks on whole files: flock(2).
//!
//! Owns: the holders of a file's lock.   Not here: waiting, the holders' kind (open file descriptions).
//! Invariant: many hold the lock shared, or one holds it exclusively, or it is free.
//! Source: flock(2); Linux 6.1 fs/locks.c (`flock_lock_inode`).

use alloc::collections::BTreeSet;

/// How a lock is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LockMode {
    /// Beside others: `LOCK_SH`.
    Shared,
    /// Alone: `LOCK_EX`.
    Exclusive,
}

/// The lock of one file; `H` names holders.
#[derive(Debug)]
pub struct FileLock<H> {
    shared: BTreeSet<H>,
    exclusive: Option<H>,
}

impl<H: Copy + Ord> FileLock<H> {
    /// Creates a free lock.
    #[must_use]
    pub const fn new() -> Self {
        Self { shared: BTreeSet::new(), exclusive: None }
    }

    /// Acquires the lock for `holder`. `false`: a conflicting holder has it.
    ///
    /// A holder that asks for another mode loses what it had before it gets the new one, as on Linux: a conversion
    /// that fails leaves it without a lock.
    #[must_use]
    pub fn acquire(&mut self, holder: H, mode: LockMode) -> bool {
        if self.mode(holder) == Some(mode) {
            return true;
        }
        self.release(holder);
        if self.exclusive.is_some() || mode == LockMode::Exclusive && !self.shared.is_empty() {
            return false;
        }
        match mode {
            LockMode::Shared => {
                self.shared.insert(holder);
            }
            LockMode::Exclusive => self.exclusive = Some(holder),
        }
        true
    }

    /// Takes the lock from `holder`, if it has it.
    pub fn release(&mut self, holder: H) {
        self.shared.remove(&holder);
        self.exclusive.take_if(|held| *held == holder);
    }

    /// How `holder` has the lock.
    #[must_use]
    pub fn mode(&self, holder: H) -> Option<LockMode> {
        if self.exclusive == Some(holder) {
            return Some(LockMode::Exclusive);
        }
        self.shared.contains(&holder).then_some(LockMode::Shared)
    }

    /// Returns whether it is free.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.exclusive.is_none() && self.shared.is_empty()
    }

    /// Returns whether one more may share it.
    #[must_use]
    pub const fn is_shareable(&self) -> bool {
        self.exclusive.is_none()
    }
}

impl<H: Copy + Ord> Default for FileLock<H> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{FileLock, LockMode};

    #[test]
    fn many_share_and_one_excludes() {
        let mut lock = FileLock::new();
        assert!(lock.acquire(1, LockMode::Shared));
        assert!(lock.acquire(2, LockMode::Shared));
        assert!(!lock.acquire(3, LockMode::Exclusive));
        lock.release(1);
        assert!(lock.acquire(2, LockMode::Exclusive));
        assert!(!lock.acquire(1, LockMode::Shared));
        assert!(lock.acquire(2, LockMode::Exclusive));
        lock.release(2);
        assert!(lock.is_free());
    }

    #[test]
    fn a_conversion_that_fails_gives_up_the_lock() {
        let mut lock = FileLock::new();
        assert!(lock.acquire(1, LockMode::Shared));
        assert!(lock.acquire(2, LockMode::Shared));
        assert!(!lock.acquire(1, LockMode::Exclusive));
        assert_eq!(lock.mode(1), None);
        assert!(lock.acquire(2, LockMode::Exclusive));
    }

    #[test]
    fn releasing_what_is_not_held_changes_nothing() {
        let mut lock = FileLock::new();
        assert!(lock.acquire(1, LockMode::Exclusive));
        lock.release(2);
        assert_eq!(lock.mode(1), Some(LockMode::Exclusive));
    }
}
