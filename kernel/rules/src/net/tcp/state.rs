//! The states of a TCP connection.
//!
//! Source: RFC 9293 section 3.3.2; the numbers are Linux's (include/net/tcp_states.h).

/// A state of RFC 9293. LISTEN is that of one connection before its SYN, not of a listening socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names of the RFC")]
pub enum TcpState {
    Closed,
    /// The connection waits for the SYN that it was made for.
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
    /// Returns whether the peer's FIN has arrived.
    #[must_use]
    pub const fn has_fin(self) -> bool {
        matches!(self, Self::CloseWait | Self::Closing | Self::LastAck | Self::TimeWait)
    }

    /// Returns whether this end has sent a FIN that is not acknowledged.
    #[must_use]
    pub const fn has_unacknowledged_fin(self) -> bool {
        matches!(self, Self::FinWait1 | Self::Closing | Self::LastAck)
    }

    /// Returns whether the handshake is not complete.
    #[must_use]
    pub const fn is_opening(self) -> bool {
        matches!(self, Self::Listen | Self::SynSent | Self::SynReceived)
    }

    /// Returns Linux's number of the state (`TCP_ESTABLISHED` is 1), as in `TCP_INFO`.
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
