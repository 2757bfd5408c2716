//! Sockets as files: one implementation of the file operations for all protocols.
//!
//! Owns: what read(2), write(2), poll(2) and fstat(2) do with a socket, and how the socket calls find its operations
//! behind a description.   Not here: these operations (`socket`), sleeping (`pollee::wait`).
//! Why: decision 0100.
//! Source: Linux 6.1 net/socket.c (`sock_read_iter`, `sock_write_iter`, `sock_poll`, `sock_from_file`).

use alloc::sync::Arc;
use core::any::Any;
use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Readiness, WakeMode};
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::abi::stat::Stat;
use rules::net::socket::Options;
use rules::net::tcp::connection::RecvMode;

use super::socket::{Outgoing, Socket};
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::description::OpenFile;
use crate::core::file::traits::{File, WaitPolicy, WriteExtent};
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::transfer::{Sink, Source};

/// The state of a socket, as the file operations see it.
pub(crate) trait SocketState: Readiness + Send + 'static {
    /// Returns its options.
    fn options(&self) -> &Options;

    /// Takes the pending error, which the next call would report.
    fn take_error(&mut self) -> Option<Errno>;

    /// Sets the pending error.
    fn put_error(&mut self, error: Errno);

    /// Returns whether it listens.
    fn is_listening(&self) -> bool {
        false
    }

    /// Returns whether a read finds something if and only if the socket is readable.
    fn reads_when_readable(&self) -> bool {
        !self.is_listening()
    }

    /// Returns how many bytes can be read: `FIONREAD`.
    ///
    /// # Errors
    /// `ENOTTY`: the protocol does not say. `EINVAL`: it listens.
    fn unread(&self) -> Result<usize, Errno> {
        Err(Errno::ENOTTY)
    }
}

/// The operations that all protocols' states have in common, behind their locks.
pub(crate) trait LockedState {
    /// Takes the pending error: `SO_ERROR`.
    fn take_error(&self) -> Option<Errno>;

    /// Sets the pending error.
    fn put_error(&self, error: Errno);

    /// Returns its options.
    fn options(&self) -> Options;

    /// Returns how long a call waits at most, and for how many bytes.
    fn limits(&self, waits_for: Events) -> Limits;

    /// Returns whether it listens: `SO_ACCEPTCONN`.
    fn is_listening(&self) -> bool;
}

/// The limits of a blocking call on a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `SO_RCVTIMEO` or `SO_SNDTIMEO`.
    pub(crate) time: Option<Duration>,
    /// `SO_RCVLOWAT`.
    pub(crate) low_water: usize,
}

impl<S: SocketState> LockedState for event::Locked<S> {
    fn take_error(&self) -> Option<Errno> {
        self.lock().take_error()
    }

    fn put_error(&self, error: Errno) {
        self.lock().put_error(error);
    }

    fn options(&self) -> Options {
        self.read().options().clone()
    }

    fn limits(&self, waits_for: Events) -> Limits {
        let state = self.read();
        let options = state.options();
        Limits { time: options.wait_limit(waits_for), low_water: options.low_water }
    }

    fn is_listening(&self) -> bool {
        self.read().is_listening()
    }
}

/// A protocol, as the file operations need it. The defaults suit a protocol of messages.
pub(crate) trait Protocol: Socket + 'static {
    /// The state of a socket.
    type State: SocketState;

    /// Returns the state of this socket, behind its lock.
    fn locked(&self) -> &event::Locked<Self::State>;

    /// Returns what fstat(2) reports.
    fn stat(&self) -> Stat;

    /// Returns when a blocking write is done.
    fn write_extent(&self) -> WriteExtent {
        WriteExtent::Partial
    }

    /// Reads bytes; descriptors that come with them are closed.
    ///
    /// # Errors
    /// As [`Socket::receive`].
    fn read(&self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        self.receive(to, RecvMode::Consume).map_ok(|incoming| incoming.count)
    }

    /// Performs a request that only this protocol has.
    ///
    /// # Errors
    /// As [`File::ioctl`].
    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        let _ = (request, argument, space);
        Poll::Ready(Err(Errno::ENOTTY))
    }

    /// Begins to close the socket, as [`File::begin_lingering`].
    fn begin_lingering(&self) -> Option<Duration> {
        None
    }

    /// Returns whether the peer has received everything, or never will.
    fn is_flushed(&self) -> bool {
        true
    }
}

/// An open socket.
pub(crate) struct SocketFile<P: Protocol>(P);

/// Opens a socket. Of `flags` only `O_NONBLOCK` counts.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn open<P: Protocol>(protocol: P, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    OpenFile::new(Arc::new(SocketFile(protocol)), AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
}

/// The conversion from a file to its socket. Each protocol has one, because only the concrete type leads from one
/// trait object to another.
struct ToSocket(fn(&dyn File) -> Option<&dyn Socket>);

impl<P: Protocol> SocketFile<P> {
    const TO_SOCKET: &'static ToSocket = &ToSocket(|file| {
        let file: &dyn Any = file;
        file.downcast_ref().map(|file: &Self| -> &dyn Socket { &file.0 })
    });
}

/// Returns the socket of a description.
///
/// # Errors
/// `ENOTSOCK`: it is another kind of file.
pub(crate) fn socket(file: &OpenFile) -> Result<&dyn Socket, Errno> {
    let way: Option<&ToSocket> = file.file().as_socket().and_then(<dyn Any>::downcast_ref);
    way.and_then(|way| (way.0)(&**file.file())).ok_or(Errno::ENOTSOCK)
}

impl<P: Protocol> File for SocketFile<P> {
    fn class(&self) -> Class {
        Class::Socket
    }

    fn as_socket(&self) -> Option<&dyn Any> {
        Some(Self::TO_SOCKET)
    }

    fn has_pending_error(&self) -> bool {
        self.0.locked().poll(Events::ERR).contains(Events::ERR)
    }

    fn begin_lingering(&self) -> Option<Duration> {
        self.0.begin_lingering()
    }

    fn is_flushed(&self) -> bool {
        self.0.is_flushed()
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        self.0.read(to)
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        self.0.send(from, &mut Outgoing::default())
    }

    fn write_extent(&self) -> WriteExtent {
        self.0.write_extent()
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(self.0.locked())
    }

    /// Any one acceptor can take a connection, but one reader or writer may need more than another.
    fn wait_policy(&self, waits_for: Events) -> WaitPolicy {
        let state = self.0.locked().read();
        let is_accept = waits_for == Events::READABLE && state.is_listening();
        let mode = if is_accept { WakeMode::Exclusive } else { WakeMode::All };
        WaitPolicy { mode, limit: state.options().wait_limit(waits_for) }
    }

    fn reads_when_ready(&self, len: usize) -> bool {
        len > 0 && self.0.locked().read().reads_when_readable()
    }

    fn stat(&self) -> Stat {
        self.0.stat()
    }

    fn bytes_readable(&self, _offset: u64) -> Result<usize, Errno> {
        self.0.locked().read().unread()
    }

    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        self.0.ioctl(request, argument, space)
    }
}
