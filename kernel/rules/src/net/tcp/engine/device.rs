//! The path to a peer as smoltcp's device: one packet in, and any number out.

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

use crate::net::tcp::packet::{Packet, PacketBatch};
use crate::net::tcp::path::PathKind;

/// A device for one packet in, and any number out.
pub(super) struct PacketDevice<'a> {
    pub(super) packet: Option<&'a [u8]>,
    pub(super) out: Option<&'a mut PacketBatch>,
    pub(super) path: PathKind,
    pub(super) packet_len: usize,
}

impl PacketDevice<'_> {
    /// A device that carries nothing: it only has capabilities.
    pub(super) const fn closed(path: PathKind, packet_len: usize) -> Self {
        Self { packet: None, out: None, path, packet_len }
    }
}

impl Device for PacketDevice<'_> {
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
        capabilities.checksum = self.path.checksums();
        capabilities
    }
}

/// The packet that smoltcp takes in.
pub(super) struct Arriving<'a>(&'a [u8]);

impl RxToken for Arriving<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// The batch that smoltcp adds a packet to.
pub(super) struct Leaving<'a>(&'a mut PacketBatch);

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = Packet::new(len);
        let result = f(packet.ip_mut());
        self.0.push(packet);
        result
    }
}
