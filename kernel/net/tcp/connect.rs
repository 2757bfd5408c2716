//! connect(2) of TCP sockets: choosing the tuple of a connection, and disconnecting.
//!
//! Source: Linux 6.1 net/ipv4/tcp_ipv4.c (`tcp_v4_connect`), net/ipv4/inet_hashtables.c (`inet_hash_connect`),
//! net/ipv4/tcp.c (`tcp_disconnect`).

use alloc::sync::Arc;
use core::net::{Ipv4Addr, SocketAddrV4};

use rules::abi::errno::Errno;
use rules::net::tcp::connection::{CloseMode, Connection};
use rules::net::tcp::port::{self, Purpose, Sharing};
use rules::net::tcp::segment::{self, Tuple};
use rules::net::tcp::socket::{ConnectAttempt, TcpSocketState};

use super::TcpSocket;
use crate::machine::clock;
use crate::machine::memory::budget;
use crate::net::demux::{self, TupleOwner};
use crate::net::endpoint::{self, Endpoint};
use crate::net::stack::CONNECTION_BYTES;
use crate::net::{ports, route, stack};

impl TcpSocket {
    /// Begins a connection, or reports that one has begun.
    ///
    /// # Errors
    /// `EISCONN`: it is connected, or listens. `ENETUNREACH`: there is no route. `EINVAL`: none from its own address.
    /// `EADDRNOTAVAIL`: no port is free, or the two ends have a connection already. `ENOBUFS`: no memory.
    pub(super) fn connect_to(&self, remote: SocketAddrV4) -> Result<ConnectAttempt, Errno> {
        let remote = if remote.ip().is_unspecified() {
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, remote.port())
        } else {
            remote
        };
        self.endpoint.change(|socket| {
            let attempt = socket.require_connectable()?;
            if attempt == ConnectAttempt::First {
                let source = route::source_for(*remote.ip())?;
                let _grant = budget::grant(CONNECTION_BYTES).map_err(|_| Errno::ENOBUFS)?;
                let tuple = self.reserve(socket, source, remote)?;
                let path = route::to(*remote.ip())?.link.path();
                let connection =
                    Connection::connect(tuple, path, stack::resources(), socket.options(), clock::now());
                socket.connect(connection);
            }
            Ok(attempt)
        })
    }

    /// Chooses the local end of a connection to `remote`, and reserves the tuple.
    fn reserve(
        &self,
        socket: &TcpSocketState<Arc<Endpoint>>,
        source: Ipv4Addr,
        remote: SocketAddrV4,
    ) -> Result<Tuple, Errno> {
        let now = clock::now();
        let bound = socket.local();
        let source =
            bound.map(|address| *address.ip()).filter(|ip| segment::is_unicast(*ip)).unwrap_or(source);
        route::check(source, *remote.ip())?;
        let sharing = endpoint::sharing(socket.options());
        let take = |port, sharing: Sharing| {
            let tuple = Tuple { local: SocketAddrV4::new(source, port), remote };
            demux::insert(tuple, TupleOwner::Endpoint(self.endpoint.clone()), sharing, now).map(|()| tuple)
        };
        if let Some(port) = socket.bound_port() {
            return take(port, sharing);
        }
        for port in port::candidates(ports::next(), Purpose::Connect) {
            if ports::lock().is_bound(port) {
                continue;
            }
            match take(port, sharing) {
                Err(Errno::EADDRNOTAVAIL) => {}
                other => return other,
            }
        }
        Err(Errno::EADDRNOTAVAIL)
    }

    /// Undoes connect(2) and listen(2), for connect(2) with `AF_UNSPEC`.
    pub(super) fn disconnect(&self) {
        let now = clock::now();
        self.endpoint.change(|socket| {
            if let Some(connection) = socket.connection() {
                connection.close(CloseMode::Reset, now);
            }
        });
        self.stop_listening();
        let _ = self.endpoint.state.lock().disconnect();
    }
}
