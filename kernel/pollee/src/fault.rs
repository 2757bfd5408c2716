//! Faults that the model-checking tests seed on purpose, to prove that they would notice.
//!
//! Without `--cfg loom` every question is answered `false` at compile time.

/// One way to get it wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Fault {
    /// None.
    Nothing,
    /// Lock-free: a change looks for watchers with a plain load.
    LoadForNotify,
    /// Lock-free: a fill is accepted although the file changed during the computation.
    NoVersionCheck,
    /// Lock-free: notification comes before the change (seeded in a test's object).
    NotifyBeforeChange,
    /// Lock-free: notification comes after the lock is released (seeded in a test's object).
    NotifyAfterUnlock,
    /// `Locked`: writing the cached events overwrites the interests.
    UpdateDropsInterests,
    /// `Locked`: a change trusts a load although the cached events became wrong.
    LockedLoadForNotify,
    /// `Locked`: a change that found no interest clears the cache whether one has come since or not.
    ClearUnconditionally,
    /// `Locked`: the cache is made right after the lock is released.
    LockedNotifyAfterUnlock,
    /// A watcher sets its interest after it has computed.
    WatchAfterCompute,
    /// The last watcher clears the interests after it has released the list lock.
    UnwatchOutsideLock,
    /// An exclusive watcher that was chosen leaves without handing the event on.
    NoHandoff,
    /// A persistent registration does not join the wait.
    NoEpoch,
    /// A persistent registration looks at its file without a fence.
    NoFence,
    /// A watcher that is dropped stays in the list.
    LeakWatcher,
    /// An entry that is taken out of a ready list counts as queued until it is settled.
    DequeueAfterPoll,
    /// A waiter that takes a part of a ready list does not hand the rest on.
    NoHandOn,
}

#[cfg(loom)]
static SEEDED: core::sync::atomic::AtomicU8 = core::sync::atomic::AtomicU8::new(0);

/// Seeds `fault` for the rest of the process.
#[cfg(loom)]
pub fn seed(fault: Fault) {
    SEEDED.store(fault as u8, core::sync::atomic::Ordering::Relaxed);
}

/// Whether `fault` is seeded in this process.
#[cfg(loom)]
#[must_use]
pub fn is_seeded(fault: Fault) -> bool {
    SEEDED.load(core::sync::atomic::Ordering::Relaxed) == fault as u8
}

/// Never.
#[cfg(not(loom))]
#[must_use]
#[inline(always)]
pub const fn is_seeded(_: Fault) -> bool {
    false
}
