//! The header in front of every frame of a virtio network card, which says who computes the checksum.
//!
//! Source: VIRTIO 1.2, section 5.1.6.

use zerocopy::byteorder::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::net::checksum;

/// The checksum is incomplete; the receiver of the header completes it.
const NEEDS_CHECKSUM: u8 = 1;

/// The card has verified the checksum.
const IS_VALID: u8 = 2;

/// The length of the header.
pub const LEN: usize = size_of::<Prefix>();

/// `struct virtio_net_hdr`. All zero is an ordinary frame.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Prefix {
    flags: u8,
    segmentation: u8,
    headers: U16,
    segment: U16,
    start: U16,
    place: U16,
    buffers: U16,
}

/// What vouches for the bytes of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trust {
    /// Their checksum alone.
    Checksum,
    /// The card: they were not on a wire, or it has verified the checksum.
    Card,
}

impl Prefix {
    /// Makes the header of a frame whose TCP segment begins at `start`, and whose checksum the card completes.
    #[must_use]
    pub const fn completing(start: u16) -> Self {
        Self {
            flags: NEEDS_CHECKSUM,
            segmentation: 0,
            headers: U16::ZERO,
            segment: U16::ZERO,
            start: U16::new(start),
            place: U16::new(checksum::PLACE as u16),
            buffers: U16::ZERO,
        }
    }

    /// Returns what vouches for a received frame, if the card was allowed to say.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        if self.flags & (NEEDS_CHECKSUM | IS_VALID) == 0 { Trust::Checksum } else { Trust::Card }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_standard_s_layout() {
        assert_eq!(LEN, 12);
        assert_eq!(Prefix::completing(34).as_bytes(), [1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 0, 0]);
        let of = |flags| Prefix { flags, ..Prefix::default() }.trust();
        let expected = [Trust::Checksum, Trust::Card, Trust::Card, Trust::Card, Trust::Checksum];
        assert_eq!([0, 1, 2, 3, 4].map(of), expected);
    }
}
