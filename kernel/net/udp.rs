//! UDP sockets as files.
//!
//! Owns: the calls that change ports and the state at once.   Not here: the path of a datagram (`stack`).
//! Locks: a socket's (rank 3), and under it that of the ports (rank 4). No packet is sent and no thread woken under
//! either.
//! Source: udp(7), ip(7); Linux 6.1 net/ipv4/udp.c, net/ipv4/datagram.c.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::ioctl::SIOCOUTQ;
use rules::abi::open::OpenFlags;
use rules::abi::stat::Stat;
use rules::machine::fallible;
use rules::net::abi::socket::{How, IPPROTO_IP, IPPROTO_UDP, MessageFlags, family, kind};
use rules::net::socket::{Options, SEND_ROOM};
use rules::net::tcp::connection::RecvMode;
use rules::net::tcp::packet::{Packet, PacketBatch};
use rules::net::tcp::port::Owner;
use rules::net::udp::datagram::{self, Arrival};
use rules::net::udp::port::UdpPorts;
use rules::net::udp::socket::UdpSocketState;

use super::address::{Address, InetAddress, RawAddress};
use super::counters::{Counted, Kind};
use super::file::{LockedState, Protocol, SocketState};
use super::holder::Holder;
use super::option::{self, OptionInput, OptionOutput};
use super::socket::{Addressee, Connect, Destination, Incoming, Outgoing, SocketCaller, SocketType};
use super::{endpoint, file, ports, route, stack};
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::event::rank::{Rank, Ranked};
use crate::core::file::description::OpenFile;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::transfer::{Sink, Source};
use crate::machine::memory::user::UserPtr;

/// An open UDP socket.
pub(crate) struct UdpSocket {
    endpoint: Arc<UdpEndpoint>,
}

/// The state of a UDP socket, which received datagrams find.
struct UdpEndpoint {
    state: event::Locked<UdpSocketState>,
    owner: Owner,
    holder: Holder,
    _counted: Counted,
}

static PORTS: Ranked<UdpPorts<Weak<UdpEndpoint>>> = Ranked::new(Rank::Interface, UdpPorts::new());

/// Makes a socket of the user `uid`.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno> {
    let state = event::Locked::new(Class::Socket, UdpSocketState::new());
    let (holder, counted) = (Holder::new(uid), Counted::new(Kind::Udp));
    let endpoint = UdpEndpoint { state, owner: ports::new_owner(), holder, _counted: counted };
    file::open(UdpSocket { endpoint: Arc::new(endpoint) }, flags)
}

/// Receives a packet that is no TCP segment; answers go to `out`.
pub(crate) fn receive(packet: &Packet, out: &mut PacketBatch) {
    match datagram::parse(packet.ip()) {
        None => {}
        Some(Arrival::Datagram(datagram)) => match find(datagram.from, datagram.to) {
            None => out.extend(datagram::refuse(packet.ip())),
            Some(endpoint) => {
                let mut state = endpoint.state.lock();
                if state.push(datagram.from, datagram.bytes) {
                    state.raise(Events::READABLE);
                }
            }
        },
        Some(Arrival::Failure(from, to, error)) => {
            // The sender of the failed datagram gets the error.
            let Some(endpoint) = find(to, from) else { return };
            let mut state = endpoint.state.lock();
            if state.fail(to, error) {
                state.raise(Events::ERR);
            }
        }
    }
}

impl UdpEndpoint {
    const fn inode(&self) -> u64 {
        self.owner.0 + 1
    }
}

/// A socket's line of `/proc/net/udp`.
pub(crate) struct UdpEntry {
    /// The local address.
    pub(crate) local: SocketAddrV4,
    /// The address of the peer.
    pub(crate) remote: Option<SocketAddrV4>,
    /// Bytes of memory that received datagrams take.
    pub(crate) held: usize,
    /// Datagrams that were dropped here.
    pub(crate) lost: u64,
    /// The user who has it open.
    pub(crate) uid: u32,
    /// Its inode.
    pub(crate) inode: u64,
}

/// Returns all sockets with a port, by port.
///
/// # Errors
/// `ENOMEM`: there are too many.
pub(crate) fn all() -> Result<impl Iterator<Item = UdpEntry>, Errno> {
    let expected = PORTS.lock().sockets().count();
    let mut all = Vec::new();
    fallible::reserve(&mut all, expected)?;
    // The lock forbids allocating.
    all.extend(PORTS.lock().sockets().take(expected).cloned());
    let entry = |endpoint: Arc<UdpEndpoint>| {
        let state = endpoint.state.read();
        UdpEntry {
            local: state.local(),
            remote: state.remote(),
            held: state.held(),
            lost: state.lost(),
            uid: endpoint.holder.uid().unwrap_or(0),
            inode: endpoint.inode(),
        }
    };
    Ok(all.into_iter().filter_map(|endpoint: Weak<UdpEndpoint>| endpoint.upgrade()).map(entry))
}

fn find(from: SocketAddrV4, to: SocketAddrV4) -> Option<Arc<UdpEndpoint>> {
    let found = PORTS.lock().find(from, to).cloned();
    found?.upgrade()
}

impl UdpSocket {
    /// Binds the socket to an address; port 0 stands for any free port.
    ///
    /// # Errors
    /// Nothing changed. `EINVAL`: it is bound. `EADDRNOTAVAIL`: no address of this machine. `EADDRINUSE`: another
    /// socket has it.
    fn bind_to(&self, address: SocketAddrV4) -> Result<(), Errno> {
        let ip = *address.ip();
        let is_group = ip.is_multicast() || ip.is_broadcast();
        if !ip.is_unspecified() && !is_group && !route::is_local(ip) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let mut state = self.endpoint.state.lock();
        if state.local().port() != 0 {
            return Err(Errno::EINVAL);
        }
        let local = self.reserve(&state, address)?;
        state.bind(local, address);
        Ok(())
    }

    /// Reserves `address`, or a free port if its port is 0.
    fn reserve(&self, state: &UdpSocketState, address: SocketAddrV4) -> Result<SocketAddrV4, Errno> {
        let sharing = endpoint::sharing(state.options());
        let found_by = Arc::downgrade(&self.endpoint);
        let port = PORTS.lock().bind(self.endpoint.owner, address, sharing, ports::next(), found_by)?;
        Ok(SocketAddrV4::new(*address.ip(), port))
    }

    /// Binds the socket to a free port if it has none; returns its address.
    fn ensure_bound(&self, state: &mut UdpSocketState) -> Result<SocketAddrV4, Errno> {
        if state.local().port() == 0 {
            let local = self.reserve(state, state.local()).map_err(|_| Errno::EAGAIN)?;
            state.bind_any(local);
        }
        Ok(state.local())
    }

    /// Connects the socket: it receives only from `remote`, and sends to it.
    ///
    /// # Errors
    /// `ENETUNREACH`: there is no route. `EINVAL`: none from its own address. `EAGAIN`: no port is free.
    fn connect_to(&self, remote: SocketAddrV4) -> Result<(), Errno> {
        let remote = or_loopback(remote);
        let source = route::source_for(*remote.ip())?;
        let mut state = self.endpoint.state.lock();
        let local = self.ensure_bound(&mut state)?;
        let ip = if local.ip().is_unspecified() { source } else { *local.ip() };
        route::check(ip, *remote.ip())?;
        let local = SocketAddrV4::new(ip, local.port());
        PORTS.lock().connect(self.endpoint.owner, local, Some(remote));
        state.connect(local, remote);
        Ok(())
    }

    /// Disconnects the socket: connect(2) with `AF_UNSPEC`.
    fn disconnect(&self) {
        let mut state = self.endpoint.state.lock();
        let before = state.local();
        state.disconnect();
        let mut ports = PORTS.lock();
        if state.local().port() == 0 {
            ports.release(self.endpoint.owner, before.port());
        } else {
            ports.connect(self.endpoint.owner, state.local(), None);
        }
    }
}

/// Replaces address 0 by the loopback's.
fn or_loopback(to: SocketAddrV4) -> SocketAddrV4 {
    let ip = if to.ip().is_unspecified() { Ipv4Addr::LOCALHOST } else { *to.ip() };
    SocketAddrV4::new(ip, to.port())
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        let port = self.endpoint.state.read().local().port();
        PORTS.lock().release(self.endpoint.owner, port);
    }
}

impl super::socket::Socket for UdpSocket {
    fn socket_type(&self) -> SocketType {
        SocketType { family: family::AF_INET, kind: kind::SOCK_DGRAM, protocol: IPPROTO_UDP }
    }

    fn state(&self) -> &dyn LockedState {
        self.locked()
    }

    fn bind(&self, caller: &dyn SocketCaller, address: &RawAddress) -> Result<(), Errno> {
        self.bind_to(address.for_bind(caller)?)
    }

    fn connect<'a>(&'a self, _: &dyn SocketCaller, address: &RawAddress) -> Result<Connect<'a>, Errno> {
        match address.inet()? {
            InetAddress::Inet(remote) => self.connect_to(remote)?,
            InetAddress::Foreign => return Err(Errno::EAFNOSUPPORT),
            InetAddress::Unspecified(_) => self.disconnect(),
        }
        Ok(Connect::Done)
    }

    fn shut_down(&self, how: How) -> Result<(), Errno> {
        self.endpoint.state.lock().shut_down(how)
    }

    fn local(&self) -> Address {
        Address::Inet(self.endpoint.state.read().local())
    }

    fn peer(&self) -> Result<Address, Errno> {
        self.endpoint.state.read().remote().map(Address::Inet).ok_or(Errno::ENOTCONN)
    }

    fn destination<'a>(
        &'a self,
        _: &dyn SocketCaller,
        address: &RawAddress,
        _: MessageFlags,
    ) -> Result<Option<Destination<'a>>, Errno> {
        address.for_datagram().map(|to| Some(Destination::Address(Addressee::Inet(to))))
    }

    fn receive(&self, to: &mut dyn Sink, taking: RecvMode) -> Poll<Result<Incoming, Errno>> {
        let taken = self.endpoint.state.lock().receive(to, taking);
        taken.map_ok(|taken| Incoming {
            count: taken.count,
            len: taken.len,
            from: taken.from.map(Address::Inet),
            ..Incoming::default()
        })
    }

    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>> {
        let count = from.remaining();
        if count > datagram::MOST {
            return Poll::Ready(Err(Errno::EMSGSIZE));
        }
        let (local, to) = {
            let given = match message.to {
                Some(Addressee::Inet(to)) => Some(to),
                _ => None,
            };
            let mut state = self.endpoint.state.lock();
            let to = or_loopback(state.destination(given)?);
            (self.ensure_bound(&mut state)?, to)
        };
        if to.ip().is_broadcast() {
            return Poll::Ready(Err(Errno::EACCES));
        }
        let way = route::to(*to.ip())?.link.path();
        let source = if local.ip().is_unspecified() { route::source_for(*to.ip())? } else { *local.ip() };
        route::check(source, *to.ip())?;
        let packet = datagram::make(SocketAddrV4::new(source, local.port()), to, from, way)?;
        let mut packets = PacketBatch::new();
        packets.push(packet);
        // The packet leaves the socket's buffer before it arrives anywhere (`loopback_xmit`, `sock_wfree`).
        self.endpoint.state.notify(SEND_ROOM);
        stack::send(packets);
        Poll::Ready(Ok(count))
    }

    fn update_options(&self, change: &mut dyn FnMut(&mut Options)) {
        let mut state = self.endpoint.state.lock();
        change(state.options_mut());
        let sharing = endpoint::sharing(state.options());
        PORTS.lock().share(self.endpoint.owner, state.local().port(), sharing);
    }

    fn option(&self, level: u32, name: u32, output: &OptionOutput<'_>) -> Result<(), Errno> {
        if level == IPPROTO_IP { option::ip::get(self, name, output) } else { Err(Errno::EOPNOTSUPP) }
    }

    fn set_option(&self, level: u32, name: u32, input: &OptionInput<'_>) -> Result<(), Errno> {
        if level == IPPROTO_IP { option::ip::set(self, name, input) } else { Err(Errno::ENOPROTOOPT) }
    }
}

impl SocketState for UdpSocketState {
    fn options(&self) -> &Options {
        self.options()
    }

    fn take_error(&mut self) -> Option<Errno> {
        self.take_error()
    }

    fn put_error(&mut self, error: Errno) {
        self.put_error(error);
    }

    fn unread(&self) -> Result<usize, Errno> {
        Ok(self.unread())
    }
}

impl Protocol for UdpSocket {
    type State = UdpSocketState;

    fn locked(&self) -> &event::Locked<UdpSocketState> {
        &self.endpoint.state
    }

    fn stat(&self) -> Stat {
        self.endpoint.holder.stat(self.endpoint.inode())
    }

    /// `SIOCOUTQ` is 0: a datagram is sent at once.
    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        if request != SIOCOUTQ {
            return Poll::Ready(Err(Errno::ENOTTY));
        }
        Poll::Ready(UserPtr::new(space, argument).write(&0_u32).map(|()| 0))
    }
}
