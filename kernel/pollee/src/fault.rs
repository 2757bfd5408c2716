//! Faults that the model-checking tests seed on purpose, to prove that they would notice.
//!
//! Without the feature `loom` every question is answered `false` at compile time.

/// One way to get it wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Fault {
    /// None.
    Nothing,
    /// A change looks for watchers with a plain load.
    LoadForNotify,
    /// A fill is accepted although the file changed during the computation.
    NoVersionCheck,
    /// Publishing overwrites the interests.
    PublishDropsInterests,
    /// A locked object trusts a load although the cached events became wrong.
    LoadForPublish,
    /// A locked object publishes after it has released its lock.
    PublishAfterUnlock,
    /// A watcher tells its interest after it has computed.
    WatchAfterCompute,
    /// The last watcher clears the interests after it has released the list lock.
    UnwatchOutsideLock,
    /// An exclusive watcher that was chosen leaves without passing the event on.
    NoHandOver,
    /// Notification comes before the change (seeded in a test's object).
    NotifyBeforeChange,
    /// Notification comes after the lock is released (seeded in a test's object).
    NotifyAfterUnlock,
    /// A standing registration is not made part of the wait.
    NoRound,
    /// A standing registration looks at its file without a fence.
    NoFence,
    /// A watcher that is dropped stays in the list.
    LeakWatcher,
}

#[cfg(feature = "loom")]
static SEEDED: core::sync::atomic::AtomicU8 = core::sync::atomic::AtomicU8::new(0);

/// Seeds `fault` for the rest of the process.
#[cfg(feature = "loom")]
pub fn seed(fault: Fault) {
    SEEDED.store(fault as u8, core::sync::atomic::Ordering::Relaxed);
}

/// Whether `fault` is seeded in this process.
#[cfg(feature = "loom")]
#[must_use]
pub fn is_seeded(fault: Fault) -> bool {
    SEEDED.load(core::sync::atomic::Ordering::Relaxed) == fault as u8
}

/// Never.
#[cfg(not(feature = "loom"))]
#[must_use]
#[inline(always)]
pub const fn is_seeded(_: Fault) -> bool {
    false
}
