//! A packet of the internet protocol on its way.

use core::net::Ipv4Addr;

use smallvec::SmallVec;

use super::buffer::Buffer;

/// Bytes in front of every packet, for the headers of links and of devices.
pub const HEADROOM: usize = 32;

/// Bytes of an IP and a TCP header at their longest.
const MOST_HEADERS: usize = 120;

/// Packets that leave one after the other.
pub type PacketBatch = SmallVec<[Packet; 2]>;

/// An IP packet, with room in front of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Packet(Buffer);

impl Packet {
    /// A packet of `len` bytes, to be written: zero where the headers are, and anything behind them.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let mut buffer = Buffer::new(HEADROOM + len);
        let headers = buffer.len().min(HEADROOM + MOST_HEADERS);
        buffer.bytes_mut()[..headers].fill(0);
        Self(buffer)
    }

    /// A packet of these bytes.
    #[must_use]
    pub fn from_ip(bytes: &[u8]) -> Self {
        let mut packet = Self::new(bytes.len());
        packet.ip_mut().copy_from_slice(bytes);
        packet
    }

    /// The packet, from its IP header on.
    #[must_use]
    pub fn ip(&self) -> &[u8] {
        &self.0.bytes()[HEADROOM..]
    }

    /// Where it goes; `None` if it is too short to say.
    #[must_use]
    pub fn destination(&self) -> Option<Ipv4Addr> {
        let bytes = self.ip().get(16..20)?;
        <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
    }

    /// The packet, to be filled.
    pub fn ip_mut(&mut self) -> &mut [u8] {
        &mut self.0.bytes_mut()[HEADROOM..]
    }

    /// Takes `len` bytes out of the packet, from `start` of its IP header on; nothing is left.
    pub(super) fn take_part(&mut self, start: usize, len: usize) -> Buffer {
        let mut part = core::mem::take(&mut self.0);
        part.skip(HEADROOM + start);
        part.truncate(len);
        part
    }

    /// The packet with the `len` bytes in front of it, at most [`HEADROOM`].
    #[must_use]
    pub fn frame(&self, len: usize) -> &[u8] {
        &self.0.bytes()[HEADROOM.saturating_sub(len)..]
    }

    /// The packet with `len` more bytes in front of it, at most [`HEADROOM`].
    pub fn frame_mut(&mut self, len: usize) -> &mut [u8] {
        &mut self.0.bytes_mut()[HEADROOM.saturating_sub(len)..]
    }
}
