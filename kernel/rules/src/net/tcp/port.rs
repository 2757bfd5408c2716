//! The table of bound TCP ports.
//!
//! Owns: the bindings of sockets to ports, and the number of connections that use each port.   Not here: tuples.
//! Invariant: two bindings overlap only where both sides allow it.
//! Source: socket(7), ip(7); Linux 6.1 net/ipv4/inet_connection_sock.c (`inet_csk_bind_conflict`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};

use crate::abi::errno::Errno;

/// The range of ports that the system chooses from: `ip_local_port_range`.
pub const EPHEMERAL: core::ops::RangeInclusive<u16> = 32768..=60999;

/// Identifies the socket that holds a binding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Owner(pub u64);

/// Whether a socket shares its address or its port with others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sharing {
    /// `SO_REUSEADDR`.
    pub address: bool,
    /// The user, if `SO_REUSEPORT` is set.
    pub port: Option<u32>,
}

#[derive(Debug)]
struct Binding<L> {
    owner: Owner,
    address: Ipv4Addr,
    sharing: Sharing,
    listener: Option<L>,
}

#[derive(Debug)]
struct PortUsers<L> {
    bindings: Vec<Binding<L>>,
    /// Connections whose sockets share the address, and those that do not.
    sharing: usize,
    exclusive: usize,
}

/// The table of TCP ports; `L` is a reference to a listener.
#[derive(Debug)]
pub struct TcpPorts<L> {
    ports: BTreeMap<u16, PortUsers<L>>,
}

impl<L> Default for TcpPorts<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L> TcpPorts<L> {
    /// Creates an empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { ports: BTreeMap::new() }
    }

    /// Binds `owner` to `address`.
    ///
    /// # Errors
    /// `EADDRINUSE`: another socket has the address and does not share it.
    pub fn bind(&mut self, owner: Owner, address: SocketAddrV4, sharing: Sharing) -> Result<(), Errno> {
        let port = self.port(address.port());
        let is_free = port.allows(*address.ip(), sharing);
        if is_free {
            port.bindings.push(Binding { owner, address: *address.ip(), sharing, listener: None });
        }
        self.forget_if_unused(address.port());
        if is_free { Ok(()) } else { Err(Errno::EADDRINUSE) }
    }

    /// Binds `owner` to a port of the system's choice, trying from `start` on, and returns it.
    ///
    /// # Errors
    /// `EADDRINUSE`: all ports are taken.
    pub fn bind_any(
        &mut self,
        owner: Owner,
        address: Ipv4Addr,
        sharing: Sharing,
        start: u16,
    ) -> Result<u16, Errno> {
        let port = candidates(start, Purpose::Bind)
            .find(|port| !self.ports.contains_key(port))
            .ok_or(Errno::EADDRINUSE)?;
        self.bind(owner, SocketAddrV4::new(address, port), sharing).map(|()| port)
    }

    /// Returns whether a socket was bound to `port`, so that connections do not get it by chance.
    #[must_use]
    pub fn is_bound(&self, port: u16) -> bool {
        self.ports.get(&port).is_some_and(|port| !port.bindings.is_empty())
    }

    /// Makes `owner`, which is bound to `address`, receive SYNs.
    ///
    /// # Errors
    /// `EADDRINUSE`: another socket listens there already.
    pub fn listen(&mut self, owner: Owner, address: SocketAddrV4, listener: L) -> Result<(), Errno> {
        let port = self.port(address.port());
        let Some(own) = port.bindings.iter().find(|binding| binding.owner == owner) else {
            return Err(Errno::EADDRINUSE);
        };
        let conflicts = port.bindings.iter().any(|other| {
            other.owner != owner
                && other.listener.is_some()
                && overlap(other.address, own.address)
                && !other.sharing.is_one_port(own.sharing)
        });
        if conflicts {
            return Err(Errno::EADDRINUSE);
        }
        if let Some(own) = port.bindings.iter_mut().find(|binding| binding.owner == owner) {
            own.listener = Some(listener);
        }
        Ok(())
    }

    /// Stops `owner` from receiving SYNs; it stays bound.
    pub fn unlisten(&mut self, owner: Owner, port: u16) {
        let bindings = self.ports.get_mut(&port).map(|port| &mut port.bindings);
        for binding in bindings.into_iter().flatten().filter(|binding| binding.owner == owner) {
            binding.listener = None;
        }
    }

    /// Removes the binding of `owner`.
    pub fn release(&mut self, owner: Owner, port: u16) {
        if let Some(port) = self.ports.get_mut(&port) {
            port.bindings.retain(|binding| binding.owner != owner);
        }
        self.forget_if_unused(port);
    }

    /// Counts a connection that uses `port`.
    pub fn connect(&mut self, port: u16, sharing: Sharing) {
        *self.port(port).connections(sharing) += 1;
    }

    /// Discounts a connection that has ended.
    pub fn disconnect(&mut self, port: u16, sharing: Sharing) {
        let count = self.port(port).connections(sharing);
        *count = count.saturating_sub(1);
        self.forget_if_unused(port);
    }

    fn port(&mut self, port: u16) -> &mut PortUsers<L> {
        self.ports.entry(port).or_insert_with(|| PortUsers { bindings: Vec::new(), sharing: 0, exclusive: 0 })
    }

    fn forget_if_unused(&mut self, number: u16) {
        let is_unused = |port: &PortUsers<L>| port.bindings.is_empty() && port.sharing + port.exclusive == 0;
        if self.ports.get(&number).is_some_and(is_unused) {
            self.ports.remove(&number);
        }
    }
}

impl<L: Clone> TcpPorts<L> {
    /// Iterates over the listeners, by port.
    pub fn listeners(&self) -> impl Iterator<Item = &L> {
        self.ports.values().flat_map(|port| &port.bindings).filter_map(|binding| binding.listener.as_ref())
    }

    /// Finds the listener for `address`: one bound to exactly this address before one bound to any; among equals `hash`
    /// decides.
    #[must_use]
    pub fn listener(&self, address: SocketAddrV4, hash: usize) -> Option<L> {
        let bindings = &self.ports.get(&address.port())?.bindings;
        let found = |bound: Ipv4Addr| {
            let listening = || bindings.iter().filter(move |binding| binding.address == bound);
            let count = listening().filter(|binding| binding.listener.is_some()).count();
            let chosen = hash.checked_rem(count)?;
            listening().filter_map(|binding| binding.listener.clone()).nth(chosen)
        };
        found(*address.ip()).or_else(|| found(Ipv4Addr::UNSPECIFIED))
    }
}

impl<L> PortUsers<L> {
    fn allows(&self, address: Ipv4Addr, sharing: Sharing) -> bool {
        let connections_allow = self.exclusive == 0 && (self.sharing == 0 || sharing.address)
            || sharing.port.is_some() && !self.bindings.is_empty();
        let conflicts = self.bindings.iter().any(|other| {
            let is_shared = sharing.address && other.sharing.address && other.listener.is_none()
                || sharing.is_one_port(other.sharing);
            overlap(other.address, address) && !is_shared
        });
        connections_allow && !conflicts
    }

    const fn connections(&mut self, sharing: Sharing) -> &mut usize {
        if sharing.address { &mut self.sharing } else { &mut self.exclusive }
    }
}

impl Sharing {
    /// Returns whether both belong to one group with `SO_REUSEPORT`.
    fn is_one_port(self, other: Self) -> bool {
        self.port.is_some() && self.port == other.port
    }
}

/// What a port is chosen for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// bind(2): odd ports first.
    Bind,
    /// connect(2): even ports first. So a client that connects to a port which a listener has just left does not get
    /// the same port and connect to itself.
    Connect,
}

/// Iterates over all ports that the system may choose, from about `start` on.
///
/// Source: Linux 6.1 net/ipv4/inet_connection_sock.c (`inet_csk_find_open_port`), net/ipv4/inet_hashtables.c
/// (`__inet_hash_connect`).
pub fn candidates(start: u16, purpose: Purpose) -> impl Iterator<Item = u16> {
    // The first port is even, and there are as many even as odd ones.
    let half = (EPHEMERAL.end() - EPHEMERAL.start()).div_ceil(2);
    let first = u16::from(purpose == Purpose::Bind);
    [first, 1 - first].into_iter().flat_map(move |parity| {
        (0..half).map(move |step| {
            let offset = (u32::from(start) + u32::from(step)) % u32::from(half);
            EPHEMERAL.start() + 2 * offset as u16 + parity
        })
    })
}

fn overlap(one: Ipv4Addr, other: Ipv4Addr) -> bool {
    one.is_unspecified() || other.is_unspecified() || one == other
}

#[cfg(test)]
mod tests;
