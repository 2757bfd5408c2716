//! The current time for inodes.

use rules::abi::stat::Timestamp;

use crate::machine::clock;

/// Returns the wall clock's time. Linux uses its value at the last tick, because that is cheaper there.
pub(crate) fn now() -> Timestamp {
    let since = clock::realtime();
    Timestamp { seconds: since.as_secs().cast_signed(), nanoseconds: since.subsec_nanos() }
}
