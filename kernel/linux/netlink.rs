//! Netlink sockets as files.
//!
//! Who made a socket is who asks, whoever writes to it.
//! Lock: a socket's (rank 3), and under it that of the numbers (rank 4).
//! Source: netlink(7); Linux 6.1 net/netlink/af_netlink.c.

use alloc::sync::Arc;
use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::stat::Stat;
use rules::linux::netlink::port::Ports;
use rules::linux::netlink::request::Privilege;
use rules::linux::netlink::socket::{Socket, Switches};
use rules::net::abi::socket::{How, NETLINK_ROUTE, SockAddrNl, Ucred, family};
use rules::net::socket::Options;
use rules::net::tcp::connection::Taking;

use crate::core::event;
use crate::core::event::class::Class;
use crate::core::event::rank::{Rank, Ranked};
use crate::core::file::description::OpenFile;
use crate::core::file::file::{File, Manner};
use crate::machine::memory::budget;
use crate::machine::memory::transfer::{Sink, Source};
use crate::machine::random;
use crate::net::counters::{Kind, Member};
use crate::net::holder::Holder;
use crate::net::socket::{Address, Destination, Incoming, Nature, Outgoing};
use crate::net::{interface, ports};

/// A netlink socket that somebody has open.
pub(crate) struct NetlinkSocket {
    state: event::Locked<Socket>,
    kind: u32,
    maker: Ucred,
    privilege: Privilege,
    inode: u64,
    _member: Member,
}

static PORTS: Ranked<Ports> = Ranked::new(Rank::Interface, Ports::new());

/// Makes a socket of type `kind` for `maker`.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(
    kind: u32,
    flags: OpenFlags,
    maker: Ucred,
    privilege: Privilege,
) -> Result<Arc<OpenFile>, Errno> {
    let state = event::Locked::new(Class::Socket, Socket::new());
    let (inode, member) = (ports::new_owner().0 + 1, Member::new(Kind::Netlink));
    let socket = NetlinkSocket { state, kind, maker, privilege, inode, _member: member };
    OpenFile::new(Arc::new(socket), AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
}

impl NetlinkSocket {
    /// Gives the socket a number, unless it has one: for 0, that of `process` or another; and puts it into groups.
    ///
    /// # Errors
    /// `EINVAL`: it has another number. `EADDRINUSE`: another socket has it.
    pub(crate) fn bind(&self, address: SockAddrNl, process: u32) -> Result<(), Errno> {
        let mut state = self.state.lock();
        if state.port() == 0 {
            match address.port {
                0 => bind_any(&mut state, process),
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

    /// Sends to `peer` from now on; to the kernel if there is none.
    pub(crate) fn connect(&self, peer: Option<SockAddrNl>, process: u32) {
        let mut state = self.state.lock();
        if peer.is_some() {
            bind_any(&mut state, process);
        }
        state.connect(peer.unwrap_or_default());
    }

    /// The switches.
    pub(crate) fn switches(&self) -> Switches {
        self.state.read().switches()
    }

    /// Sets or clears switches.
    pub(crate) fn set_switches(&self, switches: Switches, is_on: bool) {
        self.state.lock().set_switches(switches, is_on);
    }

    /// Enters a group, or leaves it.
    ///
    /// # Errors
    /// `EINVAL`: there is no such group.
    pub(crate) fn join(&self, group: u32, is_in: bool) -> Result<(), Errno> {
        self.state.lock().join(group, is_in)
    }
}

/// Makes sure that the socket has a number.
fn bind_any(state: &mut Socket, process: u32) {
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

impl crate::net::socket::Socket for NetlinkSocket {
    fn nature(&self) -> Nature {
        Nature { family: family::AF_NETLINK, kind: self.kind, protocol: NETLINK_ROUTE }
    }

    /// `EOPNOTSUPP`: there are no connections.
    fn shut_down(&self, _: How) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn local(&self) -> Address {
        Address::Netlink(self.state.read().local())
    }

    fn peer(&self) -> Result<Address, Errno> {
        Ok(Address::Netlink(self.state.read().peer()))
    }

    fn receive(&self, to: &mut dyn Sink, taking: Taking) -> Poll<Result<Incoming, Errno>> {
        let mut state = self.state.lock();
        let result = state.receive(to, taking);
        if result.is_ready() {
            // More of a list may have come.
            state.report(Events::READABLE);
        }
        let from = Some(Address::Netlink(SockAddrNl::new(0, 0)));
        result.map_ok(|(count, len)| Incoming { count, len, from, ..Incoming::default() })
    }

    /// `ENODATA`: nothing at all.
    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>> {
        let count = from.remaining();
        if count == 0 {
            return Poll::Ready(Err(Errno::ENODATA));
        }
        let to = match message.to {
            Some(Destination::Netlink(port)) => Some(port),
            _ => None,
        };
        {
            let mut state = self.state.lock();
            bind_any(&mut state, self.maker.pid);
            state.require_destination(to, count)?;
        }
        budget::try_reserve(count).map_err(|_| Errno::ENOBUFS)?;
        let mut datagram = alloc::vec![0; count];
        if from.take(&mut datagram) < count {
            return Poll::Ready(Err(Errno::EFAULT));
        }
        let facts = interface::facts();
        let mut state = self.state.lock();
        if state.ask(&datagram, self.privilege, &facts) {
            state.report(Events::READABLE);
        }
        Poll::Ready(Ok(count))
    }

    fn take_error(&self) -> Option<Errno> {
        self.state.lock().take_error()
    }

    fn put_error(&self, error: Errno) {
        self.state.lock().put_error(error);
    }

    fn options(&self) -> Options {
        self.state.read().options().clone()
    }

    fn update_options(&self, change: &mut dyn FnMut(&mut Options)) {
        change(self.state.lock().options_mut());
    }
}

impl File for NetlinkSocket {
    fn has_pending_error(&self) -> bool {
        self.poll(Events::ERR).contains(Events::ERR)
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        crate::net::socket::Socket::receive(self, to, Taking::Consume).map_ok(|incoming| incoming.count)
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        crate::net::socket::Socket::send(self, from, &mut Outgoing::default())
    }

    fn poll(&self, interest: Events) -> Events {
        self.state.poll(interest)
    }

    fn front(&self) -> Option<(&event::Front, Events)> {
        Some((self.state.front(), Events::all()))
    }

    fn watch(&self) -> Option<&event::Watch> {
        Some(&self.state)
    }

    fn manner(&self, waits_for: Events) -> Manner {
        Manner { limit: self.state.read().options().wait_limit(waits_for), ..Manner::default() }
    }

    fn reads_when_ready(&self, len: usize) -> bool {
        len > 0
    }

    fn stat(&self) -> Stat {
        Holder::new(self.maker.uid).stat(self.inode)
    }
}
