//! Netlink sockets as files.
//!
//! Requests are made with the rights of the socket's creator, not of the writer.
//! Lock: a socket's (rank 3), and under it that of the port numbers (rank 4).
//! Why: decision 0094.
//! Source: netlink(7); Linux 6.1 net/netlink/af_netlink.c.

mod option;

use alloc::sync::Arc;
use core::task::Poll;

use ostd_pod::{FromBytes, IntoBytes};
use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::abi::stat::Stat;
use rules::linux::netlink::dump::Facts;
use rules::linux::netlink::port::PortIds;
use rules::linux::netlink::request::Privilege;
use rules::linux::netlink::socket::NetlinkSocketState;
use rules::machine::fallible;
use rules::net::abi::socket::{How, MessageFlags, NETLINK_ROUTE, SockAddrNl, Ucred, family};
use rules::net::socket::Options;
use rules::net::tcp::connection::RecvMode;

use crate::core::event;
use crate::core::event::class::Class;
use crate::core::event::rank::{Rank, Ranked};
use crate::core::file::description::OpenFile;
use crate::core::syscall::caller::Right;
use crate::machine::memory::transfer::{Sink, Source};
use crate::machine::random;
use crate::net::address::{Address, RawAddress};
use crate::net::counters::{Counted, Kind};
use crate::net::file::{LockedState, Protocol, SocketState};
use crate::net::holder::Holder;
use crate::net::option::{OptionInput, OptionOutput};
use crate::net::socket::{
    self, Addressee, Connect, Destination, Incoming, Outgoing, SocketCaller, SocketType,
};
use crate::net::{file, interface, ports};

/// An open netlink socket.
pub(crate) struct NetlinkSocket {
    state: event::Locked<NetlinkSocketState>,
    kind: u32,
    maker: Ucred,
    privilege: Privilege,
    inode: u64,
    _counted: Counted,
}

static PORTS: Ranked<PortIds> = Ranked::new(Rank::Interface, PortIds::new());

/// Creates a socket of type `kind` for `maker`.
///
/// # Errors
/// `ENOMEM`: only the emergency reserve is left.
pub(crate) fn create(
    kind: u32,
    flags: OpenFlags,
    maker: Ucred,
    privilege: Privilege,
) -> Result<Arc<OpenFile>, Errno> {
    let state = event::Locked::new(Class::Socket, NetlinkSocketState::new());
    let (inode, counted) = (ports::new_owner().0 + 1, Counted::new(Kind::Netlink));
    let socket = NetlinkSocket { state, kind, maker, privilege, inode, _counted: counted };
    file::open(socket, flags)
}

/// Parses an address that a program passed.
///
/// # Errors
/// `EINVAL`: too short, or of another family.
fn parse(address: &RawAddress) -> Result<SockAddrNl, Errno> {
    let (address, _) = SockAddrNl::read_from_prefix(address.bytes()).map_err(|_| Errno::EINVAL)?;
    if address.family == family::AF_NETLINK { Ok(address) } else { Err(Errno::EINVAL) }
}

/// Checks that `caller` may send to `address`; without privilege, only the kernel may be addressed.
///
/// # Errors
/// `EPERM`: it may not.
fn check_right(caller: &dyn SocketCaller, address: SockAddrNl) -> Result<(), Errno> {
    let is_kernel = address.port == 0 && address.groups == 0;
    if is_kernel || caller.may(Right::AdministerNetwork) { Ok(()) } else { Err(Errno::EPERM) }
}

fn encode(address: SockAddrNl) -> Address {
    Address::Other(address.as_bytes().to_vec())
}

/// Gives the socket a port number, unless it has one.
fn bind_any(state: &mut NetlinkSocketState, process: u32) {
    if state.port() == 0 {
        let random = random::word() as u32;
        let port = PORTS.lock().bind_any(process, random);
        state.bind(port);
    }
}

impl Drop for NetlinkSocket {
    fn drop(&mut self) {
        let port = self.state.read().port();
        if port != 0 {
            PORTS.lock().release(port);
        }
    }
}

impl socket::Socket for NetlinkSocket {
    fn socket_type(&self) -> SocketType {
        SocketType { family: family::AF_NETLINK, kind: self.kind, protocol: NETLINK_ROUTE }
    }

    fn state(&self) -> &dyn LockedState {
        self.locked()
    }

    /// Binds the socket to a port number, unless it has one (0 stands for the process ID or another free number), and
    /// joins groups.
    ///
    /// `EINVAL`: it has another number. `EADDRINUSE`: another socket has the number.
    fn bind(&self, caller: &dyn SocketCaller, address: &RawAddress) -> Result<(), Errno> {
        let address = parse(address)?;
        let mut state = self.state.lock();
        if state.port() == 0 {
            match address.port {
                0 => bind_any(&mut state, caller.identity().pid),
                port => {
                    PORTS.lock().bind(port)?;
                    state.bind(port);
                }
            }
        } else if state.port() != address.port {
            return Err(Errno::EINVAL);
        }
        state.set_groups(address.groups);
        Ok(())
    }

    /// Sets the port that messages are sent to; an address without a family means the kernel's.
    fn connect<'a>(&'a self, caller: &dyn SocketCaller, address: &RawAddress) -> Result<Connect<'a>, Errno> {
        let peer = if address.is_unspecified()? { None } else { Some(parse(address)?) };
        peer.map_or(Ok(()), |peer| check_right(caller, peer))?;
        let mut state = self.state.lock();
        if peer.is_some() {
            bind_any(&mut state, caller.identity().pid);
        }
        state.connect(peer.unwrap_or_default());
        Ok(Connect::Done)
    }

    /// `EOPNOTSUPP`: there are no connections.
    fn shut_down(&self, _: How) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn local(&self) -> Address {
        encode(self.state.read().local())
    }

    fn peer(&self) -> Result<Address, Errno> {
        Ok(encode(self.state.read().peer()))
    }

    fn destination<'a>(
        &'a self,
        caller: &dyn SocketCaller,
        address: &RawAddress,
        _: MessageFlags,
    ) -> Result<Option<Destination<'a>>, Errno> {
        let to = parse(address)?;
        check_right(caller, to)?;
        Ok(Some(Destination::Address(Addressee::Port(to.port))))
    }

    fn receive(&self, to: &mut dyn Sink, taking: RecvMode) -> Poll<Result<Incoming, Errno>> {
        let mut state = self.state.lock();
        let result = state.receive(to, taking);
        if result.is_ready() {
            // The next part of a dump may be available.
            state.raise(Events::READABLE);
        }
        let from = Some(encode(SockAddrNl::new(0, 0)));
        result.map_ok(|(count, len)| Incoming { count, len, from, ..Incoming::default() })
    }

    /// `ENODATA`: the message is empty.
    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>> {
        let count = from.remaining();
        if count == 0 {
            return Poll::Ready(Err(Errno::ENODATA));
        }
        let to = match message.to {
            Some(Addressee::Port(port)) => Some(port),
            _ => None,
        };
        {
            let mut state = self.state.lock();
            bind_any(&mut state, self.maker.pid);
            state.require_destination(to, count)?;
        }
        let mut datagram = fallible::zeroes(count).map_err(|_| Errno::ENOBUFS)?;
        if from.take(&mut datagram) < count {
            return Poll::Ready(Err(Errno::EFAULT));
        }
        let facts = Facts { interfaces: interface::traffic(), routes: interface::routes() };
        let mut state = self.state.lock();
        if state.ask(&datagram, self.privilege, &facts) {
            state.raise(Events::READABLE);
        }
        Poll::Ready(Ok(count))
    }

    fn update_options(&self, change: &mut dyn FnMut(&mut Options)) {
        change(self.state.lock().options_mut());
    }

    fn option(&self, level: u32, name: u32, output: &OptionOutput<'_>) -> Result<(), Errno> {
        option::get(self, level, name, output)
    }

    fn set_option(&self, level: u32, name: u32, input: &OptionInput<'_>) -> Result<(), Errno> {
        option::set(self, level, name, input)
    }
}

impl SocketState for NetlinkSocketState {
    fn options(&self) -> &Options {
        self.options()
    }

    fn take_error(&mut self) -> Option<Errno> {
        self.take_error()
    }

    fn put_error(&mut self, error: Errno) {
        self.put_error(error);
    }
}

impl Protocol for NetlinkSocket {
    type State = NetlinkSocketState;

    fn locked(&self) -> &event::Locked<NetlinkSocketState> {
        &self.state
    }

    fn stat(&self) -> Stat {
        Holder::new(self.maker.uid).stat(self.inode)
    }
}
