//! Messages into and out of a local socket.
//!
//! Source: Linux 6.1 net/unix/af_unix.c (`unix_stream_sendmsg`, `unix_dgram_sendmsg`, `unix_stream_read_generic`).

use alloc::collections::VecDeque;
use core::task::Poll;

use super::{Kind, Role, Shutdown, UnixSocketState, Writer};
use crate::abi::errno::Errno;
use crate::linux::unix::queue::{Piece, ReceivedPiece};
use crate::machine::transfer::Sink;
use crate::net::tcp::connection::RecvMode;

impl<P: Clone, R: Clone> UnixSocketState<P, R> {
    /// Reads, as recv(2).
    ///
    /// # Errors
    /// `EINVAL`, `ENOTCONN`: a stream, or a sequence of messages, that is not connected. `EFAULT`: `to` is not
    /// writable. What became of the connection, once.
    pub fn receive(&mut self, to: &mut dyn Sink, mode: RecvMode) -> Poll<Result<ReceivedPiece<R>, Errno>> {
        let is_connected = matches!(self.role, Role::Connected(_));
        match self.kind {
            Kind::Stream if !is_connected => return Poll::Ready(Err(Errno::EINVAL)),
            Kind::SeqPacket if !is_connected => return Poll::Ready(Err(Errno::ENOTCONN)),
            _ => {}
        }
        if !self.queue.is_empty() {
            return Poll::Ready(self.queue.take(self.kind, to, mode));
        }
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        if self.shutdown.contains(Shutdown::RECEIVE) {
            return Poll::Ready(Ok(ReceivedPiece::nothing()));
        }
        Poll::Pending
    }

    /// Returns the peer that a write goes to, and how many unread bytes it may leave there.
    ///
    /// # Errors
    /// `ENOTCONN`: nowhere. `EPIPE`: writing was shut down, or the other end is gone. What became of the connection,
    /// once, where Linux looks at it first.
    pub fn write_to(&mut self) -> Result<(&P, usize), Errno> {
        if self.kind == Kind::SeqPacket
            && let Some(error) = self.error.take()
        {
            return Err(error);
        }
        let Role::Connected(peer) = &self.role else { return Err(Errno::ENOTCONN) };
        if self.shutdown.contains(Shutdown::SEND) {
            return Err(Errno::EPIPE);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        Ok((peer, self.options.send_buffer))
    }

    /// Checks that a datagram may be sent to another socket, and returns how long it may be.
    ///
    /// # Errors
    /// What became of one before, once. `EPIPE`: writing was shut down.
    pub fn write_elsewhere(&mut self) -> Result<usize, Errno> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let is_over = self.shutdown.contains(Shutdown::SEND);
        if is_over { Err(Errno::EPIPE) } else { Ok(self.options.send_buffer) }
    }

    /// Returns whether the queue takes a piece of `writer`.
    ///
    /// # Errors
    /// `EPIPE`: the reader has ended. `ECONNREFUSED`: the receiver of the datagram was closed.
    pub fn may_take(&self, writer: Writer) -> Poll<Result<(), Errno>> {
        if self.is_dead {
            let is_datagram = self.kind == Kind::Datagram;
            return Poll::Ready(Err(if is_datagram { Errno::ECONNREFUSED } else { Errno::EPIPE }));
        }
        if self.shutdown.contains(Shutdown::RECEIVE) {
            return Poll::Ready(Err(Errno::EPIPE));
        }
        let takes_more = self.queue.takes_more() && (writer == Writer::Peer || !self.queue.is_crowded());
        if takes_more { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Queues a piece.
    pub fn push(&mut self, piece: Piece<R>) {
        self.queue.push(piece);
    }

    /// Returns what the unread pieces are charged; less than before if one was taken.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.queue.held()
    }

    /// Returns whether `writer` is told that there is room.
    #[must_use]
    pub fn has_room(&self, writer: Writer) -> bool {
        self.is_dead
            || match writer {
                Writer::Peer => self.queue.has_room(),
                Writer::Stranger => self.queue.takes_more() && !self.queue.is_crowded(),
            }
    }

    /// Sets whether the peer has room. Returns whether that is a change.
    pub const fn set_peer_has_room(&mut self, has_room: bool) -> bool {
        core::mem::replace(&mut self.peer_has_room, has_room) != has_room
    }

    /// Returns how many bytes can be read: `FIONREAD`.
    ///
    /// # Errors
    /// `EINVAL`: it listens.
    pub fn unread(&self) -> Result<usize, Errno> {
        if self.is_listening() { Err(Errno::EINVAL) } else { Ok(self.queue.unread(self.kind)) }
    }

    /// Forgets what waits to be read, for the caller to drop.
    pub fn discard(&mut self) -> VecDeque<Piece<R>> {
        self.queue.clear()
    }
}
