//! Counters of the sockets of each kind: `/proc/net/sockstat`.

use core::sync::atomic::{AtomicUsize, Ordering};

/// The kinds of sockets that are counted separately.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Tcp,
    Udp,
    Local,
    Netlink,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Local, Self::Netlink];
}

static COUNTS: [AtomicUsize; Kind::ALL.len()] = [const { AtomicUsize::new(0) }; Kind::ALL.len()];

/// Counts its socket as long as that exists.
#[must_use]
pub(crate) struct Counted(Kind);

impl Counted {
    pub(crate) fn new(kind: Kind) -> Self {
        COUNTS[kind as usize].fetch_add(1, Ordering::Relaxed);
        Self(kind)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        COUNTS[self.0 as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the number of sockets of a kind.
pub(crate) fn count(kind: Kind) -> usize {
    COUNTS[kind as usize].load(Ordering::Relaxed)
}

/// Returns the number of all sockets.
pub(crate) fn total() -> usize {
    Kind::ALL.into_iter().map(count).sum()
}
