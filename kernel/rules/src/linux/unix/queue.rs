//! The receive queue of a local socket: bytes or messages.
//!
//! Invariant: a stream has no empty pieces, which would look like its end. The first piece has been read up to `read`.
//! Source: unix(7); Linux 6.1 net/unix/af_unix.c (`unix_stream_read_generic`, `unix_writable`).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::name::Name;
use super::socket::Kind;
use crate::abi::errno::Errno;
use crate::machine::transfer::Sink;
use crate::net::tcp::connection::RecvMode;

/// What a piece is charged beside its bytes, so that empty ones are limited, too.
const OVERHEAD: usize = 256;

/// The bytes of one write, with the descriptors (`R`) that were sent with them.
#[derive(Debug)]
pub struct Piece<R> {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Delivered with the first of the bytes.
    pub rights: Vec<R>,
    /// The name of the sender, if it is a datagram and the sender has one.
    pub from: Option<Name>,
}

/// What recv(2) returns beside the bytes.
#[derive(Debug, Eq, PartialEq)]
pub struct ReceivedPiece<R> {
    /// How many bytes were copied.
    pub count: usize,
    /// How long the message was; the same as `count` for a stream.
    pub len: usize,
    /// Descriptors.
    pub rights: Vec<R>,
    /// The name of the datagram's sender, if it has one.
    pub from: Option<Name>,
}

impl<R> ReceivedPiece<R> {
    /// Nothing.
    pub(super) const fn nothing() -> Self {
        Self { count: 0, len: 0, rights: Vec::new(), from: None }
    }
}

/// A queue of pieces.
#[derive(Debug)]
pub struct PieceQueue<R> {
    pieces: VecDeque<Piece<R>>,
    read: usize,
    unread: usize,
    held: usize,
    /// What the writer may leave here: its `SO_SNDBUF`.
    limit: usize,
}

impl<R: Clone> PieceQueue<R> {
    /// An empty one.
    pub(super) const fn new(limit: usize) -> Self {
        Self { pieces: VecDeque::new(), read: 0, unread: 0, held: 0, limit }
    }

    /// Lets the writer leave as much as `limit` here.
    pub(super) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Returns whether nothing can be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes that can be read: all of a stream or of a sequence, or those of the first datagram.
    #[must_use]
    pub fn unread(&self, kind: Kind) -> usize {
        match kind {
            Kind::Stream | Kind::SeqPacket => self.unread,
            Kind::Datagram => self.pieces.front().map_or(0, |piece| piece.bytes.len()),
        }
    }

    /// Returns whether one more piece may come.
    #[must_use]
    pub const fn takes_more(&self) -> bool {
        self.held < self.limit
    }

    /// Returns whether so many datagrams wait that strangers cannot add another: more than `net.unix.max_dgram_qlen`.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        const MOST: usize = 10;
        self.pieces.len() > MOST
    }

    /// Returns whether a writer hears of the room: when three quarters are free.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.held <= self.limit / 4
    }

    /// Returns what the pieces are charged.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Adds the last piece.
    pub(super) fn push(&mut self, piece: Piece<R>) {
        self.unread += piece.bytes.len();
        self.held += piece.bytes.len() + OVERHEAD;
        self.pieces.push_back(piece);
    }

    /// Takes all of it, for the caller to drop.
    pub(super) fn clear(&mut self) -> VecDeque<Piece<R>> {
        (self.read, self.unread, self.held) = (0, 0, 0);
        core::mem::take(&mut self.pieces)
    }

    /// Copies bytes to `to`: of a stream as many as fit, but none behind a piece with descriptors; else the first
    /// message, of which the rest is lost.
    ///
    /// # Errors
    /// Nothing was taken. `EFAULT`: `to` is not writable.
    pub(super) fn take(
        &mut self,
        kind: Kind,
        to: &mut dyn Sink,
        mode: RecvMode,
    ) -> Result<ReceivedPiece<R>, Errno> {
        match mode {
            RecvMode::Peek => self.peek(kind, to),
            RecvMode::Consume if kind == Kind::Stream => self.take_bytes(to),
            RecvMode::Consume => {
                let mut taken = self.peek(kind, to)?;
                if let Some(piece) = self.pieces.pop_front() {
                    self.unread -= piece.bytes.len();
                    self.held -= piece.bytes.len() + OVERHEAD;
                    (taken.rights, taken.from) = (piece.rights, piece.from);
                }
                Ok(taken)
            }
        }
    }

    fn take_bytes(&mut self, to: &mut dyn Sink) -> Result<ReceivedPiece<R>, Errno> {
        let mut taken = ReceivedPiece::nothing();
        while to.remaining() > 0
            && let Some(piece) = self.pieces.front_mut()
        {
            let rest = &piece.bytes[self.read..];
            let wanted = rest.len().min(to.remaining());
            let put = to.put(&rest[..wanted]);
            if put == 0 && taken.count == 0 {
                return Err(Errno::EFAULT);
            }
            taken.count += put;
            self.read += put;
            self.unread -= put;
            if put > 0 {
                taken.rights = core::mem::take(&mut piece.rights);
            }
            let is_torn = put < wanted;
            if self.read == piece.bytes.len() {
                self.held -= piece.bytes.len() + OVERHEAD;
                self.read = 0;
                self.pieces.pop_front();
            }
            if is_torn || !taken.rights.is_empty() {
                break;
            }
        }
        taken.len = taken.count;
        Ok(taken)
    }

    fn peek(&self, kind: Kind, to: &mut dyn Sink) -> Result<ReceivedPiece<R>, Errno> {
        let mut taken = ReceivedPiece::nothing();
        let mut read = self.read;
        for piece in &self.pieces {
            let rest = &piece.bytes[read..];
            let wanted = rest.len().min(to.remaining());
            let put = to.put(&rest[..wanted]);
            if put < wanted && (taken.count == 0 || kind != Kind::Stream) {
                return Err(Errno::EFAULT);
            }
            taken.count += put;
            taken.len += rest.len();
            taken.rights.clone_from(&piece.rights);
            taken.from.clone_from(&piece.from);
            read = 0;
            let goes_on = kind == Kind::Stream && put == wanted && to.remaining() > 0;
            if !goes_on || !taken.rights.is_empty() {
                break;
            }
        }
        if kind == Kind::Stream {
            taken.len = taken.count;
        }
        Ok(taken)
    }
}
