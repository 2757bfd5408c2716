//! The table of TCP ports.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use rules::abi::errno::Errno;
use rules::machine::fallible;
use rules::net::tcp::port::{Owner, TcpPorts};

use super::endpoint::Endpoint;
use crate::core::event::rank::{Rank, Ranked, RankedGuard};
use crate::machine::random;

/// The ports, with the endpoints that listen.
type PortTable = TcpPorts<Weak<Endpoint>>;

static PORTS: Ranked<PortTable> = Ranked::new(Rank::Interface, TcpPorts::new());

/// Locks the table.
pub(crate) fn lock() -> RankedGuard<'static, PortTable> {
    PORTS.lock()
}

/// Returns a unique identifier for a socket.
pub(crate) fn new_owner() -> Owner {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Owner(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Returns all listeners, by port.
///
/// # Errors
/// `ENOMEM`: there are too many.
pub(crate) fn listeners() -> Result<impl Iterator<Item = Arc<Endpoint>>, Errno> {
    let expected = PORTS.lock().listeners().count();
    let mut all = Vec::new();
    fallible::reserve(&mut all, expected)?;
    // The lock forbids allocating.
    all.extend(PORTS.lock().listeners().take(expected).cloned());
    Ok(all.into_iter().filter_map(|endpoint: Weak<Endpoint>| endpoint.upgrade()))
}

/// Finds the listener at the local end of `tuple`.
pub(crate) fn listener(tuple: &rules::net::tcp::segment::Tuple) -> Option<Arc<Endpoint>> {
    let hash = super::demux::hash(tuple);
    let listener = PORTS.lock().listener(tuple.local, hash)?;
    listener.upgrade()
}

/// Returns where the next search for a free port begins, which a remote host cannot predict.
pub(super) fn next() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Odd steps visit different ports in turn.
    let step = (random::word() % 8) as u16 * 2 + 1;
    NEXT.fetch_add(step, Ordering::Relaxed)
}
