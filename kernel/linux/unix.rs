//! Local sockets: pairs, and streams, sequences of messages and datagrams by name.
//!
//! Owns: what calls mean that touch both ends.   Not here: the states of one end (`rules::linux::unix`), paths (syscall/bind),
//! who hears of room for datagrams (`datagram`).
//! Each end has a lock of its own (rank 3); no thread holds two. What lies in a queue is dropped when none is held.
//! Descriptors travel with bytes, except those of local sockets (`ETOOMANYREFS`): so a queue never keeps itself alive.
//! Source: unix(7), socketpair(2); Linux 6.1 net/unix/af_unix.c.

pub(crate) mod datagram;
pub(crate) mod endpoint;
mod file;
pub(crate) mod names;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::linux::unix::name::Name;
use rules::linux::unix::queue::Piece;
use rules::linux::unix::socket::{DEFAULT_BUFFER, Kind, Writer};
use rules::net::abi::socket::{How, Ucred, family, kind};
use rules::net::socket::Options;
use rules::net::tcp::connection::Taking;

pub(crate) use self::endpoint::Endpoint;
pub(crate) use self::endpoint::all;
use self::names::Key;
use crate::core::event;
use crate::core::file::description::OpenFile;
use crate::machine::memory::budget;
use crate::machine::memory::transfer::{Sink, Source};
use crate::net::socket::{Accepted, Address, Destination, Incoming, Nature, Outgoing};

/// Bytes that travel in one piece.
const PIECE: usize = 32 << 10;

/// What Linux adds to a message for its own needs.
const MESSAGE_OVERHEAD: usize = 32;

/// A local socket that somebody has open.
pub(crate) struct UnixSocket {
    endpoint: Arc<Endpoint>,
}

fn open(endpoint: Arc<Endpoint>, flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno> {
    endpoint.holder.open(uid);
    let socket = UnixSocket { endpoint };
    OpenFile::new(Arc::new(socket), AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
}

/// Makes a socket of the user `uid`. Of `flags` only `O_NONBLOCK` means something.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(kind: Kind, flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno> {
    open(Endpoint::new(kind), flags, uid)
}

/// Makes two sockets that are connected with each other, by `caller`.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
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
    // If one cannot be opened, its drop ends the other.
    let [first, second] = [first, second].map(|endpoint| UnixSocket { endpoint });
    let open = |socket| OpenFile::new(Arc::new(socket), AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK);
    Ok([open(first)?, open(second)?])
}

/// The listener that `key` leads to.
///
/// # Errors
/// `ECONNREFUSED`: nobody has that name any more.
pub(crate) fn find(key: &Key) -> Result<Arc<Endpoint>, Errno> {
    names::find(key).ok_or(Errno::ECONNREFUSED)
}

/// What `endpoint` carries.
pub(crate) fn kind(endpoint: &Endpoint) -> Kind {
    endpoint.state.read().kind()
}

/// What to wait on for room in a backlog, or for a datagram: [`Events::WRITABLE`].
pub(crate) fn room(endpoint: &Endpoint) -> &event::Watch {
    &endpoint.state
}

impl UnixSocket {
    /// What it carries.
    pub(crate) fn kind(&self) -> Kind {
        self.endpoint.state.read().kind()
    }

    /// Gives it `name`, by which `key` finds it.
    ///
    /// # Errors
    /// `EINVAL`: it has a name. `EADDRINUSE`: somebody else has it.
    pub(crate) fn bind(&self, name: Name, key: Key) -> Result<(), Errno> {
        let mut state = self.endpoint.state.lock();
        if state.name().is_some() {
            return Err(Errno::EINVAL);
        }
        names::insert(key.clone(), &self.endpoint)?;
        self.endpoint.key.call_once(|| key);
        state.bind(name)
    }

    /// Gives it a name that nobody has, unless it has one.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), but that there always is a name.
    pub(crate) fn bind_any(&self) -> Result<(), Errno> {
        loop {
            let name = Name::chosen(names::next_number());
            match self.bind(name.clone(), Key::Abstract(self.kind(), name)) {
                Err(Errno::EADDRINUSE) => {}
                Err(Errno::EINVAL) => return Ok(()),
                other => return other,
            }
        }
    }

    /// Connects with whom `listener` will accept. `Pending`: its backlog is full; see [`room`].
    ///
    /// # Errors
    /// `EPROTOTYPE`: the listener carries something else. `ECONNREFUSED`: it does not listen. `EISCONN`: the socket is
    /// connected. `EINVAL`: it listens.
    pub(crate) fn connect(&self, listener: &Arc<Endpoint>, caller: Ucred) -> Poll<Result<(), Errno>> {
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
                // It has no name yet.
                let _ = state.bind(name);
            }
        }
        let is_listening = {
            let mut state = listener.state.lock();
            let is_listening = state.complete(child.clone());
            state.report(Events::READABLE);
            is_listening
        };
        if !is_listening {
            child.close(Some(Errno::ECONNRESET));
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        self.endpoint.close(None);
    }
}

/// A connection taken from a backlog.
#[must_use]
struct Taken<'a> {
    listener: &'a Endpoint,
    child: Option<Arc<Endpoint>>,
}

impl Accepted for Taken<'_> {
    fn peer(&self) -> Result<Address, Errno> {
        let peer = self.child.as_ref().and_then(|child| child.peer());
        Ok(Address::Unix(peer.and_then(|peer| peer.state.read().name().cloned())))
    }

    fn open(mut self: Box<Self>, flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno> {
        let child = self.child.take().ok_or(Errno::ECONNABORTED)?;
        self.listener.state.lock().report(Events::WRITABLE);
        open(child, flags, uid)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        let restored = self.listener.state.lock().restore(child);
        if let Err(child) = restored {
            child.close(Some(Errno::ECONNRESET));
        }
    }
}

impl crate::net::socket::Socket for UnixSocket {
    fn nature(&self) -> Nature {
        let kind = match self.kind() {
            Kind::Stream => kind::SOCK_STREAM,
            Kind::SeqPacket => kind::SOCK_SEQPACKET,
            Kind::Datagram => kind::SOCK_DGRAM,
        };
        Nature { family: family::AF_UNIX, kind, protocol: 0 }
    }

    fn listen(&self, backlog: i32, caller: Ucred) -> Result<(), Errno> {
        let mut state = self.endpoint.state.lock();
        state.listen(backlog, caller)?;
        // There may be room for more who wait.
        state.report(Events::WRITABLE);
        Ok(())
    }

    fn accept(&self) -> Poll<Result<Box<dyn Accepted + '_>, Errno>> {
        let child = self.endpoint.state.lock().accept();
        child.map_ok(|child| {
            let taken: Box<dyn Accepted + '_> =
                Box::new(Taken { listener: &self.endpoint, child: Some(child) });
            taken
        })
    }

    fn is_listening(&self) -> bool {
        self.endpoint.state.read().is_listening()
    }

    fn shut_down(&self, how: How) -> Result<(), Errno> {
        let changed = Events::READABLE | Events::WRITABLE | Events::RDHUP;
        let peer = {
            let mut state = self.endpoint.state.lock();
            let peer = state.shut_down(how);
            state.report(changed);
            peer
        };
        if let Some(peer) = peer {
            let mut peer = peer.state.lock();
            peer.follow(how);
            peer.report(changed);
        }
        Ok(())
    }

    fn local(&self) -> Address {
        Address::Unix(self.endpoint.state.read().name().cloned())
    }

    fn peer(&self) -> Result<Address, Errno> {
        let peer = self.endpoint.peer().ok_or(Errno::ENOTCONN)?;
        let name = peer.state.read().name().cloned();
        Ok(Address::Unix(name))
    }

    fn peer_credentials(&self) -> Option<Ucred> {
        self.endpoint.state.read().peer_credentials()
    }

    fn receive(&self, to: &mut dyn Sink, taking: Taking) -> Poll<Result<Incoming, Errno>> {
        let mut own = self.endpoint.state.lock();
        let is_datagram = own.kind() == Kind::Datagram;
        let (had_room, was_full) =
            (own.has_room(Writer::Peer), is_datagram && !own.has_room(Writer::Stranger));
        let result = own.receive(to, taking);
        let makes_room = !had_room && own.has_room(Writer::Peer);
        let peer = if makes_room { own.peer().cloned() } else { None };
        let is_full = was_full && !own.has_room(Writer::Stranger);
        drop(own);
        if let Some(peer) = peer
            && (!is_datagram || peer.sends_to(&self.endpoint))
        {
            peer.announce_room();
        }
        if was_full && !is_full {
            self.endpoint.tell_of_room();
        }
        result.map_ok(|taken| Incoming {
            count: taken.count,
            len: taken.len,
            from: taken.from.map(|name| Address::Unix(Some(name))),
            rights: taken.rights,
        })
    }

    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>> {
        let (kind, other, limit, from_name) = {
            let mut own = self.endpoint.state.lock();
            let kind = own.kind();
            let name = if kind == Kind::Datagram { own.name().cloned() } else { None };
            match &message.to {
                Some(Destination::Local(to)) => (kind, to.clone(), own.write_elsewhere()?, name),
                _ => {
                    let (other, limit) = own.write_to()?;
                    (kind, other.clone(), limit, name)
                }
            }
        };
        let count = from.remaining();
        if kind != Kind::Stream && count > limit.saturating_sub(MESSAGE_OVERHEAD) {
            return Poll::Ready(Err(Errno::EMSGSIZE));
        }
        let writer = if kind == Kind::Datagram { other.writer(&self.endpoint)? } else { Writer::Peer };
        let may_take = other.state.read().may_take(writer);
        match may_take {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(self.refused(&other, error))),
            Poll::Pending => {
                if self.endpoint.sends_to(&other) {
                    self.endpoint.note_room(&other, writer);
                }
                return Poll::Pending;
            }
        }
        let count = if kind == Kind::Stream { count.min(PIECE) } else { count };
        if kind == Kind::Stream && count == 0 {
            return Poll::Ready(Ok(0));
        }
        budget::try_reserve(count)?;
        let mut bytes = alloc::vec![0; count];
        let taken = from.take(&mut bytes);
        if taken < count && (taken == 0 || kind != Kind::Stream) {
            return Poll::Ready(Err(Errno::EFAULT));
        }
        bytes.truncate(taken);
        let mut state = other.state.lock();
        if let Poll::Ready(Err(error)) = state.may_take(writer) {
            drop(state);
            return Poll::Ready(Err(self.refused(&other, error)));
        }
        state.push(Piece { bytes, rights: core::mem::take(&mut message.rights), from: from_name });
        state.report(Events::READABLE);
        let is_full = !state.has_room(writer);
        drop(state);
        match writer {
            Writer::Peer if is_full => self.endpoint.note_room(&other, writer),
            Writer::Stranger if is_full => other.tell_clients(),
            _ => {}
        }
        Poll::Ready(Ok(taken))
    }

    fn take_error(&self) -> Option<Errno> {
        self.endpoint.state.lock().take_error()
    }

    fn put_error(&self, error: Errno) {
        self.endpoint.state.lock().put_error(error);
    }

    fn options(&self) -> Options {
        self.endpoint.state.read().options().clone()
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

impl UnixSocket {
    /// A write that `other` did not take. A datagram socket that is connected with it forgets it then.
    fn refused(&self, other: &Endpoint, error: Errno) -> Errno {
        if error == Errno::ECONNREFUSED && self.endpoint.sends_to(other) {
            let unread = self.endpoint.state.lock().disconnect();
            drop(unread);
            self.endpoint.tell_of_room();
        }
        error
    }
}
