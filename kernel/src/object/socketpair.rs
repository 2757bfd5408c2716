//! Pairs of connected sockets without names: what one end writes the other reads.
//!
//! Owns: the bytes or messages on their way.   Not here: names, accept, file descriptors in messages, the calls of
//! sockets beside read and write.
//! Each end has a lock of its own, around what it can read and around whether the other has room; no thread holds two.
//! Source: socketpair(2), unix(7); Linux 6.1 net/unix/af_unix.c (`unix_stream_sendmsg`, `unix_poll`).

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::Poll;

use model::abi::errno::Errno;
use model::abi::open::{AccessMode, OpenFlags};
use pollee::{Events, Readiness};

use crate::event;
use crate::event::class::Class;
use crate::file::description::OpenFile;
use crate::file::file::{File, WriteExtent};
use crate::memory::budget;
use crate::memory::transfer::{Sink, Source};

/// Bytes that one end may have unread (`net.core.wmem_default`).
const ROOM: usize = 212_992;
/// Bytes that travel in one piece.
const PIECE: usize = 32 << 10;

/// What a pair carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Bytes: `SOCK_STREAM`.
    Stream,
    /// Messages, each read at once: `SOCK_SEQPACKET`.
    Messages,
}

/// One end.
pub(crate) struct End {
    kind: Kind,
    own: Arc<event::Locked<Inbox>>,
    other: Arc<event::Locked<Inbox>>,
}

/// What an end can read, and what it knows of the other.
struct Inbox {
    pieces: VecDeque<Vec<u8>>,
    /// How much of the first piece has been read.
    read: usize,
    unread: usize,
    other_has_room: bool,
    is_alone: bool,
}

/// Makes and opens both ends. Of `flags` only `O_NONBLOCK` means something.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(kind: Kind, flags: OpenFlags) -> Result<[Arc<OpenFile>; 2], Errno> {
    let inbox = || {
        let empty =
            Inbox { pieces: VecDeque::new(), read: 0, unread: 0, other_has_room: true, is_alone: false };
        Arc::new(event::Locked::new(Class::Socket, empty))
    };
    let (first, second) = (inbox(), inbox());
    let open = |own: &Arc<_>, other: &Arc<_>| {
        let end = End { kind, own: Arc::clone(own), other: Arc::clone(other) };
        OpenFile::new(Arc::new(end), AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
    };
    Ok([open(&first, &second)?, open(&second, &first)?])
}

impl Inbox {
    /// As Linux has it: there is room as long as three quarters are free.
    fn has_room(&self) -> bool {
        self.unread <= ROOM / 4
    }

    /// Moves bytes to `to`; of a message that does not fit the rest is lost.
    fn take(&mut self, kind: Kind, to: &mut dyn Sink) -> Result<usize, Errno> {
        let mut count = 0;
        while to.remaining() > 0
            && let Some(piece) = self.pieces.front()
        {
            let rest = &piece[self.read..];
            let wanted = rest.len().min(to.remaining());
            let taken = to.put(&rest[..wanted]);
            let is_torn = taken < wanted;
            count += taken;
            let ends = kind == Kind::Messages || taken == rest.len();
            if is_torn && count == 0 {
                return Err(Errno::EFAULT);
            }
            self.read += taken;
            self.unread -= taken;
            if ends && !is_torn {
                self.unread -= piece.len() - self.read;
                self.read = 0;
                self.pieces.pop_front();
            }
            if is_torn || kind == Kind::Messages {
                break;
            }
        }
        Ok(count)
    }
}

impl Readiness for Inbox {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::READABLE, !self.pieces.is_empty() || self.is_alone);
        events.set(Events::WRITABLE, self.other_has_room || self.is_alone);
        events.set(Events::RDHUP | Events::HUP, self.is_alone);
        events
    }
}

impl End {
    /// Brings what this end knows of the other's room up to date: asked again after it was noted, because the other
    /// may have read in between.
    fn note_room(&self) {
        loop {
            let has_room = self.other.read().has_room();
            let mut own = self.own.lock();
            own.other_has_room = has_room;
            drop(own);
            if self.other.read().has_room() == has_room {
                return;
            }
        }
    }
}

impl File for End {
    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        let mut own = self.own.lock();
        if own.pieces.is_empty() {
            return if own.is_alone { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        let had_room = own.has_room();
        let result = own.take(self.kind, to);
        let makes_room = !had_room && own.has_room();
        drop(own);
        if makes_room {
            let mut other = self.other.lock();
            other.other_has_room = true;
            other.report(Events::WRITABLE);
        }
        Poll::Ready(result)
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        if self.own.read().is_alone {
            return Poll::Ready(Err(Errno::EPIPE));
        }
        let count = from.remaining();
        if self.kind == Kind::Messages && count > ROOM {
            return Poll::Ready(Err(Errno::EMSGSIZE));
        }
        if !self.other.read().has_room() {
            self.note_room();
            return Poll::Pending;
        }
        let count = if self.kind == Kind::Stream { count.min(PIECE) } else { count };
        budget::try_reserve(count)?;
        let mut piece = alloc::vec![0; count];
        let taken = from.take(&mut piece);
        if taken < count && (taken == 0 || self.kind == Kind::Messages) {
            return Poll::Ready(Err(Errno::EFAULT));
        }
        piece.truncate(taken);
        // A stream has no empty pieces: they would be its end.
        if taken > 0 || self.kind == Kind::Messages {
            let mut other = self.other.lock();
            other.unread += taken;
            other.pieces.push_back(piece);
            other.report(Events::READABLE);
            let is_full = !other.has_room();
            drop(other);
            if is_full {
                self.note_room();
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn write_extent(&self) -> WriteExtent {
        if self.kind == Kind::Stream { WriteExtent::Everything } else { WriteExtent::Some }
    }

    fn poll(&self, interest: Events) -> Events {
        self.own.poll(interest)
    }

    fn front(&self) -> Option<(&event::Front, Events)> {
        Some((self.own.front(), Events::all()))
    }

    fn watch(&self) -> Option<&event::Watch> {
        Some(&*self.own)
    }

    /// `FIONREAD`: the sum of all messages (`unix_inq_len`).
    fn unread(&self, _offset: u64) -> Result<usize, Errno> {
        Ok(self.own.read().unread)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut other = self.other.lock();
        other.is_alone = true;
        other.report(Events::READABLE | Events::WRITABLE | Events::RDHUP | Events::HUP);
    }
}
