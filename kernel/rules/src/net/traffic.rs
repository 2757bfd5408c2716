//! How much went over an interface.

/// What went over an interface in one direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Amount {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What went over an interface.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// In.
    pub received: Amount,
    /// Out.
    pub sent: Amount,
}
