//! What can become ready on a file.
//!
//! Public bits have Linux's numeric values, so the ABI needs no table; inside the word they are packed into
//! twelve bits. `POLLNVAL` is not here: it says something about an fd number, not about a file.
//! Source: poll(2); Linux 6.1 include/uapi/asm-generic/poll.h.

use bitflags::bitflags;

bitflags! {
    /// A set of I/O events.
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
    pub struct Events: u16 {
        /// Data can be read.
        const IN = 0x0001;
        /// Something exceptional can be read.
        const PRI = 0x0002;
        /// Data can be written.
        const OUT = 0x0004;
        /// An error is pending, or the reading end is gone.
        const ERR = 0x0008;
        /// The other side has hung up.
        const HUP = 0x0010;
        /// Normal data can be read.
        const RDNORM = 0x0040;
        /// Priority data can be read.
        const RDBAND = 0x0080;
        /// Normal data can be written.
        const WRNORM = 0x0100;
        /// Priority data can be written.
        const WRBAND = 0x0200;
        /// Unused by Linux, accepted by it.
        const MSG = 0x0400;
        /// The other side will write no more.
        const RDHUP = 0x2000;
    }
}

/// The width of a packed set.
pub(crate) const PACKED_BITS: u32 = 12;

/// Where `RDHUP` moves, so that the set is contiguous.
const RDHUP_SHIFT: u32 = 2;

impl Events {
    /// What a poller is told whether it asked or not.
    pub const ALWAYS: Self = Self::ERR.union(Self::HUP);

    /// Readable, in both of Linux's words for it.
    pub const READABLE: Self = Self::IN.union(Self::RDNORM);

    /// Writable, in both of Linux's words for it.
    pub const WRITABLE: Self = Self::OUT.union(Self::WRNORM);

    pub(crate) const fn pack(self) -> u64 {
        let bits = self.bits();
        let high = (bits & Self::RDHUP.bits()) >> RDHUP_SHIFT;
        (bits & 0x07ff | high) as u64
    }

    pub(crate) const fn unpack(packed: u64) -> Self {
        let bits = (packed & 0x0fff) as u16;
        let high = (bits & 0x0800) << RDHUP_SHIFT;
        Self::from_bits_truncate(bits & 0x07ff | high)
    }
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn every_single_event_survives_packing() {
        for event in Events::all().iter() {
            assert_eq!(Events::unpack(event.pack()), event);
            assert!(event.pack() < 1 << super::PACKED_BITS);
        }
        assert_eq!(Events::unpack(Events::all().pack()), Events::all());
    }
}
