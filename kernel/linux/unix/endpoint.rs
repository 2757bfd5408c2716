//! Endpoints: one end of a local connection, or a listener.
//!
//! Lock: rank 3; no thread holds two. Contents of a queue are dropped without a lock.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::AtomicUsize;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::linux::unix::socket::{self, Remains, UnixSocketState, Writer};
use rules::machine::fallible;
use rules::net::socket::{ROOM_FOR_OTHERS, SEND_ROOM};
use spin::Once;

use super::names::{self, SocketKey};
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::event::rank::{Rank, Ranked};
use crate::core::file::description::OpenFile;
use crate::net::counters::{Counted, Kind};
use crate::net::holder::Holder;
use crate::net::ports;

/// A socket's state, which the other end and its listener refer to as well.
pub(crate) struct Endpoint {
    pub(crate) state: event::Locked<UnixSocketState<Arc<Endpoint>, Arc<OpenFile>>>,
    pub(crate) inode: u64,
    pub(crate) holder: Holder,
    /// The key by which names find it.
    pub(super) key: Once<SocketKey>,
    /// The sockets that are connected to send datagrams here, which are notified of room.
    pub(super) clients: Ranked<Vec<Weak<Endpoint>>>,
    /// The number of unconnected senders that wait for room here.
    pub(super) strangers: AtomicUsize,
    _counted: Counted,
}

/// All endpoints, by inode number.
static ALL: Ranked<BTreeMap<u64, Weak<Endpoint>>> = Ranked::new(Rank::Interface, BTreeMap::new());

/// Returns all endpoints, by inode number.
///
/// # Errors
/// `ENOMEM`: there are too many.
pub(crate) fn all() -> Result<impl Iterator<Item = Arc<Endpoint>>, Errno> {
    let expected = ALL.lock().len();
    let mut all = Vec::new();
    fallible::reserve(&mut all, expected)?;
    // The vector has its capacity already: nothing is allocated under the lock.
    all.extend(ALL.lock().values().take(expected).cloned());
    Ok(all.into_iter().filter_map(|endpoint: Weak<Endpoint>| endpoint.upgrade()))
}

impl Endpoint {
    /// Makes an unconnected socket.
    pub(super) fn new(kind: socket::Kind) -> Arc<Self> {
        let endpoint = Arc::new(Self {
            state: event::Locked::new(Class::Socket, UnixSocketState::new(kind)),
            inode: ports::new_owner().0 + 1,
            holder: Holder::none(),
            key: Once::new(),
            clients: Ranked::new(Rank::Interface, Vec::new()),
            strangers: AtomicUsize::new(0),
            _counted: Counted::new(Kind::Local),
        });
        ALL.lock().insert(endpoint.inode, Arc::downgrade(&endpoint));
        endpoint
    }

    /// Closes the endpoint. The other end gets `error`, if any, besides the end of file.
    pub(super) fn close(&self, error: Option<Errno>) {
        if let Some(key) = self.key.get() {
            names::remove(key);
        }
        let Remains { peer, waiting, unread, .. } = self.state.lock().close();
        let error = error.or((!unread.is_empty()).then_some(Errno::ECONNRESET));
        if let Some(peer) = peer {
            peer.forget_client(self);
            if peer.sends_to(self) {
                let mut peer = peer.state.lock();
                // The peer of a datagram socket reads on, so it only hears that its datagrams left (`unix_release_sock`).
                let happened = match peer.kind() {
                    socket::Kind::Datagram if unread.is_empty() && peer.peer_has_room() => Events::empty(),
                    socket::Kind::Datagram => SEND_ROOM,
                    _ => Events::READABLE | SEND_ROOM | Events::RDHUP | Events::HUP,
                };
                peer.lose_peer(error);
                peer.raise(happened);
            }
        }
        self.notify_clients();
        for child in waiting {
            child.close(Some(Errno::ECONNRESET));
        }
        // Waiters for room in the backlog or in the queue must give up.
        self.state.notify(ROOM_FOR_OTHERS);
    }

    /// Notes whether the other end has room. It checks again after noting it, because the other end may have read in
    /// between.
    pub(super) fn note_room(&self, other: &Self, writer: Writer) {
        loop {
            let has_room = other.state.read().has_room(writer);
            self.state.lock().set_peer_has_room(has_room);
            if other.state.read().has_room(writer) == has_room {
                return;
            }
        }
    }

    /// Notes that the other end has read and has room again.
    pub(super) fn announce_room(&self) {
        let mut state = self.state.lock();
        state.set_peer_has_room(true);
        state.raise(SEND_ROOM);
    }

    /// Returns the other end.
    pub(super) fn peer(&self) -> Option<Arc<Self>> {
        self.state.read().peer().cloned()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _gone = ALL.lock().remove(&self.inode);
    }
}
