//! recv(2), send(2) and close(2) on a TCP socket, and what waits in its queues.

use core::task::Poll;
use core::time::Duration;

use super::{Role, Shutdown, TcpSocketState};
use crate::abi::errno::Errno;
use crate::machine::transfer::{Sink, Source};
use crate::net::tcp::connection::{CloseMode, Pace, RecvMode};

impl<C> TcpSocketState<C> {
    /// Reads, as recv(2).
    ///
    /// # Errors
    /// `ENOTCONN`: there is no connection. Those of the connection's `receive`.
    pub fn receive(&mut self, to: &mut dyn Sink, mode: RecvMode) -> Poll<Result<usize, Errno>> {
        match &mut self.role {
            Role::Connected { connection, .. } => connection.receive(to, mode),
            Role::Unconnected if self.shutdown.contains(Shutdown::RECEIVE) => Poll::Ready(Ok(0)),
            _ => Poll::Ready(Err(Errno::ENOTCONN)),
        }
    }

    /// Writes, as send(2).
    ///
    /// # Errors
    /// `EPIPE`: there is no connection. Those of the connection's `send`.
    pub fn send(&mut self, from: &mut dyn Source, pace: Pace) -> Poll<Result<usize, Errno>> {
        match &mut self.role {
            Role::Connected { connection, .. } => connection.send(from, pace),
            _ => Poll::Ready(Err(Errno::EPIPE)),
        }
    }

    /// Continues a write of which some bytes were taken. `Pending`: no more can be taken now, perhaps because of an
    /// error, which the next write reports.
    pub fn send_more(&mut self, from: &mut dyn Source, pace: Pace) -> Poll<Result<usize, Errno>> {
        match &mut self.role {
            Role::Connected { connection, .. } if connection.can_send() => connection.send(from, pace),
            _ => Poll::Pending,
        }
    }

    /// Returns how many bytes can be read: `FIONREAD`.
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

    /// Returns how many written bytes the peer has not acknowledged: `SIOCOUTQ`.
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

    /// Sends the FIN for a close(2) that waits until the peer has everything, and returns how long it waits:
    /// `SO_LINGER`.
    /// `None`: it does not wait.
    pub fn begin_lingering(&mut self) -> Option<Duration> {
        let time = self.options.linger.filter(|time| !time.is_zero())?;
        let Role::Connected { connection, .. } = &mut self.role else { return None };
        if !connection.is_connected() || connection.unread() > 0 {
            return None;
        }
        connection.shut_down(Shutdown::SEND);
        Some(time)
    }

    /// Returns whether the peer has everything, or never will.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        match &self.role {
            Role::Connected { connection, .. } => connection.is_flushed(),
            _ => true,
        }
    }

    /// Closes the connection after the last descriptor.
    pub fn close(&mut self, now: Duration) {
        let hardness =
            if self.options.linger == Some(Duration::ZERO) { CloseMode::Reset } else { CloseMode::Orderly };
        if let Role::Connected { connection, .. } = &mut self.role {
            connection.close(hardness, now);
        }
    }
}
