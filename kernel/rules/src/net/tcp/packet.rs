//! An IP packet with room for a link's headers in front of it.

use core::net::Ipv4Addr;

use smallvec::SmallVec;

use super::buffer::Buffer;

/// Bytes reserved in front of every packet, for the headers of links and devices.
pub const HEADROOM: usize = 32;

/// The length of an IP and a TCP header at their longest.
const MOST_HEADERS: usize = 120;

/// Packets that leave in this order.
pub type PacketBatch = SmallVec<[Packet; 2]>;

/// An IP packet, with [`HEADROOM`] in front of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Packet(Buffer);

impl Packet {
    /// Creates a packet of `len` bytes for the caller to write: headers are zero, the bytes behind them are not
    /// cleared.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self::with_headers(Buffer::new(HEADROOM + len))
    }

    /// Creates a packet as [`Self::new`] does, for a length that a program chooses. `None`: no memory.
    #[must_use]
    pub fn try_new(len: usize) -> Option<Self> {
        Buffer::try_new(HEADROOM + len).map(Self::with_headers)
    }

    fn with_headers(mut buffer: Buffer) -> Self {
        let headers = buffer.len().min(HEADROOM + MOST_HEADERS);
        buffer.bytes_mut()[..headers].fill(0);
        Self(buffer)
    }

    /// Copies `bytes` into a packet.
    #[must_use]
    pub fn from_ip(bytes: &[u8]) -> Self {
        let mut packet = Self::new(bytes.len());
        packet.ip_mut().copy_from_slice(bytes);
        packet
    }

    /// Returns the packet from its IP header on.
    #[must_use]
    pub fn ip(&self) -> &[u8] {
        &self.0.bytes()[HEADROOM..]
    }

    /// Returns the destination address; `None`: the packet is too short.
    #[must_use]
    pub fn destination(&self) -> Option<Ipv4Addr> {
        let bytes = self.ip().get(16..20)?;
        <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
    }

    /// Returns the packet from its IP header on, for writing.
    pub fn ip_mut(&mut self) -> &mut [u8] {
        &mut self.0.bytes_mut()[HEADROOM..]
    }

    /// Takes the packet's buffer, narrowed to `len` bytes from `start` on; the packet is empty then.
    pub(super) fn take_part(&mut self, start: usize, len: usize) -> Buffer {
        let mut part = core::mem::take(&mut self.0);
        part.skip(HEADROOM + start);
        part.truncate(len);
        part
    }

    /// Returns the packet with `len` bytes of headroom, at most [`HEADROOM`].
    #[must_use]
    pub fn frame(&self, len: usize) -> &[u8] {
        &self.0.bytes()[HEADROOM.saturating_sub(len)..]
    }

    /// Returns the packet with `len` bytes of headroom, at most [`HEADROOM`], for writing.
    pub fn frame_mut(&mut self, len: usize) -> &mut [u8] {
        &mut self.0.bytes_mut()[HEADROOM.saturating_sub(len)..]
    }
}
