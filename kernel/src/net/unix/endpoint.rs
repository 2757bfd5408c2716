//! One end of a local connection, or a listener.
//!
//! Lock: rank 3; no thread holds two. What lies in the queue is dropped when none is held.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use model::abi::errno::Errno;
use model::unix::socket::{Kind, Remains, Socket};
use pollee::Events;
use spin::Once;

use super::names::{self, Key};
use crate::event;
use crate::event::class::Class;
use crate::file::description::OpenFile;

/// A socket's state, which the other end and its listener know, too.
pub(crate) struct Endpoint {
    pub(super) state: event::Locked<Socket<Arc<Endpoint>, Arc<OpenFile>>>,
    pub(super) inode: u64,
    /// What it is found by.
    pub(super) key: Once<Key>,
}

impl Endpoint {
    /// A socket that is nothing yet.
    pub(super) fn new(kind: Kind) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let state = event::Locked::new(Class::Socket, Socket::new(kind));
        Arc::new(Self { state, inode: NEXT.fetch_add(1, Ordering::Relaxed), key: Once::new() })
    }

    /// Nobody has it open any more, or nobody will. `error` is what the other end hears beside the end.
    pub(super) fn close(&self, error: Option<Errno>) {
        if let Some(key) = self.key.get() {
            names::remove(key);
        }
        let Remains { peer, waiting, unread, .. } = self.state.lock().close();
        let error = error.or((!unread.is_empty()).then_some(Errno::ECONNRESET));
        if let Some(peer) = peer {
            let mut peer = peer.state.lock();
            peer.lose_peer(error);
            peer.report(Events::READABLE | Events::WRITABLE | Events::RDHUP | Events::HUP);
        }
        for child in waiting {
            child.close(Some(Errno::ECONNRESET));
        }
        // Who waits for room in the backlog, or here, waits in vain.
        self.state.lock().report(Events::WRITABLE);
    }

    /// Brings what this end knows of the other's room up to date: asked again after it was noted, because the other
    /// may have read in between.
    pub(super) fn note_room(&self, other: &Self) {
        loop {
            let has_room = other.state.read().has_room();
            self.state.lock().set_peer_has_room(has_room);
            if other.state.read().has_room() == has_room {
                return;
            }
        }
    }

    /// The other end has read, and has room again.
    pub(super) fn announce_room(&self) {
        let mut state = self.state.lock();
        state.set_peer_has_room(true);
        state.report(Events::WRITABLE);
    }

    /// The other end.
    pub(super) fn peer(&self) -> Option<Arc<Self>> {
        self.state.read().peer().cloned()
    }
}
