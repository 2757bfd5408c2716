//! The operations of sockets: what the system calls in `syscall` ask of every protocol.
//!
//! Not here: the file operations (`file`), sleeping (`pollee::wait`), descriptors and addresses in user memory (`syscall`).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddrV4;
use core::task::Poll;

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::net::abi::socket::{How, MessageFlags, Ucred};
use rules::net::socket::Options;
use rules::net::tcp::connection::RecvMode;
use rules::net::tcp::socket::ConnectAttempt;

use super::address::{Address, RawAddress};
use super::file::LockedState;
use super::option::{OptionInput, OptionOutput};
use crate::core::event::Pollable;
use crate::core::file::description::OpenFile;
use crate::core::syscall::caller::Right;
use crate::machine::memory::transfer::{Sink, Source};

/// What socket(2) was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SocketType {
    /// The family: `SO_DOMAIN`.
    pub(crate) family: u16,
    /// The type: `SO_TYPE`.
    pub(crate) kind: u32,
    /// The protocol: `SO_PROTOCOL`.
    pub(crate) protocol: u32,
}

/// The process that makes a call, as sockets see it.
pub(crate) trait SocketCaller {
    /// Its IDs, which the other end of a local socket is told.
    fn identity(&self) -> Ucred;

    /// Whether it holds `right`.
    fn may(&self, right: Right) -> bool;

    /// Makes the file of a local socket at `path`.
    ///
    /// # Errors
    /// `EADDRINUSE`: there is a file. Those of mknod(2).
    fn make_socket_file(&self, path: &[u8]) -> Result<FileId, Errno>;

    /// Removes the file that [`make_socket_file`](Self::make_socket_file) has made.
    fn remove_socket_file(&self, path: &[u8]);

    /// The file of a local socket that `path` leads to.
    ///
    /// # Errors
    /// `ECONNREFUSED`: the file is no socket. `EACCES`, `ENOENT` and the like: the path.
    fn find_socket_file(&self, path: &[u8]) -> Result<FileId, Errno>;
}

/// The name of an inode.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct FileId {
    /// The number of its device.
    pub(crate) device: u64,
    /// Its number there.
    pub(crate) inode: u64,
}

/// What became of a connect(2).
pub(crate) enum Connect<'a> {
    /// The socket is connected, or was disconnected.
    Done,
    /// A handshake goes on; [`Socket::connecting`] returns its result.
    Handshake(ConnectAttempt),
    /// The socket has to enter a backlog.
    Backlog(Box<dyn Backlog + 'a>),
}

/// The backlog of a listener, in which a socket waits for its place.
pub(crate) trait Backlog {
    /// What becomes [`WRITABLE`](pollee::Events::WRITABLE) when there is room.
    fn room(&self) -> &Pollable;

    /// Takes the place, which connects the socket.
    ///
    /// # Errors
    /// `ECONNREFUSED`: it listens no more. Those of the protocol.
    fn enter(&self) -> Poll<Result<(), Errno>>;
}

/// Where a message goes that does not go to the peer.
pub(crate) enum Destination<'a> {
    /// An address, which [`Socket::send`] finds in the message.
    Address(Addressee),
    /// A socket of this machine, which must have room.
    Mailbox(Box<dyn Mailbox + 'a>),
}

/// The address that a message carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Addressee {
    /// Of an internet socket.
    Inet(SocketAddrV4),
    /// The port of a netlink socket.
    Port(u32),
}

/// The queue of another socket.
pub(crate) trait Mailbox {
    /// What becomes [`WRITABLE`](pollee::Events::WRITABLE) when there is room.
    fn room(&self) -> &Pollable;

    /// Puts a message there.
    ///
    /// # Errors
    /// Those of the protocol.
    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>>;
}

/// What travels with the bytes of a message.
#[derive(Default)]
pub(crate) struct Outgoing {
    /// `MSG_MORE` and the like.
    pub(crate) flags: MessageFlags,
    /// Where it goes; `None`: to the peer.
    pub(crate) to: Option<Addressee>,
    /// Descriptors that travel with its first byte.
    pub(crate) rights: Vec<Arc<OpenFile>>,
}

/// What was received.
#[derive(Default)]
pub(crate) struct Incoming {
    /// How many bytes were copied.
    pub(crate) count: usize,
    /// How long the message was.
    pub(crate) len: usize,
    /// The sender, unless it is the peer.
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
    /// The address of the other end, as it was when the connection came.
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

/// A socket of any protocol. The defaults refuse what a protocol does not have.
pub(crate) trait Socket: Send + Sync {
    /// What it is.
    fn socket_type(&self) -> SocketType;

    /// What the states of all protocols have in common.
    fn state(&self) -> &dyn LockedState;

    /// Gives it an address.
    ///
    /// # Errors
    /// `EINVAL`: it has one, or this is none. `EADDRINUSE`: another socket has it. Those of the protocol.
    fn bind(&self, caller: &dyn SocketCaller, address: &RawAddress) -> Result<(), Errno>;

    /// Connects it with `address`, or begins to; `AF_UNSPEC` disconnects it.
    ///
    /// # Errors
    /// Those of the protocol.
    fn connect<'a>(&'a self, caller: &dyn SocketCaller, address: &RawAddress) -> Result<Connect<'a>, Errno>;

    /// The result of the handshake that connect(2) began.
    ///
    /// # Errors
    /// Why it failed.
    fn connecting(&self) -> Poll<Result<(), Errno>> {
        Poll::Ready(Ok(()))
    }

    /// Lets `backlog` connections, and one more, wait to be accepted. The other ends see `caller`.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: there are no connections. Those of the protocol.
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

    /// The process at the other end: `SO_PEERCRED`.
    fn peer_credentials(&self) -> Option<Ucred> {
        None
    }

    /// Where a message to `address` goes; `None` if it goes to the peer anyway.
    ///
    /// # Errors
    /// `EISCONN`, `EOPNOTSUPP`: a message cannot name an address. Those of the protocol.
    fn destination<'a>(
        &'a self,
        caller: &dyn SocketCaller,
        address: &RawAddress,
        flags: MessageFlags,
    ) -> Result<Option<Destination<'a>>, Errno> {
        let _ = (caller, address, flags);
        Ok(None)
    }

    /// Receives.
    ///
    /// # Errors
    /// Those of the protocol.
    fn receive(&self, to: &mut dyn Sink, taking: RecvMode) -> Poll<Result<Incoming, Errno>>;

    /// Sends.
    ///
    /// # Errors
    /// Those of the protocol.
    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>>;

    /// Changes the options that every socket has.
    fn update_options(&self, change: &mut dyn FnMut(&mut Options));

    /// Sets how many bytes make the socket readable: `SO_RCVLOWAT`.
    fn set_low_water(&self, bytes: usize) {
        self.update_options(&mut |options| options.low_water = bytes);
    }

    /// Tells an option of a level of the protocol's own.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: no such level. `ENOPROTOOPT`: no such option. Those of the option.
    fn option(&self, level: u32, name: u32, output: &OptionOutput<'_>) -> Result<(), Errno> {
        let _ = (level, name, output);
        Err(Errno::EOPNOTSUPP)
    }

    /// Changes an option of a level of the protocol's own.
    ///
    /// # Errors
    /// Nothing changed. As [`option`](Self::option).
    fn set_option(&self, level: u32, name: u32, input: &OptionInput<'_>) -> Result<(), Errno> {
        let _ = (level, name, input);
        Err(Errno::EOPNOTSUPP)
    }
}
