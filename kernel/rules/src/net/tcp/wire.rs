//! The way to a peer, as smoltcp sees it: a device for one packet in, and any number out.

use smoltcp::phy::{Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

use super::packet::{Packet, PacketBatch};

/// What the way to a peer is like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PathKind {
    /// Within this machine: large packets, which nobody damages.
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
}

/// A device for one packet in, and any number out.
pub(super) struct Wire<'a> {
    pub(super) packet: Option<&'a [u8]>,
    pub(super) out: Option<&'a mut PacketBatch>,
    pub(super) path: PathKind,
    pub(super) packet_len: usize,
}

impl Wire<'_> {
    /// One that carries nothing: to say what it is like.
    pub(super) const fn closed(path: PathKind, packet_len: usize) -> Self {
        Self { packet: None, out: None, path, packet_len }
    }
}

impl Device for Wire<'_> {
    type RxToken<'a>
        = Arriving<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Leaving<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Arriving<'_>, Leaving<'_>)> {
        Some((Arriving(self.packet.take()?), Leaving(self.out.as_deref_mut()?)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Leaving<'_>> {
        self.out.as_deref_mut().map(Leaving)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.packet_len;
        capabilities.checksum = match self.path {
            PathKind::Local => ChecksumCapabilities::ignored(),
            // What arrives was looked at before a connection was looked for (`ingress_filter`); what leaves is completed where it
            // does (`checksum`).
            PathKind::Link { .. } => leaving(),
        };
        capabilities
    }
}

/// Those of headers are computed.
fn leaving() -> ChecksumCapabilities {
    let mut checksums = ChecksumCapabilities::ignored();
    checksums.ipv4 = Checksum::Tx;
    checksums
}

pub(super) struct Arriving<'a>(&'a [u8]);

impl RxToken for Arriving<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

pub(super) struct Leaving<'a>(&'a mut PacketBatch);

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = Packet::new(len);
        let result = f(packet.ip_mut());
        self.0.push(packet);
        result
    }
}
