//! connect(2) and accept(2) of local sockets: into a backlog, and out of it.
//!
//! Source: Linux 6.1 net/unix/af_unix.c (`unix_stream_connect`, `unix_find_bsd`, `unix_accept`).

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::linux::unix::name::{Given, Name};
use rules::linux::unix::socket::{DEFAULT_BUFFER, Kind};
use rules::net::abi::socket::Ucred;
use rules::net::socket::ROOM_FOR_OTHERS;

use super::endpoint::Endpoint;
use super::names::{self, SocketKey};
use super::{UnixSocket, encode};
use crate::core::event::Pollable;
use crate::core::file::description::OpenFile;
use crate::net::address::{Address, RawAddress};
use crate::net::socket::{Accepted, Backlog, Connect, SocketCaller};

/// Finds the socket of this kind with the name at `address`.
///
/// # Errors
/// `EINVAL`: not a name. `ECONNREFUSED`: no socket has it. `EPROTOTYPE`: a socket of another type. `EACCES`, `ENOENT`
/// and others: the path.
pub(super) fn find(
    caller: &dyn SocketCaller,
    kind: Kind,
    address: &RawAddress,
) -> Result<Arc<Endpoint>, Errno> {
    let key = match Given::parse(address.bytes())?.name()? {
        name @ Name::Abstract(_) => SocketKey::Abstract(kind, name),
        Name::Path(path) => SocketKey::File(caller.find_socket_file(&path)?),
    };
    let found = names::find(&key).ok_or(Errno::ECONNREFUSED)?;
    let is_alike = found.state.read().kind() == kind;
    if is_alike { Ok(found) } else { Err(Errno::EPROTOTYPE) }
}

/// A socket that is about to enter the backlog of a listener.
struct Entering<'a> {
    socket: &'a UnixSocket,
    listener: Arc<Endpoint>,
    caller: Ucred,
}

impl Backlog for Entering<'_> {
    fn room(&self) -> &Pollable {
        &self.listener.state
    }

    fn enter(&self) -> Poll<Result<(), Errno>> {
        self.socket.enter(&self.listener, self.caller)
    }
}

impl UnixSocket {
    /// Connects the socket to the one with the name at `address`.
    ///
    /// # Errors
    /// Those of [`find`]. `EPERM`: the other accepts datagrams only from its own peer. Those of [`Backlog::enter`]
    /// follow.
    pub(super) fn connect_to(
        &self,
        caller: &dyn SocketCaller,
        address: &RawAddress,
    ) -> Result<Connect<'_>, Errno> {
        let kind = self.kind();
        if kind == Kind::Datagram {
            let peer = if address.is_unspecified()? { None } else { Some(find(caller, kind, address)?) };
            self.associate(peer.as_ref())?;
            return Ok(Connect::Done);
        }
        let listener = find(caller, kind, address)?;
        Ok(Connect::Backlog(Box::new(Entering { socket: self, listener, caller: caller.identity() })))
    }

    /// Queues a connection in `listener`'s backlog. `Pending` if the backlog is full.
    ///
    /// # Errors
    /// Nothing was queued. `EPROTOTYPE`: the listener is of another type. `ECONNREFUSED`: it does not listen.
    /// `EISCONN`: the socket is connected already. `EINVAL`: the socket listens.
    fn enter(&self, listener: &Arc<Endpoint>, caller: Ucred) -> Poll<Result<(), Errno>> {
        let kind = self.kind();
        let heritage = match listener.state.lock().begin(kind) {
            Poll::Ready(place) => place?,
            Poll::Pending => return Poll::Pending,
        };
        let child = Endpoint::new(kind);
        let joined = {
            let mut own = self.endpoint.state.lock();
            let limit = own.options().send_buffer;
            own.require_connectable().map(|()| {
                own.connect(child.clone(), heritage.credentials, DEFAULT_BUFFER);
                limit
            })
        };
        let limit = match joined {
            Ok(limit) => limit,
            Err(error) => {
                listener.state.lock().fail();
                return Poll::Ready(Err(error));
            }
        };
        {
            let mut state = child.state.lock();
            state.connect(self.endpoint.clone(), caller, limit);
            if let Some(name) = heritage.name {
                // The new end has no name yet, so this cannot fail.
                let _ = state.bind(name);
            }
        }
        let is_listening = {
            let mut state = listener.state.lock();
            let is_listening = state.complete(child.clone());
            state.raise(Events::READABLE);
            is_listening
        };
        if !is_listening {
            child.close(Some(Errno::ECONNRESET));
        }
        Poll::Ready(Ok(()))
    }
}

/// A connection taken from a backlog and not yet accepted; dropping it closes the connection.
#[must_use]
pub(super) struct QueuedConnection<'a> {
    listener: &'a Endpoint,
    child: Option<Arc<Endpoint>>,
}

impl<'a> QueuedConnection<'a> {
    /// Makes it from `child`, taken from the backlog of `listener`.
    pub(super) const fn new(listener: &'a Endpoint, child: Arc<Endpoint>) -> Self {
        Self { listener, child: Some(child) }
    }
}

impl Accepted for QueuedConnection<'_> {
    fn peer(&self) -> Result<Address, Errno> {
        let peer = self.child.as_ref().and_then(|child| child.peer());
        let name = peer.and_then(|peer| peer.state.read().name().cloned());
        Ok(encode(name.as_ref()))
    }

    fn open(mut self: Box<Self>, flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno> {
        let child = self.child.take().ok_or(Errno::ECONNABORTED)?;
        self.listener.state.notify(ROOM_FOR_OTHERS);
        super::open(child, flags, uid)
    }
}

impl Drop for QueuedConnection<'_> {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        let restored = self.listener.state.lock().restore(child);
        if let Err(child) = restored {
            child.close(Some(Errno::ECONNRESET));
        }
    }
}
