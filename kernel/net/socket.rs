//! The operations of sockets, which the system calls in `syscall` need of every protocol.
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

/// The domain, type and protocol of a socket: the arguments of socket(2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SocketType {
    /// The family: `SO_DOMAIN`.
    pub(crate) family: u16,
    /// The type: `SO_TYPE`.
    pub(crate) kind: u32,
    /// The protocol: `SO_PROTOCOL`.
    pub(crate) protocol: u32,
}

/// The caller of a system call, as sockets see it.
pub(crate) trait SocketCaller {
    /// Returns its process, user and group ID, which the peer of a local socket can read.
    fn identity(&self) -> Ucred;

    /// Returns whether it holds `right`.
    fn may(&self, right: Right) -> bool;

    /// Makes the file of a local socket at `path`.
    ///
    /// # Errors
    /// No file was made. `EADDRINUSE`: the file exists. Those of mknod(2).
    fn make_socket_file(&self, path: &[u8]) -> Result<FileId, Errno>;

    /// Removes the file that [`make_socket_file`](Self::make_socket_file) has made.
    fn remove_socket_file(&self, path: &[u8]);

    /// Returns the identity of the socket file at `path`.
    ///
    /// # Errors
    /// `ECONNREFUSED`: the file is no socket. `EACCES`, `ENOENT` and the like: the path.
    fn find_socket_file(&self, path: &[u8]) -> Result<FileId, Errno>;
}

/// The identity of an inode.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct FileId {
    /// The number of its device.
    pub(crate) device: u64,
    /// Its number there.
    pub(crate) inode: u64,
}

/// The result of a connect(2).
pub(crate) enum Connect<'a> {
    /// The socket is connected, or was disconnected.
    Done,
    /// A handshake goes on; [`Socket::connecting`] returns its result.
    Handshake(ConnectAttempt),
    /// The socket has to enter a backlog first.
    Backlog(Box<dyn Backlog + 'a>),
}

/// The backlog of a listener, which a connecting socket enters.
pub(crate) trait Backlog {
    /// Returns what raises [`ROOM_FOR_OTHERS`](rules::net::socket::ROOM_FOR_OTHERS) when there is room.
    fn room(&self) -> &Pollable;

    /// Enters the backlog, which connects the socket.
    ///
    /// # Errors
    /// The socket is not connected. `ECONNREFUSED`: the listener was closed. Those of the protocol.
    fn enter(&self) -> Poll<Result<(), Errno>>;
}

/// The destination of a message that names an address.
pub(crate) enum Destination<'a> {
    /// An address; [`Socket::send`] finds it in the message.
    Address(Addressee),
    /// Another socket of this machine, which must have room.
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

/// The receive queue of another socket.
pub(crate) trait Mailbox {
    /// Returns what raises [`ROOM_FOR_OTHERS`](rules::net::socket::ROOM_FOR_OTHERS) when there is room.
    fn room(&self) -> &Pollable;

    /// Appends a message.
    ///
    /// # Errors
    /// Those of the protocol.
    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>>;
}

/// What accompanies the bytes of a message.
#[derive(Default)]
pub(crate) struct Outgoing {
    /// `MSG_MORE` and the like.
    pub(crate) flags: MessageFlags,
    /// The destination; `None`: the peer.
    pub(crate) to: Option<Addressee>,
    /// Descriptors that arrive with the first byte.
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
    /// Makes the result for bytes of a stream.
    pub(crate) const fn bytes(count: usize) -> Self {
        Self { count, len: count, from: None, rights: Vec::new() }
    }
}

/// A connection taken from a backlog. Dropped without [`open`](Self::open), it goes back to its place.
pub(crate) trait Accepted {
    /// Returns the address of the peer at the time of its connect(2).
    ///
    /// # Errors
    /// `ECONNABORTED`: the connection is gone.
    fn peer(&self) -> Result<Address, Errno>;

    /// Opens the connection for the user `uid`.
    ///
    /// # Errors
    /// `ENOMEM`: only the reserve is left.
    fn open(self: Box<Self>, flags: OpenFlags, uid: u32) -> Result<Arc<OpenFile>, Errno>;
}

/// A socket of any protocol. The defaults refuse operations that a protocol does not have.
pub(crate) trait Socket: Send + Sync {
    /// Returns its domain, type and protocol.
    fn socket_type(&self) -> SocketType;

    /// Returns its state, as all protocols have it.
    fn state(&self) -> &dyn LockedState;

    /// Binds it to an address.
    ///
    /// # Errors
    /// Nothing changed. `EINVAL`: it is bound, or the address is invalid. `EADDRINUSE`: another socket has it. Those
    /// of the protocol.
    fn bind(&self, caller: &dyn SocketCaller, address: &RawAddress) -> Result<(), Errno>;

    /// Connects it to `address`, or begins to; `AF_UNSPEC` disconnects it.
    ///
    /// # Errors
    /// Those of the protocol.
    fn connect<'a>(&'a self, caller: &dyn SocketCaller, address: &RawAddress) -> Result<Connect<'a>, Errno>;

    /// Returns the result of the handshake that connect(2) began.
    ///
    /// # Errors
    /// Why it failed.
    fn connecting(&self) -> Poll<Result<(), Errno>> {
        Poll::Ready(Ok(()))
    }

    /// Listens, with room for `backlog` connections and one more. The peers see the credentials of `caller`.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the protocol has no connections. Those of the protocol.
    fn listen(&self, backlog: i32, caller: Ucred) -> Result<(), Errno> {
        let _ = (backlog, caller);
        Err(Errno::EOPNOTSUPP)
    }

    /// Takes the connection that has waited longest.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the protocol has no connections. `EINVAL`: it does not listen.
    fn accept(&self) -> Poll<Result<Box<dyn Accepted + '_>, Errno>> {
        Poll::Ready(Err(Errno::EOPNOTSUPP))
    }

    /// Ends reading, writing, or both.
    ///
    /// # Errors
    /// `ENOTCONN`: there is no connection.
    fn shut_down(&self, how: How) -> Result<(), Errno>;

    /// Returns the local address.
    fn local(&self) -> Address;

    /// Returns the address of the peer.
    ///
    /// # Errors
    /// `ENOTCONN`: there is none.
    fn peer(&self) -> Result<Address, Errno>;

    /// Returns the credentials of the peer: `SO_PEERCRED`.
    fn peer_credentials(&self) -> Option<Ucred> {
        None
    }

    /// Resolves the `address` of a message; `None`: the message goes to the peer anyway.
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

    /// Receives bytes of a stream, or a message.
    ///
    /// # Errors
    /// Those of the protocol.
    fn receive(&self, to: &mut dyn Sink, taking: RecvMode) -> Poll<Result<Incoming, Errno>>;

    /// Sends bytes of a stream, or a message.
    ///
    /// # Errors
    /// Those of the protocol.
    fn send(&self, from: &mut dyn Source, message: &mut Outgoing) -> Poll<Result<usize, Errno>>;

    /// Changes the options.
    fn update_options(&self, change: &mut dyn FnMut(&mut Options));

    /// Sets how many bytes make the socket readable: `SO_RCVLOWAT`.
    fn set_low_water(&self, bytes: usize) {
        self.update_options(&mut |options| options.low_water = bytes);
    }

    /// Writes an option of a level that only some protocols have.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: no such level. `ENOPROTOOPT`: no such option. Those of the option.
    fn option(&self, level: u32, name: u32, output: &OptionOutput<'_>) -> Result<(), Errno> {
        let _ = (level, name, output);
        Err(Errno::EOPNOTSUPP)
    }

    /// Sets an option of a level that only some protocols have.
    ///
    /// # Errors
    /// Nothing changed. As [`option`](Self::option).
    fn set_option(&self, level: u32, name: u32, input: &OptionInput<'_>) -> Result<(), Errno> {
        let _ = (level, name, input);
        Err(Errno::EOPNOTSUPP)
    }
}
