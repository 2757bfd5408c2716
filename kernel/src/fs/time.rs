//! What inodes take for the present.

use model::abi::stat::Timestamp;

/// The time to stamp an inode with: the clock of the last tick, as Linux's `current_time` takes it.
pub(crate) fn now() -> Timestamp {
    let since = ostd::timer::Jiffies::elapsed().as_duration();
    Timestamp { seconds: since.as_secs().cast_signed(), nanoseconds: since.subsec_nanos() }
}
