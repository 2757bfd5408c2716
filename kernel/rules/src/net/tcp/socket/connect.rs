//! connect(2) and shutdown(2) on a TCP socket.
//!
//! Source: Linux 6.1 net/ipv4/af_inet.c (`__inet_stream_connect`, `inet_shutdown`).

use alloc::boxed::Box;
use core::task::Poll;

use super::{ConnectProgress, Connection, Listener, Role, Shutdown, TcpSocketState, TcpState};
use crate::abi::errno::Errno;
use crate::net::abi::socket::How;

/// Whether connect(2) starts a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnectAttempt {
    /// It does.
    First,
    /// It asks for the result of the connection that is being made.
    Again,
}

impl<C> TcpSocketState<C> {
    /// Checks that connect(2) is allowed, and returns what it does.
    ///
    /// # Errors
    /// `EISCONN`: the socket is connected, or listens. `EINVAL`: its connection failed, and shutdown(2) came before
    /// connect(2) reported that.
    pub const fn require_connectable(&self) -> Result<ConnectAttempt, Errno> {
        match self.role {
            Role::Unconnected => Ok(ConnectAttempt::First),
            Role::Connected { progress: ConnectProgress::Begun, .. } => Ok(ConnectAttempt::Again),
            Role::Connected { progress: ConnectProgress::Never, .. } => Err(Errno::EINVAL),
            _ => Err(Errno::EISCONN),
        }
    }

    /// Attaches a connection whose handshake begins.
    pub fn connect(&mut self, connection: Connection) {
        self.local = Some(connection.tuple().local);
        self.error = None;
        self.shutdown = Shutdown::empty();
        self.role = Role::Connected { connection: Box::new(connection), progress: ConnectProgress::Begun };
    }

    /// Returns the result of the handshake.
    ///
    /// # Errors
    /// The error of the connection; the socket is unconnected then. `ECONNABORTED`: the error was reported before.
    pub fn connecting(&mut self) -> Poll<Result<(), Errno>> {
        let Role::Connected { connection, progress } = &mut self.role else {
            return Poll::Ready(Err(Errno::ECONNABORTED));
        };
        match connection.state() {
            TcpState::Closed => {
                let error = connection.take_error().unwrap_or(Errno::ECONNABORTED);
                self.disconnect();
                Poll::Ready(Err(error))
            }
            state if state.is_opening() => Poll::Pending,
            _ => {
                *progress = ConnectProgress::Told;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Drops the connection or stops listening. Returns the listener, whose waiting connections the caller must reset.
    pub fn disconnect(&mut self) -> Option<Listener<C>> {
        let role = core::mem::replace(&mut self.role, Role::Unconnected);
        if !self.is_bound {
            self.local = None;
        }
        self.error = None;
        self.shutdown = Shutdown::empty();
        match role {
            Role::Listening(listener) => Some(listener),
            _ => None,
        }
    }

    /// Ends reading, writing or both: shutdown(2). For a listener the caller [disconnects](Self::disconnect).
    ///
    /// # Errors
    /// `ENOTCONN`: there is no connection.
    pub fn shut_down(&mut self, how: How) -> Result<(), Errno> {
        let mut what = Shutdown::empty();
        what.set(Shutdown::RECEIVE, how.reads());
        what.set(Shutdown::SEND, how.writes());
        if let Role::Connected { connection, progress: progress @ ConnectProgress::Begun } = &mut self.role {
            let is_over = connection.state() == TcpState::Closed;
            *progress = if is_over { ConnectProgress::Never } else { ConnectProgress::Told };
        }
        match &mut self.role {
            Role::Listening(_) => Ok(()),
            Role::Connected { connection, .. } if connection.state() != TcpState::Closed => {
                connection.shut_down(what);
                Ok(())
            }
            Role::Connected { .. } | Role::Unconnected => {
                self.shutdown |= what;
                Err(Errno::ENOTCONN)
            }
        }
    }
}
