//! recv(2), send(2) and close(2) on a TCP socket, and what waits in its queues.

use core::task::Poll;
use core::time::Duration;

use super::{Role, Shutdown, TcpSocketState};
use crate::abi::errno::Errno;
use crate::machine::transfer::{Sink, Source};
use crate::net::tcp::connection::{CloseMode, Pace, RecvMode};

impl<C> TcpSocketState<C> {
    /// Reads.
    ///
    /// # Errors
    /// `ENOTCONN`: there is no connection. Those of
    /// [`Connection::receive`](crate::net::tcp::connection::Connection::receive).
    pub fn receive(&mut self, to: &mut dyn Sink, mode: RecvMode) -> Poll<Result<usize, Errno>> {
        match &mut self.role {
            Role::Connected { connection, .. } => connection.receive(to, mode),
            Role::Unconnected if self.shutdown.contains(Shutdown::RECEIVE) => Poll::Ready(Ok(0)),
            _ => Poll::Ready(Err(Errno::ENOTCONN)),
        }
    }

    /// Writes.
    ///
    /// # Errors
    /// `EPIPE`: there is no connection. Those of
    /// [`Connection::send`](crate::net::tcp::connection::Connection::send).
    pub fn send(&mut self, from: &mut dyn Source, pace: Pace) -> Poll<Result<usize, Errno>> {
        match &mut self.role {
            Role::Connected { connection, .. } => connection.send(from, pace),
            _ => Poll::Ready(Err(Errno::EPIPE)),
        }
    }

    /// Goes on with a write of which some bytes were taken. `Pending`: no more can be taken now, be it for an error,
    /// which the next write tells.
    pub fn send_more(&mut self, from: &mut dyn Source, pace: Pace) -> Poll<Result<usize, Errno>> {
        match &mut self.role {
            Role::Connected { connection, .. } if connection.can_send() => connection.send(from, pace),
            _ => Poll::Pending,
        }
    }

    /// Bytes that can be read: `FIONREAD`.
    ///
    /// # Errors
    /// `EINVAL`: it listens.
    pub fn unread(&self) -> Result<usize, Errno> {
        match &self.role {
            Role::Unconnected => Ok(0),
            Role::Listening(_) => Err(Errno::EINVAL),
            Role::Connected { connection, .. } => Ok(connection.unread()),
        }
    }

    /// Bytes that the peer has not acknowledged: `SIOCOUTQ`.
    ///
    /// # Errors
    /// `EINVAL`: it listens.
    pub fn queued(&self) -> Result<usize, Errno> {
        match &self.role {
            Role::Unconnected => Ok(0),
            Role::Listening(_) => Err(Errno::EINVAL),
            Role::Connected { connection, .. } => Ok(connection.queued()),
        }
    }

    /// Begins to close, for a caller that waits until the peer has everything: `SO_LINGER`. For how long it is waited;
    /// `None`: not at all.
    pub fn begin_lingering(&mut self) -> Option<Duration> {
        let time = self.options.linger.filter(|time| !time.is_zero())?;
        let Role::Connected { connection, .. } = &mut self.role else { return None };
        if !connection.is_connected() || connection.unread() > 0 {
            return None;
        }
        connection.shut_down(Shutdown::SEND);
        Some(time)
    }

    /// Whether the peer has everything, or never will.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        match &self.role {
            Role::Connected { connection, .. } => connection.is_flushed(),
            _ => true,
        }
    }

    /// Notes that no descriptor has it open any more.
    pub fn close(&mut self, now: Duration) {
        let hardness =
            if self.options.linger == Some(Duration::ZERO) { CloseMode::Reset } else { CloseMode::Orderly };
        if let Role::Connected { connection, .. } = &mut self.role {
            connection.close(hardness, now);
        }
    }
}
