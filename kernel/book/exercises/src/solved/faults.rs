//! A solution of the exercise `faults`.

/// The number of a case, and its fault.
pub const ANSWERS: [(usize, &str); 4] = [
    (6, "LockedLoadForNotify"),
    (8, "ClearUnconditionally"),
    (9, "LockedNotifyAfterUnlock"),
    (30, "DequeueAfterPoll"),
];
