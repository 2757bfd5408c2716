//! What inodes take for the present.

use rules::abi::stat::Timestamp;

use crate::machine::clock;

/// The time to stamp an inode with: the wall clock's. Linux takes its value at the last tick, which is cheaper there.
pub(crate) fn now() -> Timestamp {
    let since = clock::realtime();
    Timestamp { seconds: since.as_secs().cast_signed(), nanoseconds: since.subsec_nanos() }
}
