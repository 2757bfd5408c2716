//! TCP sockets as files.
//!
//! Owns: the calls that change ports, tuples and the state at once.   Not here: sleeping (`pollee::wait`),
//! `O_NONBLOCK` and addresses in user memory (`net/syscall/socket`).
//! Why: decision 0098.
//! Source: socket(7), tcp(7), ip(7); Linux 6.1 net/ipv4/af_inet.c, inet_connection_sock.c, inet_hashtables.c.

mod connect;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::task::Poll;
use core::time::Duration;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::ioctl::{SIOCGSTAMP, SIOCGSTAMPNS, SIOCOUTQ};
use rules::abi::open::OpenFlags;
use rules::abi::stat::Stat;
use rules::net::abi::socket::{How, IPPROTO_IP, IPPROTO_TCP, MessageFlags, TcpInfo, Ucred, family, kind};
use rules::net::socket::Options;
use rules::net::tcp::connection::{Pace, RecvMode};
use rules::net::tcp::segment;
use rules::net::tcp::socket::TcpSocketState;

use super::address::{Address, InetAddress, RawAddress};
use super::endpoint::{self, Endpoint};
use super::file::{LockedState, Protocol, SocketState};
use super::option::{self, OptionInput, OptionOutput};
use super::socket::{Accepted, Connect, Incoming, Outgoing, SocketCaller, SocketType};
use super::{demux, file, ports, route};
use crate::core::event;
use crate::core::file::description::OpenFile;
use crate::core::file::traits::WriteExtent;
use crate::machine::clock;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::transfer::{Sink, Source};
use crate::machine::memory::user::UserPtr;

/// An open TCP socket.
pub(crate) struct TcpSocket {
    endpoint: Arc<Endpoint>,
}

/// Makes a socket of the user `uid`.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno> {
    open(Endpoint::new(TcpSocketState::new(), None), flags, uid)
}

fn open(endpoint: Arc<Endpoint>, flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno> {
    endpoint.holder.open(uid);
    file::open(TcpSocket { endpoint }, flags)
}

/// A connection taken from a backlog. Dropped without [`open`](Self::open), it goes back to its place.
#[must_use]
struct PendingAccept<'a> {
    listener: &'a TcpSocket,
    child: Option<Arc<Endpoint>>,
}

impl TcpSocket {
    /// Binds the socket to an address; port 0 stands for any free port.
    ///
    /// # Errors
    /// Nothing changed. `EINVAL`: it is bound. `EADDRNOTAVAIL`: no address of this machine. `EADDRINUSE`: another
    /// socket has it.
    fn bind_to(&self, address: SocketAddrV4) -> Result<(), Errno> {
        let ip = *address.ip();
        // As on Linux, a multicast or broadcast address can be bound, although no host can connect to it.
        let is_one = segment::is_unicast(ip);
        if is_one && !route::is_local(ip) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let mut state = self.endpoint.state.lock();
        state.require_unbound()?;
        self.bind_locked(&mut state, address)
    }

    fn bind_locked(
        &self,
        state: &mut TcpSocketState<Arc<Endpoint>>,
        address: SocketAddrV4,
    ) -> Result<(), Errno> {
        let sharing = endpoint::sharing(state.options());
        let mut ports = ports::lock();
        let port = if address.port() == 0 {
            ports.bind_any(self.endpoint.owner, *address.ip(), sharing, ports::next())?
        } else {
            ports.bind(self.endpoint.owner, address, sharing)?;
            address.port()
        };
        drop(ports);
        state.bind(SocketAddrV4::new(*address.ip(), port));
        Ok(())
    }

    /// Returns the value of `TCP_INFO`.
    pub(crate) fn info(&self) -> TcpInfo {
        self.endpoint.state.read().info()
    }

    /// Returns the most bytes that a segment carries.
    pub(crate) fn segment_len(&self) -> usize {
        self.endpoint.state.read().segment_len()
    }

    /// Returns how many bytes the peer has not acknowledged.
    ///
    /// # Errors
    /// `EINVAL`: it listens.
    pub(crate) fn queued(&self) -> Result<usize, Errno> {
        self.endpoint.state.read().queued()
    }

    /// Stops listening, and resets the connections of the backlog.
    fn stop_listening(&self) {
        let mut state = self.endpoint.state.lock();
        if !state.is_listening() {
            return;
        }
        if let Some(port) = state.bound_port() {
            ports::lock().unlisten(self.endpoint.owner, port);
        }
        let requests = state.listener().map(|listener| listener.requests().clear());
        requests.iter().flatten().for_each(|tuple| demux::withdraw(tuple, &self.endpoint));
        let listener = state.disconnect();
        drop(state);
        for child in listener.into_iter().flat_map(rules::net::tcp::listener::Listener::into_waiting) {
            child.reset();
        }
    }
}

impl Accepted for PendingAccept<'_> {
    fn peer(&self) -> Result<Address, Errno> {
        let tuple = self.child.as_ref().and_then(|child| child.state.read().tuple());
        tuple.map(|tuple| Address::Inet(tuple.remote)).ok_or(Errno::ECONNABORTED)
    }

    fn open(mut self: Box<Self>, flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno> {
        let child = self.child.take().ok_or(Errno::ECONNABORTED)?;
        open(child, flags, uid)
    }
}

impl Drop for PendingAccept<'_> {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        let mut state = self.listener.endpoint.state.lock();
        match state.listener() {
            Some(listener) => listener.restore(child),
            None => {
                drop(state);
                child.reset();
            }
        }
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        self.endpoint.holder.close();
        self.stop_listening();
        let port = self.endpoint.change(|socket| {
            socket.close(clock::now());
            socket.bound_port()
        });
        if let Some(port) = port {
            ports::lock().release(self.endpoint.owner, port);
        }
    }
}

impl super::socket::Socket for TcpSocket {
    fn socket_type(&self) -> SocketType {
        SocketType { family: family::AF_INET, kind: kind::SOCK_STREAM, protocol: IPPROTO_TCP }
    }

    fn state(&self) -> &dyn LockedState {
        self.locked()
    }

    fn bind(&self, caller: &dyn SocketCaller, address: &RawAddress) -> Result<(), Errno> {
        self.bind_to(address.for_bind(caller)?)
    }

    fn connect<'a>(&'a self, _: &dyn SocketCaller, address: &RawAddress) -> Result<Connect<'a>, Errno> {
        match address.inet()? {
            InetAddress::Inet(remote) => self.connect_to(remote).map(Connect::Handshake),
            InetAddress::Foreign => Err(Errno::EAFNOSUPPORT),
            InetAddress::Unspecified(_) => {
                self.disconnect();
                Ok(Connect::Done)
            }
        }
    }

    fn connecting(&self) -> Poll<Result<(), Errno>> {
        let mut state = self.endpoint.state.lock();
        let result = state.connecting();
        if let Poll::Ready(Err(_)) = result {
            // A socket without a connection is left (`tcp_disconnect`).
            state.raise(Events::ERR);
        }
        result
    }

    /// `EINVAL`: it is connected. `EADDRINUSE`: another socket listens there, or no port is free.
    fn listen(&self, backlog: i32, _: Ucred) -> Result<(), Errno> {
        let mut state = self.endpoint.state.lock();
        state.require_listenable()?;
        if !state.is_listening() {
            if state.bound_port().is_none() {
                self.bind_locked(&mut state, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
            }
            let local = state.local().ok_or(Errno::EINVAL)?;
            ports::lock().listen(self.endpoint.owner, local, Arc::downgrade(&self.endpoint))?;
        }
        state.listen(backlog);
        Ok(())
    }

    fn accept(&self) -> Poll<Result<Box<dyn Accepted + '_>, Errno>> {
        let child = self.endpoint.state.lock().accept();
        child.map_ok(|child| {
            let pending: Box<dyn Accepted + '_> =
                Box::new(PendingAccept { listener: self, child: Some(child) });
            pending
        })
    }

    fn shut_down(&self, how: How) -> Result<(), Errno> {
        let (is_listening, is_opening) = {
            let state = self.endpoint.state.read();
            let is_listening = state.is_listening();
            (is_listening, !is_listening && state.state().is_opening())
        };
        let mut result = Ok(());
        if !is_listening && !is_opening {
            result = self.endpoint.change(|socket| socket.shut_down(how));
        } else if how.reads() || is_opening {
            self.disconnect();
        }
        // As on Linux, all watchers are notified, even after an error.
        self.endpoint.state.lock().raise(Events::all());
        result
    }

    /// All zero if it is not bound.
    fn local(&self) -> Address {
        let none = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        Address::Inet(self.endpoint.state.read().local().unwrap_or(none))
    }

    fn peer(&self) -> Result<Address, Errno> {
        self.endpoint.state.read().peer().map(Address::Inet)
    }

    fn receive(&self, to: &mut dyn Sink, taking: RecvMode) -> Poll<Result<Incoming, Errno>> {
        self.endpoint.consume(|socket| socket.receive(to, taking)).map_ok(Incoming::bytes)
    }

    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>> {
        let pace = if message.flags.contains(MessageFlags::MORE) { Pace::Hold } else { Pace::Send };
        let mut total = 0;
        let mut result = self.endpoint.change(|socket| socket.send(from, pace));
        // The peer may have taken bytes at once, which makes room. Filling it here saves queueing and copying.
        while let Poll::Ready(Ok(count @ 1..)) = result {
            total += count;
            if from.remaining() == 0 {
                break;
            }
            result = self.endpoint.change(|socket| socket.send_more(from, pace));
        }
        if total > 0 { Poll::Ready(Ok(total)) } else { result }
    }

    fn update_options(&self, change: &mut dyn FnMut(&mut Options)) {
        self.endpoint.change(|socket| socket.update_options(|options| change(options)));
    }

    fn set_low_water(&self, bytes: usize) {
        self.update_options(&mut |options| options.low_water = bytes);
        // Watchers are notified of the bytes again (`tcp_set_rcvlowat`).
        let mut state = self.endpoint.state.lock();
        if state.connection().is_some_and(|connection| connection.has_enough()) {
            state.raise(Events::READABLE);
        }
    }

    fn option(&self, level: u32, name: u32, output: &OptionOutput<'_>) -> Result<(), Errno> {
        match level {
            IPPROTO_TCP => option::tcp::get(self, name, output),
            IPPROTO_IP => option::ip::get(self, name, output),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    fn set_option(&self, level: u32, name: u32, input: &OptionInput<'_>) -> Result<(), Errno> {
        match level {
            IPPROTO_TCP => option::tcp::set(self, name, input),
            IPPROTO_IP => option::ip::set(self, name, input),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }
}

impl SocketState for TcpSocketState<Arc<Endpoint>> {
    fn options(&self) -> &Options {
        self.options()
    }

    fn take_error(&mut self) -> Option<Errno> {
        self.take_error()
    }

    fn put_error(&mut self, error: Errno) {
        self.put_error(error);
    }

    fn is_listening(&self) -> bool {
        self.is_listening()
    }

    /// Fewer bytes than `SO_RCVLOWAT` can be read, but do not make the socket readable.
    fn reads_when_readable(&self) -> bool {
        self.options().low_water <= 1 && !self.is_listening()
    }

    fn unread(&self) -> Result<usize, Errno> {
        self.unread()
    }
}

impl Protocol for TcpSocket {
    type State = TcpSocketState<Arc<Endpoint>>;

    fn locked(&self) -> &event::Locked<Self::State> {
        &self.endpoint.state
    }

    fn stat(&self) -> Stat {
        self.endpoint.holder.stat(self.endpoint.inode())
    }

    fn write_extent(&self) -> WriteExtent {
        WriteExtent::All
    }

    fn read(&self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        self.endpoint.consume(|socket| socket.receive(to, RecvMode::Consume))
    }

    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        match request {
            SIOCOUTQ => {}
            // The timestamp of the last packet, which a stream does not have.
            SIOCGSTAMP | SIOCGSTAMPNS => return Poll::Ready(Err(Errno::ENOENT)),
            _ => return Poll::Ready(Err(Errno::ENOTTY)),
        }
        let queued = self.queued().map(|queued| u32::try_from(queued).unwrap_or(u32::MAX));
        Poll::Ready(queued.and_then(|queued| UserPtr::new(space, argument).write(&queued)).map(|()| 0))
    }

    fn begin_lingering(&self) -> Option<Duration> {
        self.endpoint.change(TcpSocketState::begin_lingering)
    }

    fn is_flushed(&self) -> bool {
        self.endpoint.state.read().is_flushed()
    }
}
