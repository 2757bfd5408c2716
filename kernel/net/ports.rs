//! The one table of ports.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use rules::abi::errno::Errno;
use rules::net::tcp::port::{Owner, TcpPorts};

use super::endpoint::Endpoint;
use crate::core::event::rank::{Rank, Ranked, RankedGuard};
use crate::machine::random;

/// Who finds a listener.
type PortTable = TcpPorts<Weak<Endpoint>>;

static PORTS: Ranked<PortTable> = Ranked::new(Rank::Interface, TcpPorts::new());

/// Access to the table.
pub(crate) fn lock() -> RankedGuard<'static, PortTable> {
    PORTS.lock()
}

/// A name for a socket that no other has.
pub(crate) fn new_owner() -> Owner {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Owner(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// All who listen, by port.
///
/// # Errors
/// `ENOMEM`: they are too many.
pub(crate) fn listeners() -> Result<impl Iterator<Item = Arc<Endpoint>>, Errno> {
    let expected = PORTS.lock().listeners().count();
    let mut all = Vec::new();
    all.try_reserve(expected).map_err(|_| Errno::ENOMEM)?;
    // Nothing is allocated under the lock.
    all.extend(PORTS.lock().listeners().take(expected).cloned());
    Ok(all.into_iter().filter_map(|endpoint: Weak<Endpoint>| endpoint.upgrade()))
}

/// Who listens at the local end of `tuple`.
pub(crate) fn listener(tuple: &rules::net::tcp::segment::Tuple) -> Option<Arc<Endpoint>> {
    let hash = super::demux::hash(tuple);
    let listener = PORTS.lock().listener(tuple.local, hash)?;
    listener.upgrade()
}

/// Where the search for a free port begins: not twice at the same place, and nobody knows where.
pub(super) fn next() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // A step that is odd visits every port before it comes back.
    let step = (random::word() % 8) as u16 * 2 + 1;
    NEXT.fetch_add(step, Ordering::Relaxed)
}
