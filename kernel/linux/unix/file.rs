//! File operations of local sockets.
//!
//! Source: Linux 6.1 net/socket.c (`sock_read_iter`), net/unix/af_unix.c (`unix_inq_len`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::stat::Stat;
use rules::linux::unix::socket::{Kind, UnixSocketState};
use rules::net::socket::Options;

use super::UnixSocket;
use super::endpoint::Endpoint;
use crate::core::event;
use crate::core::file::description::OpenFile;
use crate::core::file::traits::WriteExtent;
use crate::net::file::{Protocol, SocketState};

impl SocketState for UnixSocketState<Arc<Endpoint>, Arc<OpenFile>> {
    fn options(&self) -> &Options {
        self.options()
    }

    fn take_error(&mut self) -> Option<Errno> {
        self.take_error()
    }

    fn put_error(&mut self, error: Errno) {
        self.put_error(error);
    }

    fn is_listening(&self) -> bool {
        self.is_listening()
    }

    /// Returns all queued bytes (`unix_inq_len`).
    fn unread(&self) -> Result<usize, Errno> {
        self.unread()
    }
}

impl Protocol for UnixSocket {
    type State = UnixSocketState<Arc<Endpoint>, Arc<OpenFile>>;

    fn locked(&self) -> &event::Locked<Self::State> {
        &self.endpoint.state
    }

    fn stat(&self) -> Stat {
        self.endpoint.holder.stat(self.endpoint.inode)
    }

    fn write_extent(&self) -> WriteExtent {
        if self.kind() == Kind::Stream { WriteExtent::All } else { WriteExtent::Partial }
    }
}
