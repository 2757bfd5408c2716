//! What the calls on sockets ask of every kind of socket.
//!
//! Not here: connect(2), and bind(2) with a path, which differ too much; sleeping (event/wait); addresses and
//! descriptors in user memory (syscall/socket, syscall/message).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddrV4;
use core::task::Poll;

use ostd_pod::IntoBytes;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::linux::unix::name::Name;
use rules::net::abi::socket::{How, MessageFlags, SockAddrIn, SockAddrNl, Ucred};
use rules::net::socket::Options;
use rules::net::tcp::connection::Taking;

use crate::core::file::description::OpenFile;
use crate::core::file::file::File;
use crate::linux::unix::endpoint::Endpoint;
use crate::machine::memory::transfer::{Sink, Source};

/// What socket(2) was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Nature {
    /// The family: `SO_DOMAIN`.
    pub(crate) family: u16,
    /// The type: `SO_TYPE`.
    pub(crate) kind: u32,
    /// The protocol: `SO_PROTOCOL`.
    pub(crate) protocol: u32,
}

/// The address of a socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Address {
    /// `AF_INET`.
    Inet(SocketAddrV4),
    /// `AF_UNIX`; perhaps without a name.
    Unix(Option<Name>),
    /// `AF_NETLINK`.
    Netlink(SockAddrNl),
}

impl Address {
    /// As programs see it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Inet(address) => SockAddrIn::from(*address).as_bytes().to_vec(),
            Self::Unix(name) => Name::address(name.as_ref()),
            Self::Netlink(address) => address.as_bytes().to_vec(),
        }
    }
}

/// Where a message is to go.
pub(crate) enum Destination {
    /// An internet address.
    Inet(SocketAddrV4),
    /// The number of a netlink socket.
    Netlink(u32),
    /// A local socket.
    Local(Arc<Endpoint>),
}

/// What a message is sent with.
#[derive(Default)]
pub(crate) struct Outgoing {
    /// `MSG_MORE` and the like.
    pub(crate) flags: MessageFlags,
    /// Where to, if not to the other end.
    pub(crate) to: Option<Destination>,
    /// Descriptors that go with its first byte. Whoever takes that takes them.
    pub(crate) rights: Vec<Arc<OpenFile>>,
}

/// What was received.
#[derive(Default)]
pub(crate) struct Incoming {
    /// How many bytes were copied.
    pub(crate) count: usize,
    /// How long the message was.
    pub(crate) len: usize,
    /// Who sent it, where that is not known anyway.
    pub(crate) from: Option<Address>,
    /// Descriptors.
    pub(crate) rights: Vec<Arc<OpenFile>>,
}

impl Incoming {
    /// Bytes of a stream, with nothing else.
    pub(crate) const fn bytes(count: usize) -> Self {
        Self { count, len: count, from: None, rights: Vec::new() }
    }
}

/// A connection taken from a backlog. Dropped without [`open`](Self::open), it goes back to where it was.
pub(crate) trait Accepted {
    /// The address of the other end, as it was when it came.
    ///
    /// # Errors
    /// `ECONNABORTED`: it is not known any more.
    fn peer(&self) -> Result<Address, Errno>;

    /// Makes it a file of the user `uid`.
    ///
    /// # Errors
    /// `ENOMEM`: only the reserve is left.
    fn open(self: Box<Self>, flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno>;
}

/// A socket. What a kind has not, it refuses with the error given as the default.
pub(crate) trait Socket: File {
    /// What it is.
    fn nature(&self) -> Nature;

    /// Lets `backlog` connections, and one more, wait to be accepted. `caller` is who will seem to listen.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: there are no connections. Those of the kind.
    fn listen(&self, backlog: i32, caller: Ucred) -> Result<(), Errno> {
        let _ = (backlog, caller);
        Err(Errno::EOPNOTSUPP)
    }

    /// Takes the connection that has waited longest.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: there are no connections. `EINVAL`: it does not listen.
    fn accept(&self) -> Poll<Result<Box<dyn Accepted + '_>, Errno>> {
        Poll::Ready(Err(Errno::EOPNOTSUPP))
    }

    /// Whether it listens.
    fn is_listening(&self) -> bool {
        false
    }

    /// Ends reading, writing, or both.
    ///
    /// # Errors
    /// `ENOTCONN`: there is no connection.
    fn shut_down(&self, how: How) -> Result<(), Errno>;

    /// The address of this end.
    fn local(&self) -> Address;

    /// The address of the other end.
    ///
    /// # Errors
    /// `ENOTCONN`: there is none.
    fn peer(&self) -> Result<Address, Errno>;

    /// Who the other end was: `SO_PEERCRED`.
    fn peer_credentials(&self) -> Option<Ucred> {
        None
    }

    /// Reads.
    ///
    /// # Errors
    /// Those of the kind.
    fn receive(&self, to: &mut dyn Sink, taking: Taking) -> Poll<Result<Incoming, Errno>>;

    /// Writes.
    ///
    /// # Errors
    /// Those of the kind.
    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>>;

    /// Takes the error that waits to be told.
    fn take_error(&self) -> Option<Errno>;

    /// Leaves an error for the next call.
    fn put_error(&self, error: Errno);

    /// The options.
    fn options(&self) -> Options;

    /// Changes options.
    fn update_options(&self, change: &mut dyn FnMut(&mut Options));

    /// Sets how many bytes make the socket readable: `SO_RCVLOWAT`.
    fn set_low_water(&self, bytes: usize) {
        self.update_options(&mut |options| options.low_water = bytes);
    }
}
