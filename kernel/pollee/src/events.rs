//! What can become ready on a file.
//!
//! The bits have Linux's numeric values, in the ABI as in the word, so no table converts them. `POLLNVAL` is not here: it
//! says something about an fd number, not about a file.
//!
//! The type is not generic over the bits. The crate itself needs to know three things of them: which fit in the word
//! (14), which are always reported (`ERR`, `HUP`), and which means "a ready list has an entry" (`IN`). Every
//! kernel with poll(2) has these bits already, the BSDs with the same numbers for `IN` to `HUP`, and one with another
//! interface maps its few events to them where a program asks. A type parameter would be on every type of the crate, for
//! a translation that costs one instruction or none.
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

/// How many bits the highest event needs.
pub(crate) const BITS: u32 = 14;

impl Events {
    /// The events that a poll reports whether it asked for them or not.
    pub const ALWAYS: Self = Self::ERR.union(Self::HUP);

    /// Readable, in both of Linux's words for it.
    pub const READABLE: Self = Self::IN.union(Self::RDNORM);

    /// Writable, in both of Linux's words for it.
    pub const WRITABLE: Self = Self::OUT.union(Self::WRNORM);
}

#[cfg(test)]
mod tests {
    use super::{BITS, Events};

    #[test]
    fn the_highest_event_is_the_last_bit() {
        assert_eq!(Events::all().bits() >> (BITS - 1), 1);
    }
}
