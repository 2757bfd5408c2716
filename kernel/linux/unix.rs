//! Local sockets: socket pairs, and streams, sequenced packets and datagrams by name.
//!
//! Owns: calls that affect both ends.   Not here: the state of one end (`rules::linux::unix`), the tree of paths
//! (`SocketCaller`), notification of room for datagrams (`datagram`).
//! Each end has its own lock (rank 3); no thread holds two. Contents of a queue are dropped without a lock.
//! Descriptors are sent with bytes, except those of local sockets (`ETOOMANYREFS`), so a queue never keeps itself
//! alive.
//! Source: unix(7), socketpair(2); Linux 6.1 net/unix/af_unix.c.

mod connect;
mod datagram;
pub(crate) mod endpoint;
mod file;
mod names;
mod send;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::linux::unix::name::{Given, Name};
use rules::linux::unix::socket::{DEFAULT_BUFFER, Kind, Writer};
use rules::net::abi::socket::{How, MessageFlags, Ucred, family, kind};
use rules::net::socket::{Options, ROOM_FOR_OTHERS, SEND_ROOM};
use rules::net::tcp::connection::RecvMode;

use self::connect::QueuedConnection;
pub(crate) use self::endpoint::Endpoint;
pub(crate) use self::endpoint::all;
use self::names::SocketKey;
use crate::core::file::description::OpenFile;
use crate::machine::memory::transfer::{Sink, Source};
use crate::net::address::{Address, RawAddress};
use crate::net::file::{self as socket_file, LockedState, Protocol as _};
use crate::net::socket::{
    self, Accepted, Connect, Destination, Incoming, Outgoing, SocketCaller, SocketType,
};

/// An open local socket.
pub(crate) struct UnixSocket {
    endpoint: Arc<Endpoint>,
}

fn open(endpoint: Arc<Endpoint>, flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno> {
    endpoint.holder.open(uid);
    socket_file::open(UnixSocket { endpoint }, flags)
}

/// Encodes the address of a socket with this name.
fn encode(name: Option<&Name>) -> Address {
    Address::Other(Name::address(name))
}

/// Creates a socket of the user `uid`. Of `flags` only `O_NONBLOCK` has a meaning.
///
/// # Errors
/// `ENOMEM`: only the emergency reserve is left.
pub(crate) fn create(kind: Kind, flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno> {
    open(Endpoint::new(kind), flags, uid)
}

/// Creates two sockets of `caller` that are connected with each other.
///
/// # Errors
/// `ENOMEM`: only the emergency reserve is left.
pub(crate) fn create_pair(kind: Kind, flags: OpenFlags, caller: Ucred) -> Result<[Arc<OpenFile>; 2], Errno> {
    let (first, second) = (Endpoint::new(kind), Endpoint::new(kind));
    first.state.lock().connect(second.clone(), caller, DEFAULT_BUFFER);
    second.state.lock().connect(first.clone(), caller, DEFAULT_BUFFER);
    if kind == Kind::Datagram {
        first.clients.lock().push(Arc::downgrade(&second));
        second.clients.lock().push(Arc::downgrade(&first));
    }
    for endpoint in [&first, &second] {
        endpoint.holder.open(caller.uid);
    }
    // If opening one fails, dropping it closes the other.
    let [first, second] = [first, second].map(|endpoint| UnixSocket { endpoint });
    Ok([socket_file::open(first, flags)?, socket_file::open(second, flags)?])
}

impl UnixSocket {
    /// Returns its kind: stream, sequenced packets or datagrams.
    fn kind(&self) -> Kind {
        self.endpoint.state.read().kind()
    }

    /// Binds the socket to `name`, by which `key` finds it.
    ///
    /// # Errors
    /// `EINVAL`: it has a name already. `EADDRINUSE`: another socket has this name.
    fn bind_to(&self, name: Name, key: SocketKey) -> Result<(), Errno> {
        let mut state = self.endpoint.state.lock();
        if state.name().is_some() {
            return Err(Errno::EINVAL);
        }
        names::insert(key.clone(), &self.endpoint)?;
        self.endpoint.key.call_once(|| key);
        state.bind(name)
    }

    /// Binds the socket to an unused name, unless it has one.
    ///
    /// # Errors
    /// As [`bind_to`](Self::bind_to), except that an unused name always exists.
    fn bind_any(&self) -> Result<(), Errno> {
        loop {
            let name = Name::chosen(names::next_number());
            match self.bind_to(name.clone(), SocketKey::Abstract(self.kind(), name)) {
                Err(Errno::EADDRINUSE) => {}
                Err(Errno::EINVAL) => return Ok(()),
                other => return other,
            }
        }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        self.endpoint.close(None);
    }
}

impl socket::Socket for UnixSocket {
    fn socket_type(&self) -> SocketType {
        let kind = match self.kind() {
            Kind::Stream => kind::SOCK_STREAM,
            Kind::SeqPacket => kind::SOCK_SEQPACKET,
            Kind::Datagram => kind::SOCK_DGRAM,
        };
        SocketType { family: family::AF_UNIX, kind, protocol: 0 }
    }

    fn state(&self) -> &dyn LockedState {
        self.locked()
    }

    /// Binds the socket to a name; for a path, it creates a file.
    ///
    /// `EINVAL`: not a name for a local socket, or it has one already. `EADDRINUSE`: the name is in use. Those of
    /// mknod(2).
    fn bind(&self, caller: &dyn SocketCaller, address: &RawAddress) -> Result<(), Errno> {
        match Given::parse(address.bytes())? {
            Given::Family => self.bind_any(),
            Given::Name(name @ Name::Abstract(_)) => {
                self.bind_to(name.clone(), SocketKey::Abstract(self.kind(), name))
            }
            Given::Name(Name::Path(path)) => {
                let file = caller.make_socket_file(&path)?;
                // The file would be useless.
                self.bind_to(Name::Path(path.clone()), SocketKey::File(file))
                    .inspect_err(|_| caller.remove_socket_file(&path))
            }
        }
    }

    fn connect<'a>(&'a self, caller: &dyn SocketCaller, address: &RawAddress) -> Result<Connect<'a>, Errno> {
        self.connect_to(caller, address)
    }

    fn listen(&self, backlog: i32, caller: Ucred) -> Result<(), Errno> {
        let mut state = self.endpoint.state.lock();
        state.listen(backlog, caller)?;
        // The longer backlog may have room for waiting sockets.
        state.raise(ROOM_FOR_OTHERS);
        Ok(())
    }

    fn accept(&self) -> Poll<Result<Box<dyn Accepted + '_>, Errno>> {
        let child = self.endpoint.state.lock().accept();
        child.map_ok(|child| {
            let taken: Box<dyn Accepted + '_> = Box::new(QueuedConnection::new(&self.endpoint, child));
            taken
        })
    }

    fn shut_down(&self, how: How) -> Result<(), Errno> {
        let changed = Events::READABLE | SEND_ROOM | Events::RDHUP | ROOM_FOR_OTHERS;
        let peer = {
            let mut state = self.endpoint.state.lock();
            let peer = state.shut_down(how);
            state.raise(changed);
            peer
        };
        if let Some(peer) = peer {
            let mut peer = peer.state.lock();
            peer.follow(how);
            peer.raise(changed);
        }
        Ok(())
    }

    fn local(&self) -> Address {
        let name = self.endpoint.state.read().name().cloned();
        encode(name.as_ref())
    }

    fn peer(&self) -> Result<Address, Errno> {
        let peer = self.endpoint.peer().ok_or(Errno::ENOTCONN)?;
        let name = peer.state.read().name().cloned();
        Ok(encode(name.as_ref()))
    }

    fn peer_credentials(&self) -> Option<Ucred> {
        self.endpoint.state.read().peer_credentials()
    }

    fn destination<'a>(
        &'a self,
        caller: &dyn SocketCaller,
        address: &RawAddress,
        flags: MessageFlags,
    ) -> Result<Option<Destination<'a>>, Errno> {
        match self.kind() {
            Kind::Stream if self.endpoint.peer().is_some() => Err(Errno::EISCONN),
            Kind::Stream => Err(Errno::EOPNOTSUPP),
            Kind::SeqPacket => Ok(None),
            Kind::Datagram if flags.contains(MessageFlags::OUT_OF_BAND) => Err(Errno::EOPNOTSUPP),
            Kind::Datagram => self.mailbox(caller, address).map(|to| Some(Destination::Mailbox(to))),
        }
    }

    fn receive(&self, to: &mut dyn Sink, taking: RecvMode) -> Poll<Result<Incoming, Errno>> {
        let mut own = self.endpoint.state.lock();
        let is_datagram = own.kind() == Kind::Datagram;
        let (had_room, was_full) =
            (own.has_room(Writer::Peer), is_datagram && !own.has_room(Writer::Stranger));
        let held = own.held();
        let result = own.receive(to, taking);
        // Each piece that leaves is an edge for its sender (`sock_wfree`), unless it still has too much here.
        let makes_room = own.held() < held && own.has_room(Writer::Peer);
        let peer = if makes_room { own.peer().cloned() } else { None };
        let is_full = was_full && !own.has_room(Writer::Stranger);
        drop(own);
        if let Some(peer) = peer
            && (!is_datagram || peer.sends_to(&self.endpoint))
        {
            if had_room { peer.state.notify(SEND_ROOM) } else { peer.announce_room() }
        }
        if was_full && !is_full {
            self.endpoint.notify_room();
        }
        result.map_ok(|taken| Incoming {
            count: taken.count,
            len: taken.len,
            from: taken.from.map(|name| encode(Some(&name))),
            rights: taken.rights,
        })
    }

    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>> {
        self.send_to(None, from, message)
    }

    fn update_options(&self, change: &mut dyn FnMut(&mut Options)) {
        let (limit, peer) = {
            let mut state = self.endpoint.state.lock();
            change(state.options_mut());
            (state.options().send_buffer, state.peer().cloned())
        };
        if let Some(peer) = peer.filter(|peer| peer.sends_to(&self.endpoint)) {
            let has_room = peer.state.lock().set_peer_limit(limit);
            self.endpoint.state.lock().set_peer_has_room(has_room);
        }
    }
}
