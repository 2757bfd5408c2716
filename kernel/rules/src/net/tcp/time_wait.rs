//! What is left of a connection for a minute: enough to answer its peer, and to keep its tuple.
//!
//! Why: decision 0097.
//! Source: RFC 9293 section 3.10.7.4 (TIME-WAIT); RFC 1337; Linux 6.1 net/ipv4/tcp_minisocks.c
//! (`tcp_timewait_state_process`).

use core::time::Duration;

use super::segment::Segment;

/// `TCP_TIMEWAIT_LEN`.
pub const LENGTH: Duration = Duration::from_secs(60);

/// After how long a new connection within this machine may have the tuple: Linux's `tcp_tw_reuse` for loopback. No
/// packet is on its way for that long.
const REUSE_AFTER: Duration = Duration::from_secs(1);

/// For how many bytes of memory there is one place in Linux's table of connections, and how many places at most.
const BYTES_FOR_A_PLACE: usize = 128 << 10;
const MOST_PLACES: usize = 512 << 10;

/// How many a machine with so much memory has at most: `net.ipv4.tcp_max_tw_buckets`. Who ends a connection beyond that
/// does not wait (`tcp_time_wait`).
#[must_use]
pub const fn most(memory: usize) -> usize {
    let places = (memory / BYTES_FOR_A_PLACE).next_power_of_two();
    (if places < MOST_PLACES { places } else { MOST_PLACES }) / 2
}

/// A connection that both ends have closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimeWait {
    /// The number that the peer expects next.
    pub next: u32,
    /// The number that is expected from it.
    pub expected: u32,
    since: Duration,
}

/// What a segment for such a connection gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
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

    /// When it is over.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.since + LENGTH
    }

    /// Whether a local connect(2) may take the tuple.
    #[must_use]
    pub fn is_reusable(&self, now: Duration) -> bool {
        now >= self.since + REUSE_AFTER
    }

    /// What `segment` gets. A RST changes nothing (RFC 1337).
    #[must_use]
    pub fn answer(&self, segment: &Segment) -> Answer {
        if segment.has_rst {
            return Answer::Ignore;
        }
        let is_later = segment.sequence.wrapping_sub(self.expected).cast_signed() > 0;
        if segment.is_request() && is_later {
            return Answer::Reopen;
        }
        let is_pure = !segment.has_syn && !segment.has_fin && segment.len == 0;
        if is_pure && segment.sequence == self.expected { Answer::Ignore } else { Answer::Acknowledge }
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
