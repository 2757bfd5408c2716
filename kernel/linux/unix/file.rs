//! Local sockets as files: reads and writes without anything beside the bytes.
//!
//! Source: Linux 6.1 net/socket.c (`sock_read_iter`), net/unix/af_unix.c (`unix_inq_len`).

use core::task::Poll;

use pollee::{Events, WakeMode};
use rules::abi::errno::Errno;
use rules::abi::stat::Stat;
use rules::linux::unix::socket::Kind;
use rules::net::tcp::connection::RecvMode;

use super::UnixSocket;
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::traits::{File, WaitPolicy, WriteExtent};
use crate::machine::memory::transfer::{Sink, Source};
use crate::net::call::{self, Outgoing};

impl File for UnixSocket {
    fn class(&self) -> Class {
        Class::Socket
    }

    fn has_pending_error(&self) -> bool {
        self.endpoint.state.poll(Events::ERR).contains(Events::ERR)
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        // Descriptors that nobody asked for are closed.
        call::Socket::receive(self, to, RecvMode::Consume).map_ok(|incoming| incoming.count)
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        call::Socket::send(self, from, &mut Outgoing::default())
    }

    fn write_extent(&self) -> WriteExtent {
        if self.kind() == Kind::Stream { WriteExtent::All } else { WriteExtent::Partial }
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(&self.endpoint.state)
    }

    /// Any one who accepts can take a connection; of readers and writers one may need more than another.
    fn wait_policy(&self, waits_for: Events) -> WaitPolicy {
        let state = self.endpoint.state.read();
        let is_accept = waits_for == Events::READABLE && state.is_listening();
        let mode = if is_accept { WakeMode::Exclusive } else { WakeMode::All };
        WaitPolicy { mode, limit: state.options().wait_limit(waits_for) }
    }

    fn reads_when_ready(&self, len: usize) -> bool {
        len > 0 && !self.endpoint.state.read().is_listening()
    }

    fn stat(&self) -> Stat {
        self.endpoint.holder.stat(self.endpoint.inode)
    }

    /// `FIONREAD`: all that waits (`unix_inq_len`).
    fn bytes_readable(&self, _offset: u64) -> Result<usize, Errno> {
        self.endpoint.state.read().unread()
    }
}
