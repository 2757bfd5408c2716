//! Which local socket has which name.
//!
//! A path leads to an inode, and the inode to its socket: a name that was renamed, or linked, still finds it, and one
//! that was removed and made again does not. No number of an inode is used twice.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU32, Ordering};

use rules::abi::errno::Errno;
use rules::linux::unix::name::Name;
use rules::linux::unix::socket::Kind;

use super::endpoint::Endpoint;
use crate::core::event::rank::{Rank, Ranked};
use crate::net::socket::FileId;

/// What a socket is found by.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum SocketKey {
    /// A file in the tree.
    File(FileId),
    /// A name outside of the tree: one for each kind of socket.
    Abstract(Kind, Name),
}

static NAMES: Ranked<BTreeMap<SocketKey, Weak<Endpoint>>> = Ranked::new(Rank::Interface, BTreeMap::new());

/// Lets `key` lead to `endpoint`.
///
/// # Errors
/// `EADDRINUSE`: it leads to another.
pub(super) fn insert(key: SocketKey, endpoint: &Arc<Endpoint>) -> Result<(), Errno> {
    let mut names = NAMES.lock();
    if names.contains_key(&key) {
        return Err(Errno::EADDRINUSE);
    }
    names.insert(key, Arc::downgrade(endpoint));
    Ok(())
}

/// Where `key` leads.
pub(super) fn find(key: &SocketKey) -> Option<Arc<Endpoint>> {
    let found = NAMES.lock().get(key).cloned();
    found?.upgrade()
}

/// Lets `key` lead nowhere.
pub(super) fn remove(key: &SocketKey) {
    NAMES.lock().remove(key);
}

/// A number for a name that nobody chose.
pub(super) fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
