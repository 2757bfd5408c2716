//! The table of bound UDP ports, and which socket receives a datagram.
//!
//! Invariant: two sockets share an address only if both allow it.
//! Source: udp(7); Linux 6.1 net/ipv4/udp.c (`inet_rcv_saddr_equal`, `compute_score`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};

use crate::abi::errno::Errno;
use crate::net::tcp::port::{Owner, Purpose, Sharing, candidates};

/// A socket that is bound to a port.
#[derive(Debug)]
struct PortHolder<S> {
    owner: Owner,
    address: Ipv4Addr,
    /// The only sender that it receives from, if it is connected.
    remote: Option<SocketAddrV4>,
    sharing: Sharing,
    socket: S,
}

/// The table of UDP ports; `S` is a reference to a socket.
#[derive(Debug)]
pub struct UdpPorts<S> {
    ports: BTreeMap<u16, Vec<PortHolder<S>>>,
}

impl<S> Default for UdpPorts<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> UdpPorts<S> {
    /// Creates an empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { ports: BTreeMap::new() }
    }

    /// Binds `owner` to `address`; port 0 means one of the system's choice, from about `start` on. Returns the port.
    ///
    /// # Errors
    /// `EADDRINUSE`: another socket has it and does not share it, or all ports are taken.
    pub fn bind(
        &mut self,
        owner: Owner,
        address: SocketAddrV4,
        sharing: Sharing,
        start: u16,
        socket: S,
    ) -> Result<u16, Errno> {
        let port = match address.port() {
            0 => candidates(start, Purpose::Bind)
                .find(|port| !self.ports.contains_key(port))
                .ok_or(Errno::EADDRINUSE)?,
            port => port,
        };
        let holders = self.ports.get(&port).map_or(&[][..], Vec::as_slice);
        let is_taken = |holder: &PortHolder<S>| {
            let overlaps = holder.address.is_unspecified()
                || address.ip().is_unspecified()
                || holder.address == *address.ip();
            let shares = holder.sharing.address && sharing.address
                || holder.sharing.port.is_some() && holder.sharing.port == sharing.port;
            overlaps && !shares
        };
        if holders.iter().any(is_taken) {
            return Err(Errno::EADDRINUSE);
        }
        let holders = self.ports.entry(port).or_default();
        holders.push(PortHolder { owner, address: *address.ip(), remote: None, sharing, socket });
        Ok(port)
    }

    /// Moves `owner` to `address`, whose port it has, and restricts it to `remote`.
    pub fn connect(&mut self, owner: Owner, address: SocketAddrV4, remote: Option<SocketAddrV4>) {
        let holders = self.ports.get_mut(&address.port()).into_iter().flatten();
        for holder in holders.filter(|holder| holder.owner == owner) {
            (holder.address, holder.remote) = (*address.ip(), remote);
        }
    }

    /// Changes whether `owner` shares its address.
    pub fn share(&mut self, owner: Owner, port: u16, sharing: Sharing) {
        let holders = self.ports.get_mut(&port).into_iter().flatten();
        for holder in holders.filter(|holder| holder.owner == owner) {
            holder.sharing = sharing;
        }
    }

    /// Removes `owner` from its port.
    pub fn release(&mut self, owner: Owner, port: u16) {
        if let Some(holders) = self.ports.get_mut(&port) {
            holders.retain(|holder| holder.owner != owner);
            if holders.is_empty() {
                self.ports.remove(&port);
            }
        }
    }

    /// Iterates over the sockets, by port.
    pub fn sockets(&self) -> impl Iterator<Item = &S> {
        self.ports.values().flatten().map(|holder| &holder.socket)
    }

    /// Finds the socket that receives a datagram: one connected to `from` before others, one bound to exactly `to`
    /// before one bound to any address; among equals the last that was bound.
    #[must_use]
    pub fn find(&self, from: SocketAddrV4, to: SocketAddrV4) -> Option<&S> {
        let score = |holder: &PortHolder<S>| {
            let at_address = match holder.address {
                Ipv4Addr::UNSPECIFIED => 0,
                address if address == *to.ip() => 1,
                _ => return None,
            };
            match holder.remote {
                None => Some(at_address),
                Some(remote) if remote == from => Some(at_address + 2),
                Some(_) => None,
            }
        };
        let holders = self.ports.get(&to.port())?;
        let scored = holders.iter().filter_map(|holder| Some((score(holder)?, holder)));
        scored.max_by_key(|(score, _)| *score).map(|(_, holder)| &holder.socket)
    }
}
