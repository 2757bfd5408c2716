//! The names of local sockets.
//!
//! A path leads to an inode, and the inode number to its socket. So a renamed or linked name still finds the socket,
//! and one that was removed and created again does not. Inode numbers are not reused.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU32, Ordering};

use rules::abi::errno::Errno;
use rules::linux::unix::name::Name;
use rules::linux::unix::socket::Kind;

use super::endpoint::Endpoint;
use crate::core::event::rank::{Rank, Ranked};
use crate::net::socket::FileId;

/// The key by which a socket is found.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum SocketKey {
    /// A file in the tree.
    File(FileId),
    /// An abstract name; each kind of socket has its own namespace.
    Abstract(Kind, Name),
}

static NAMES: Ranked<BTreeMap<SocketKey, Weak<Endpoint>>> = Ranked::new(Rank::Interface, BTreeMap::new());

/// Adds a name for `endpoint`.
///
/// # Errors
/// `EADDRINUSE`: the name belongs to another socket.
pub(super) fn insert(key: SocketKey, endpoint: &Arc<Endpoint>) -> Result<(), Errno> {
    let mut names = NAMES.lock();
    if names.contains_key(&key) {
        return Err(Errno::EADDRINUSE);
    }
    names.insert(key, Arc::downgrade(endpoint));
    Ok(())
}

/// Returns the socket with this name.
pub(super) fn find(key: &SocketKey) -> Option<Arc<Endpoint>> {
    let found = NAMES.lock().get(key).cloned();
    found?.upgrade()
}

/// Removes a name.
pub(super) fn remove(key: &SocketKey) {
    NAMES.lock().remove(key);
}

/// Returns the number of a generated name.
pub(super) fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
