//! send(2) of local sockets: appends to the other end's queue.
//!
//! Source: Linux 6.1 net/unix/af_unix.c (`unix_stream_sendmsg`, `unix_dgram_sendmsg`).

use alloc::sync::Arc;
use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::linux::unix::queue::Piece;
use rules::linux::unix::socket::{Kind, Writer};
use rules::machine::fallible;

use super::UnixSocket;
use super::endpoint::Endpoint;
use crate::machine::memory::transfer::Source;
use crate::net::socket::Outgoing;

/// The most bytes of one buffer.
const PIECE: usize = 32 << 10;

/// The memory that Linux adds to each message for its bookkeeping.
const MESSAGE_OVERHEAD: usize = 32;

impl UnixSocket {
    /// Sends to `to`, or to the peer if `to` is `None`.
    ///
    /// # Errors
    /// Nothing was sent. `EMSGSIZE`: too long. `EPERM`: the receiver accepts only its peer's datagrams. `EFAULT`: not
    /// readable. `ENOTCONN`, `EPIPE`, `ECONNREFUSED`: there is no other end.
    pub(super) fn send_to(
        &self,
        to: Option<&Arc<Endpoint>>,
        from: &mut dyn Source,
        message: &mut Outgoing,
    ) -> Poll<Result<usize, Errno>> {
        let (kind, other, limit, from_name) = {
            let mut own = self.endpoint.state.lock();
            let kind = own.kind();
            let name = if kind == Kind::Datagram { own.name().cloned() } else { None };
            match to {
                Some(to) => (kind, to.clone(), own.write_elsewhere()?, name),
                None => {
                    let (other, limit) = own.write_to()?;
                    (kind, other.clone(), limit, name)
                }
            }
        };
        let count = from.remaining();
        if kind != Kind::Stream && count > limit.saturating_sub(MESSAGE_OVERHEAD) {
            return Poll::Ready(Err(Errno::EMSGSIZE));
        }
        let writer = if kind == Kind::Datagram { other.writer(&self.endpoint)? } else { Writer::Peer };
        let may_take = other.state.read().may_take(writer);
        match may_take {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(self.refused(&other, error))),
            Poll::Pending => {
                if self.endpoint.sends_to(&other) {
                    self.endpoint.note_room(&other, writer);
                }
                return Poll::Pending;
            }
        }
        let count = if kind == Kind::Stream { count.min(PIECE) } else { count };
        if kind == Kind::Stream && count == 0 {
            return Poll::Ready(Ok(0));
        }
        let mut bytes = fallible::zeroes(count)?;
        let taken = from.take(&mut bytes);
        if taken < count && (taken == 0 || kind != Kind::Stream) {
            return Poll::Ready(Err(Errno::EFAULT));
        }
        bytes.truncate(taken);
        let mut state = other.state.lock();
        if let Poll::Ready(Err(error)) = state.may_take(writer) {
            drop(state);
            return Poll::Ready(Err(self.refused(&other, error)));
        }
        state.push(Piece { bytes, rights: core::mem::take(&mut message.rights), from: from_name });
        state.raise(Events::READABLE);
        let is_full = !state.has_room(writer);
        drop(state);
        match writer {
            Writer::Peer if is_full => self.endpoint.note_room(&other, writer),
            Writer::Stranger if is_full => other.notify_clients(),
            _ => {}
        }
        Poll::Ready(Ok(taken))
    }

    /// Handles a write that `other` rejected. A connected datagram socket then loses its connection.
    fn refused(&self, other: &Endpoint, error: Errno) -> Errno {
        if error == Errno::ECONNREFUSED && self.endpoint.sends_to(other) {
            let unread = self.endpoint.state.lock().disconnect();
            drop(unread);
            self.endpoint.notify_room();
        }
        error
    }
}
