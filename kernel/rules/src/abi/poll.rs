//! The structures of poll(2) and select(2), and their translation into events.
//!
//! Source: poll(2), select(2); Linux 6.1 fs/select.c, include/uapi/asm-generic/poll.h.

use pollee::Events;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `POLLNVAL`: the number is not open. A word about a number, and so no event of a file.
pub const POLLNVAL: u16 = 0x20;

/// `struct pollfd`.
#[derive(Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct PollFd {
    /// The descriptor; a negative one is skipped.
    pub fd: i32,
    /// What is asked for.
    pub events: u16,
    /// What is the case.
    pub revents: u16,
}

impl PollFd {
    /// Where `revents` is in it.
    pub const REVENTS_OFFSET: usize = core::mem::offset_of!(Self, revents);

    /// Returns the events to poll the file for. Errors and hang-ups are always among them.
    #[must_use]
    pub const fn interest(&self) -> Events {
        Events::from_bits_truncate(self.events).union(Events::ALWAYS)
    }
}

/// The three sets of select(2), as masks of what makes a descriptor a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Set {
    /// `readfds`.
    Read,
    /// `writefds`.
    Write,
    /// `exceptfds`.
    Except,
}

impl Set {
    /// All three, in the order of select's arguments.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Except];

    /// Returns the events of which one suffices (`POLLIN_SET`, `POLLOUT_SET`, `POLLEX_SET`).
    #[must_use]
    pub const fn events(self) -> Events {
        match self {
            Self::Read => Events::READABLE.union(Events::RDBAND).union(Events::HUP).union(Events::ERR),
            Self::Write => Events::WRITABLE.union(Events::WRBAND).union(Events::ERR),
            Self::Except => Events::PRI,
        }
    }
}

#[cfg(test)]
mod tests {
    use pollee::Events;

    use super::{PollFd, Set};

    #[test]
    fn a_pollfd_has_linux_s_layout() {
        assert_eq!(size_of::<PollFd>(), 8);
        assert_eq!(PollFd::REVENTS_OFFSET, 6);
    }

    #[test]
    fn the_end_of_a_file_is_readable_and_an_error_is_writable_too() {
        assert!(Set::Read.events().contains(Events::HUP | Events::ERR));
        assert!(Set::Write.events().contains(Events::ERR) && !Set::Write.events().contains(Events::HUP));
        assert_eq!(Set::Except.events(), Events::PRI);
    }

    #[test]
    fn nval_is_never_asked_for() {
        let pollfd = PollFd { fd: 0, events: super::POLLNVAL | 0x2001, revents: 0 };
        assert_eq!(pollfd.interest(), Events::IN | Events::RDHUP | Events::ALWAYS);
    }
}
