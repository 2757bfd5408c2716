//! The options that setsockopt(2) changes, for every kind of socket.
//!
//! Source: socket(7), tcp(7).

use core::time::Duration;

use bitflags::bitflags;
use pollee::Events;

/// The default of `SO_SNDBUF` (`net.ipv4.tcp_wmem`): as much as the engine's buffer holds at its largest, so that bulk
/// data needs no queue in front of it.
const SEND_BUFFER: usize = 64 * 1024;

/// The default of `SO_RCVBUF`: `net.ipv4.tcp_rmem`.
const RECEIVE_BUFFER: usize = 256 * 1024;

/// The events of a socket that has room to send, for all kinds but TCP: `datagram_poll`, `sock_def_write_space`,
/// `unix_poll`, `unix_write_space`.
pub const SEND_ROOM: Events = Events::WRITABLE.union(Events::WRBAND);

/// What a socket raises for other sockets that wait for room in its queue or backlog: Linux's `peer_wait`. No poll
/// reports it.
pub const ROOM_FOR_OTHERS: Events = Events::MSG;

/// `net.ipv4.ip_default_ttl`.
pub const DEFAULT_TTL: u8 = 64;

/// `IP_PMTUDISC_WANT`.
const DISCOVERY_WANTED: u8 = 1;

bitflags! {
    /// Options that are on or off and have no effect here; getsockopt(2) reports what was set.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Switches: u16 {
        /// `SO_BROADCAST`.
        const BROADCAST = 1;
        /// `SO_OOBINLINE`.
        const OUT_OF_BAND_INLINE = 2;
        /// `SO_DONTROUTE`.
        const DONT_ROUTE = 4;
        /// `SO_DEBUG`.
        const DEBUG = 8;
        /// `TCP_QUICKACK`, inverted.
        const SLOW_ACK = 0x10;
        /// `IP_PKTINFO`.
        const PACKET_INFO = 0x20;
        /// `IP_RECVERR`.
        const RECEIVE_ERRORS = 0x40;
        /// `IP_RECVTTL`.
        const RECEIVE_TTL = 0x80;
        /// `IP_RECVTOS`.
        const RECEIVE_TOS = 0x100;
        /// `IP_FREEBIND`.
        const FREE_BIND = 0x200;
        /// `IP_BIND_ADDRESS_NO_PORT`.
        const BIND_WITHOUT_PORT = 0x400;
    }
}

/// The options of a socket.
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
    /// `TCP_CORK`: only full segments leave.
    pub cork: bool,
    /// `TCP_KEEPIDLE`: the silence before the first keep-alive probe.
    pub keep_idle: Duration,
    /// `TCP_KEEPINTVL`: the time between two probes.
    pub keep_interval: Duration,
    /// `TCP_KEEPCNT`: the number of probes.
    pub keep_count: u8,
    /// `TCP_SYNCNT`: how often a SYN is retransmitted.
    pub syn_count: u8,
    /// `TCP_USER_TIMEOUT`: how long bytes may wait for their acknowledgment.
    pub user_timeout: Option<Duration>,
    /// `TCP_MAXSEG`: the largest segment.
    pub max_segment: Option<u16>,
    /// `SO_LINGER`: how long close(2) waits.
    pub linger: Option<Duration>,
    /// The seconds that `SO_LINGER` was last turned on with, which getsockopt(2) reports.
    pub linger_told: u32,
    /// `TCP_DEFER_ACCEPT`: seconds, which have no effect here.
    pub defer_accept: u16,
    /// Options without effect.
    pub switches: Switches,
    /// `SO_PRIORITY`, without effect.
    pub priority: i32,
    /// `IP_TOS`, without effect.
    pub tos: u8,
    /// `IP_TTL`, without effect.
    pub ttl: u8,
    /// `IP_MTU_DISCOVER`, without effect.
    pub mtu_discovery: u8,
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
    /// Returns the time-out of a blocking read ([`Events::READABLE`]) or write.
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
            linger_told: 0,
            defer_accept: 0,
            switches: Switches::empty(),
            priority: 0,
            tos: 0,
            ttl: DEFAULT_TTL,
            mtu_discovery: DISCOVERY_WANTED,
            send_buffer: SEND_BUFFER,
            receive_buffer: RECEIVE_BUFFER,
            low_water: 1,
            receive_timeout: None,
            send_timeout: None,
        }
    }
}
