//! Datagrams between local sockets: finding the receiver, and notifying senders of room.
//!
//! A receiver keeps a list of the sockets that are connected to it (rank 4). When its queue becomes full or has room
//! again, each of them notes that, so it can be polled without locking the receiver. A sender without a connection
//! waits on the receiver itself, which announces room only while such senders wait.
//! Why: decision 0095.
//! Source: unix(7); Linux 6.1 net/unix/af_unix.c (`unix_dgram_connect`, `unix_dgram_sendmsg`, `unix_dgram_poll`).

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering;
use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::linux::unix::socket::{Kind, Writer};
use rules::machine::fallible;
use rules::net::socket::{ROOM_FOR_OTHERS, SEND_ROOM};

use super::endpoint::Endpoint;
use super::{UnixSocket, connect};
use crate::core::event::Pollable;
use crate::machine::memory::transfer::Source;
use crate::net::address::RawAddress;
use crate::net::socket::{Mailbox, Outgoing, SocketCaller};

/// A receiver that datagrams are sent to by name. While this lives, the receiver announces room.
struct NamedReceiver<'a> {
    from: &'a UnixSocket,
    to: Arc<Endpoint>,
}

impl<'a> NamedReceiver<'a> {
    fn new(from: &'a UnixSocket, to: Arc<Endpoint>) -> Self {
        to.strangers.fetch_add(1, Ordering::SeqCst);
        Self { from, to }
    }
}

impl Mailbox for NamedReceiver<'_> {
    fn room(&self) -> &Pollable {
        &self.to.state
    }

    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>> {
        self.from.send_to(Some(&self.to), from, message)
    }
}

impl Drop for NamedReceiver<'_> {
    fn drop(&mut self) {
        self.to.strangers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl UnixSocket {
    /// Finds the socket with the name at `address`, for a datagram.
    ///
    /// # Errors
    /// Those of [`connect::find`].
    pub(super) fn mailbox(
        &self,
        caller: &dyn SocketCaller,
        address: &RawAddress,
    ) -> Result<Box<dyn Mailbox + '_>, Errno> {
        let to = connect::find(caller, Kind::Datagram, address)?;
        Ok(Box::new(NamedReceiver::new(self, to)))
    }

    /// Connects to `peer`: sends to it, and receives from no other. `None` removes the connection. Queued datagrams of
    /// the old peer are discarded.
    ///
    /// # Errors
    /// Nothing was changed. `EPERM`: the peer receives only from another socket. `ENOMEM`: too many sockets send to
    /// it.
    pub(super) fn associate(&self, peer: Option<&Arc<Endpoint>>) -> Result<(), Errno> {
        let own = &self.endpoint;
        let writer = peer.map(|peer| peer.writer(own)).transpose()?;
        if let Some(peer) = peer {
            fallible::reserve(&mut *peer.clients.lock(), 1)?;
        }
        let (before, lost) = {
            let mut state = own.state.lock();
            let before = state.associate(peer.cloned());
            let is_other = |before: &Arc<Endpoint>| !peer.is_some_and(|peer| Arc::ptr_eq(peer, before));
            let before = before.filter(is_other);
            let lost = before.as_ref().map(|_| state.discard()).unwrap_or_default();
            state.set_peer_has_room(true);
            (before, lost)
        };
        if let Some(before) = before {
            before.forget_client(own);
            if !lost.is_empty() && before.sends_to(own) {
                let mut before = before.state.lock();
                before.put_error(Errno::ECONNRESET);
                before.raise(Events::ERR);
            }
            own.notify_room();
        }
        drop(lost);
        if let (Some(peer), Some(writer)) = (peer, writer) {
            peer.forget_client(own);
            peer.clients.lock().push(Arc::downgrade(own));
            own.note_room(peer, writer);
        }
        Ok(())
    }
}

impl Endpoint {
    /// Returns in which role `from` may send datagrams here.
    ///
    /// # Errors
    /// `EPERM`: only another socket may send here (`unix_may_send`).
    pub(super) fn writer(&self, from: &Self) -> Result<Writer, Errno> {
        match self.state.read().peer() {
            _ if core::ptr::eq(self, from) => Ok(Writer::Peer),
            None => Ok(Writer::Stranger),
            Some(peer) if core::ptr::eq(Arc::as_ptr(peer), from) => Ok(Writer::Peer),
            Some(_) => Err(Errno::EPERM),
        }
    }

    /// Returns whether `other` is its peer.
    pub(super) fn sends_to(&self, other: &Self) -> bool {
        self.state.read().peer().is_some_and(|peer| core::ptr::eq(Arc::as_ptr(peer), other))
    }

    /// Removes `client`, which sends elsewhere now, and clients that are gone.
    pub(super) fn forget_client(&self, client: &Self) {
        let is_other = |known: &Weak<Self>| !core::ptr::eq(known.as_ptr(), client);
        self.clients.lock().retain(|known| known.strong_count() > 0 && is_other(known));
    }

    /// Makes the connected clients note whether there is room, and notifies those that had none.
    pub(super) fn notify_clients(&self) {
        let clients = self.clients.lock().clone();
        for client in clients.iter().filter_map(Weak::upgrade).filter(|client| client.sends_to(self)) {
            let writer = self.writer(&client).unwrap_or(Writer::Stranger);
            let waited = !client.state.read().peer_has_room();
            client.note_room(self, writer);
            if waited && self.state.read().has_room(writer) {
                client.state.lock().raise(SEND_ROOM);
            }
        }
    }

    /// Notifies senders without a connection of room.
    pub(super) fn notify_room(&self) {
        self.notify_clients();
        if self.strangers.load(Ordering::SeqCst) > 0 {
            self.state.notify(ROOM_FOR_OTHERS);
        }
    }
}
