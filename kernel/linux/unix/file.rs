//! Local sockets as files: reads and writes without anything beside the bytes.
//!
//! Source: Linux 6.1 net/socket.c (`sock_read_iter`), net/unix/af_unix.c (`unix_inq_len`).

use core::task::Poll;

use pollee::{Events, Share};
use rules::abi::errno::Errno;
use rules::abi::stat::Stat;
use rules::linux::unix::socket::Kind;
use rules::net::tcp::connection::Taking;

use super::UnixSocket;
use crate::core::event;
use crate::core::file::file::{File, Manner, WriteExtent};
use crate::machine::memory::transfer::{Sink, Source};
use crate::net::socket::{self, Outgoing};

impl File for UnixSocket {
    fn has_pending_error(&self) -> bool {
        self.poll(Events::ERR).contains(Events::ERR)
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        // Descriptors that nobody asked for are closed.
        socket::Socket::receive(self, to, Taking::Consume).map_ok(|incoming| incoming.count)
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        socket::Socket::send(self, from, &mut Outgoing::default())
    }

    fn write_extent(&self) -> WriteExtent {
        if self.kind() == Kind::Stream { WriteExtent::Everything } else { WriteExtent::Some }
    }

    fn poll(&self, interest: Events) -> Events {
        self.endpoint.state.poll(interest)
    }

    fn front(&self) -> Option<(&event::Front, Events)> {
        Some((self.endpoint.state.front(), Events::all()))
    }

    fn watch(&self) -> Option<&event::Watch> {
        Some(&self.endpoint.state)
    }

    /// Any one who accepts can take a connection; of readers and writers one may need more than another.
    fn manner(&self, waits_for: Events) -> Manner {
        let state = self.endpoint.state.read();
        let is_accept = waits_for == Events::READABLE && state.is_listening();
        let share = if is_accept { Share::One } else { Share::All };
        Manner { share, limit: state.options().wait_limit(waits_for) }
    }

    fn reads_when_ready(&self, len: usize) -> bool {
        len > 0 && !self.endpoint.state.read().is_listening()
    }

    fn stat(&self) -> Stat {
        self.endpoint.holder.stat(self.endpoint.inode)
    }

    /// `FIONREAD`: all that waits (`unix_inq_len`).
    fn unread(&self, _offset: u64) -> Result<usize, Errno> {
        self.endpoint.state.read().unread()
    }
}
