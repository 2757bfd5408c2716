//! The states of a connection.
//!
//! Source: RFC 9293 section 3.3.2; the numbers are Linux's (include/net/tcp_states.h).

/// The states of RFC 9293, less LISTEN of a listener, which is no connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names of the RFC")]
pub enum TcpState {
    Closed,
    /// Waits for the SYN that made it.
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl TcpState {
    /// Whether the peer's FIN has come.
    #[must_use]
    pub const fn has_fin(self) -> bool {
        matches!(self, Self::CloseWait | Self::Closing | Self::LastAck | Self::TimeWait)
    }

    /// Whether this end's FIN is on its way.
    #[must_use]
    pub const fn has_unacknowledged_fin(self) -> bool {
        matches!(self, Self::FinWait1 | Self::Closing | Self::LastAck)
    }

    /// Whether the handshake is still going on.
    #[must_use]
    pub const fn is_opening(self) -> bool {
        matches!(self, Self::Listen | Self::SynSent | Self::SynReceived)
    }

    /// Linux's number of the state (`TCP_ESTABLISHED` is 1), as `TCP_INFO` tells it.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Established => 1,
            Self::SynSent => 2,
            Self::SynReceived => 3,
            Self::FinWait1 => 4,
            Self::FinWait2 => 5,
            Self::TimeWait => 6,
            Self::Closed => 7,
            Self::CloseWait => 8,
            Self::LastAck => 9,
            Self::Listen => 10,
            Self::Closing => 11,
        }
    }
}
