//! What the path to a peer is like.

use crate::net::wire::{Checksum, ChecksumCapabilities};

/// What the path to a peer is like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PathKind {
    /// Within this machine: large packets, which nothing damages.
    Local,
    /// Over a link that takes packets of this size.
    Link {
        /// Bytes of an IP packet.
        mtu: u16,
    },
}

impl PathKind {
    /// Bytes of a packet at most.
    pub(super) const fn packet_len(self) -> usize {
        match self {
            // One more, and smoltcp transfers nothing.
            Self::Local => 65535,
            Self::Link { mtu } => mtu as usize,
        }
    }

    /// Which checksums are computed where a packet is made. What arrives was looked at before a connection was looked
    /// for (`ingress_filter`); a segment that leaves gets its checksum where it does (`checksum`).
    pub(super) fn checksums(self) -> ChecksumCapabilities {
        let mut checksums = ChecksumCapabilities::ignored();
        if matches!(self, Self::Link { .. }) {
            checksums.ipv4 = Checksum::Tx;
        }
        checksums
    }
}
