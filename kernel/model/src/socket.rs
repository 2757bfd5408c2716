//! What setsockopt(2) changes: the options of every kind of socket.
//!
//! Source: socket(7), tcp(7).

use core::time::Duration;

use pollee::Events;

/// `net.ipv4.tcp_wmem`: what may wait to be sent without a word from the program. As much as the protocol's own buffer
/// holds at its largest, so that bulk data needs no queue in front of it.
const SEND_BUFFER: usize = 64 * 1024;

/// `net.ipv4.tcp_rmem`: what may wait to be read.
const RECEIVE_BUFFER: usize = 256 * 1024;

/// What setsockopt(2) changes.
#[derive(Clone, Debug)]
pub struct Options {
    /// `SO_REUSEADDR`.
    pub reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// `SO_KEEPALIVE`.
    pub keep_alive: bool,
    /// `TCP_NODELAY`.
    pub no_delay: bool,
    /// `TCP_CORK`: only whole segments leave.
    pub cork: bool,
    /// `TCP_KEEPIDLE`: how long a peer may be silent before it is asked.
    pub keep_idle: Duration,
    /// `TCP_KEEPINTVL`: how soon it is asked again.
    pub keep_interval: Duration,
    /// `TCP_KEEPCNT`: how often.
    pub keep_count: u8,
    /// `TCP_SYNCNT`: how often a SYN is repeated.
    pub syn_count: u8,
    /// `TCP_USER_TIMEOUT`: how long bytes may wait for their acknowledgment.
    pub user_timeout: Option<Duration>,
    /// `TCP_MAXSEG`: bytes of a segment at most.
    pub max_segment: Option<u16>,
    /// `SO_LINGER`: for how long close(2) waits.
    pub linger: Option<Duration>,
    /// `SO_SNDBUF`, in bytes.
    pub send_buffer: usize,
    /// `SO_RCVBUF`, in bytes.
    pub receive_buffer: usize,
    /// `SO_RCVLOWAT`.
    pub low_water: usize,
    /// `SO_RCVTIMEO`.
    pub receive_timeout: Option<Duration>,
    /// `SO_SNDTIMEO`.
    pub send_timeout: Option<Duration>,
}

impl Options {
    /// How long a blocking read ([`Events::READABLE`]) or write waits at most.
    #[must_use]
    pub fn wait_limit(&self, waits_for: Events) -> Option<Duration> {
        if waits_for == Events::READABLE { self.receive_timeout } else { self.send_timeout }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reuse_address: false,
            reuse_port: false,
            keep_alive: false,
            no_delay: false,
            cork: false,
            keep_idle: Duration::from_secs(7200),
            keep_interval: Duration::from_secs(75),
            keep_count: 9,
            syn_count: 6,
            user_timeout: None,
            max_segment: None,
            linger: None,
            send_buffer: SEND_BUFFER,
            receive_buffer: RECEIVE_BUFFER,
            low_water: 1,
            receive_timeout: None,
            send_timeout: None,
        }
    }
}
