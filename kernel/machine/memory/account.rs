//! What the processes of one user have together, where a limit is the user's and not the machine's.
//!
//! Owns: the accounts by user, and their counts.   Not here: the limits, which the callers pass.
//! Locks: the table's, a leaf.
//! Source: Linux 6.1 include/linux/sched/user.h (`struct user_struct`), kernel/ucount.c.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicUsize, Ordering};

use ostd::sync::SpinLock;

static ACCOUNTS: SpinLock<BTreeMap<u32, Weak<Account>>> = SpinLock::new(BTreeMap::new());

/// The counts of one user. It lasts as long as one of the user's processes, or of the things counted.
#[derive(Debug)]
pub(crate) struct Account {
    user: u32,
    /// Items of epoll instances (`max_user_watches`).
    pub(crate) epoll_items: Count,
    /// Signals that are queued with their information (`RLIMIT_SIGPENDING`).
    pub(crate) signals: Count,
}

/// How many there are of something. The atomic needs no ordering: it is a count alone.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    /// Counts one more; returns whether there were less than `most`, otherwise nothing was counted.
    #[must_use]
    pub(crate) fn charge(&self, most: usize) -> bool {
        let is_below = self.0.fetch_add(1, Ordering::Relaxed) < most;
        if !is_below {
            self.refund();
        }
        is_below
    }

    /// Counts one less.
    pub(crate) fn refund(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns how many there are.
    pub(crate) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Returns the account of a user.
pub(crate) fn of(user: u32) -> Arc<Account> {
    let mut accounts = ACCOUNTS.lock();
    if let Some(account) = accounts.get(&user).and_then(Weak::upgrade) {
        return account;
    }
    // As many accounts at most as there are processes and what they made.
    let account = Arc::new(Account { user, epoll_items: Count::default(), signals: Count::default() });
    accounts.insert(user, Arc::downgrade(&account));
    account
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut accounts = ACCOUNTS.lock();
        // A new account of the same user may have taken the place already.
        if accounts.get(&self.user).is_some_and(|account| account.strong_count() == 0) {
            accounts.remove(&self.user);
        }
    }
}
