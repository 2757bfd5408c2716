//! listen(2), connect(2) and accept(2) on a local socket.
//!
//! Source: unix(7), listen(2), accept(2); Linux 6.1 net/unix/af_unix.c (`unix_listen`, `unix_accept`).

use core::task::Poll;

use super::{Heritage, Kind, Role, UnixSocketState};
use crate::abi::errno::Errno;
use crate::net::abi::socket::Ucred;
use crate::net::tcp::listener::Listener;
use crate::net::tcp::readiness::Shutdown;

impl<P: Clone, R: Clone> UnixSocketState<P, R> {
    /// Lets others connect, who will see `credentials`.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: datagrams. `EINVAL`: it has no name, or is connected.
    pub fn listen(&mut self, backlog: i32, credentials: Ucred) -> Result<(), Errno> {
        if self.kind == Kind::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.name.is_none() {
            return Err(Errno::EINVAL);
        }
        match &mut self.role {
            Role::Connected(_) => return Err(Errno::EINVAL),
            Role::Listening(listener) => listener.set_backlog(backlog),
            Role::Unconnected => self.role = Role::Listening(Listener::new(backlog)),
        }
        self.credentials = Some(credentials);
        Ok(())
    }

    /// Keeps a place in the backlog, and tells what the connection inherits.
    ///
    /// # Errors
    /// `EPROTOTYPE`: it carries something else. `ECONNREFUSED`: it does not listen.
    pub fn begin(&mut self, kind: Kind) -> Poll<Result<Heritage, Errno>> {
        if self.kind != kind {
            return Poll::Ready(Err(Errno::EPROTOTYPE));
        }
        let is_open = !self.shutdown.contains(Shutdown::RECEIVE);
        match &mut self.role {
            Role::Listening(listener) if is_open => {
                if listener.begin() {
                    let credentials = self.credentials.unwrap_or(Ucred::NOBODY);
                    Poll::Ready(Ok(Heritage { name: self.name.clone(), credentials }))
                } else {
                    Poll::Pending
                }
            }
            _ => Poll::Ready(Err(Errno::ECONNREFUSED)),
        }
    }

    /// Gives the place up.
    pub fn fail(&mut self) {
        if let Role::Listening(listener) = &mut self.role {
            listener.fail();
        }
    }

    /// Puts `child` in its place. `false`: it does not listen any more.
    #[must_use]
    pub fn complete(&mut self, child: P) -> bool {
        let Role::Listening(listener) = &mut self.role else { return false };
        listener.complete(child);
        true
    }

    /// Takes the connection that has waited longest.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: datagrams. `EINVAL`: it does not listen, or was shut down.
    pub fn accept(&mut self) -> Poll<Result<P, Errno>> {
        if self.kind == Kind::Datagram {
            return Poll::Ready(Err(Errno::EOPNOTSUPP));
        }
        let is_shut = self.shutdown.contains(Shutdown::RECEIVE);
        let Role::Listening(listener) = &mut self.role else { return Poll::Ready(Err(Errno::EINVAL)) };
        match listener.accept() {
            Some(child) => Poll::Ready(Ok(child)),
            None if is_shut => Poll::Ready(Err(Errno::EINVAL)),
            None => Poll::Pending,
        }
    }

    /// Gives a connection back that could not be told.
    ///
    /// # Errors
    /// It does not listen any more: the connection.
    pub fn restore(&mut self, child: P) -> Result<(), P> {
        match &mut self.role {
            Role::Listening(listener) => {
                listener.restore(child);
                Ok(())
            }
            _ => Err(child),
        }
    }
}
