//! A packet of the internet protocol on its way.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// Bytes in front of every packet, for the headers of links and of devices.
pub const HEADROOM: usize = 32;

/// An IP packet, with room in front of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet(Vec<u8>);

impl Packet {
    /// A packet of `len` bytes, all zero.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self(vec![0; HEADROOM + len])
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
        &self.0[HEADROOM..]
    }

    /// Where it goes; `None` if it is too short to say.
    #[must_use]
    pub fn destination(&self) -> Option<Ipv4Addr> {
        let bytes = self.ip().get(16..20)?;
        <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
    }

    /// The packet, to be filled.
    pub fn ip_mut(&mut self) -> &mut [u8] {
        &mut self.0[HEADROOM..]
    }

    /// The packet with `len` more bytes in front of it, at most [`HEADROOM`].
    pub fn frame_mut(&mut self, len: usize) -> &mut [u8] {
        &mut self.0[HEADROOM.saturating_sub(len)..]
    }
}
