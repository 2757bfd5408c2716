//! TIME-WAIT: a closed connection that still answers its peer and keeps its tuple for a minute.
//!
//! Why: decision 0097.
//! Source: RFC 9293 section 3.10.7.4 (TIME-WAIT); RFC 1337; Linux 6.1 net/ipv4/tcp_minisocks.c
//! (`tcp_timewait_state_process`).

use core::time::Duration;

use super::engine::BUFFER;
use super::packet::Packet;
use super::path::PathKind;
use super::segment::{self, Segment, Tuple};
use crate::net::wire::TcpControl;

/// How long TIME-WAIT lasts: `TCP_TIMEWAIT_LEN`.
pub const LENGTH: Duration = Duration::from_secs(60);

/// After how long a new connection within this machine may reuse the tuple: Linux's `tcp_tw_reuse` for loopback. No
/// packet is in flight for that long.
const REUSE_AFTER: Duration = Duration::from_secs(1);

/// Linux's table of connections has one place for so many bytes of memory, and so many places at most.
const BYTES_FOR_A_PLACE: usize = 128 << 10;
const MOST_PLACES: usize = 512 << 10;

/// Returns how many connections may be in TIME-WAIT with so much memory: `net.ipv4.tcp_max_tw_buckets`. One that
/// ends beyond that skips the state (`tcp_time_wait`).
#[must_use]
pub const fn most(memory: usize) -> usize {
    let places = (memory / BYTES_FOR_A_PLACE).next_power_of_two();
    (if places < MOST_PLACES { places } else { MOST_PLACES }) / 2
}

/// A connection in TIME-WAIT.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimeWait {
    /// The sequence number that the peer expects next.
    pub next: u32,
    /// The sequence number that is expected from the peer.
    pub expected: u32,
    since: Duration,
}

/// What a segment for a connection in TIME-WAIT gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimeWaitReply {
    /// Nothing.
    Ignore,
    /// The last acknowledgment again.
    Acknowledge,
    /// It begins a new connection.
    Reopen,
}

impl TimeWait {
    pub(super) const fn new(next: u32, expected: u32, since: Duration) -> Self {
        Self { next, expected, since }
    }

    /// Returns when the state ends.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.since + LENGTH
    }

    /// Returns whether a local connect(2) may reuse the tuple.
    #[must_use]
    pub fn is_reusable(&self, now: Duration) -> bool {
        now >= self.since + REUSE_AFTER
    }

    /// Makes the ACK for a segment that arrives after the connection's end.
    #[must_use]
    pub fn acknowledge(&self, tuple: Tuple, path: PathKind) -> Packet {
        let tcp = segment::bare(TcpControl::None, self.next, Some(self.expected), BUFFER as u16);
        segment::emit(tuple, &tcp, path)
    }

    /// Returns what `segment` gets. A RST changes nothing (RFC 1337).
    #[must_use]
    pub fn answer(&self, segment: &Segment) -> TimeWaitReply {
        if segment.has_rst {
            return TimeWaitReply::Ignore;
        }
        let is_later = segment.sequence.wrapping_sub(self.expected).cast_signed() > 0;
        if segment.is_request() && is_later {
            return TimeWaitReply::Reopen;
        }
        let is_pure = !segment.has_syn && !segment.has_fin && segment.len == 0;
        if is_pure && segment.sequence == self.expected {
            TimeWaitReply::Ignore
        } else {
            TimeWaitReply::Acknowledge
        }
    }
}

#[cfg(test)]
mod tests {
    use super::most;

    #[test]
    fn so_many_wait_as_in_linux_with_this_memory() {
        const MIB: usize = 1 << 20;
        let seen = [1000, 1950, 2950, 200_000].map(|size| most(size * MIB));
        assert_eq!(seen, [4096, 8192, 16_384, 262_144]);
    }
}
