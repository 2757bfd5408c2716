//! smoltcp's socket with its two buffers, in a set of its own.
//!
//! Owns: pools of unused sockets, in two sizes. A socket that connects or listens forgets everything but the options
//! that [`SmoltcpSocket::prepare`] sets.

use alloc::vec;
use alloc::vec::Vec;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};

use super::ACKNOWLEDGMENT;
use crate::machine::fallible;
use crate::net::tcp::path::PathKind;
use crate::net::tcp::pool::Pool;
use crate::net::tcp::state::TcpState;

/// The size of each of a connection's two buffers at first.
pub(in crate::net::tcp) const BUFFER: usize = 16 * 1024;

/// The size of each of the two buffers of a connection that moves bulk data.
pub(in crate::net::tcp) const LARGE_BUFFER: usize = 63 * 1024;

const _: () = assert!(LARGE_BUFFER < 65536, "a peer could panic smoltcp");

static POOL: Pool<SocketInSet> = Pool::new(32);
static LARGE_POOL: Pool<SocketInSet> = Pool::new(4);

type SocketInSet = (SocketSet<'static>, SocketHandle);

/// Returns whether this many bytes may be allocated for something that a connection can do without.
pub type MemoryBudget = fn(usize) -> bool;

/// A smoltcp socket in a set of its own.
pub(super) struct SmoltcpSocket {
    pub(super) set: SocketSet<'static>,
    pub(super) handle: SocketHandle,
    /// The size of each of its buffers.
    pub(super) room: usize,
}

impl SmoltcpSocket {
    /// Takes or creates a socket with buffers of [`BUFFER`] bytes.
    pub(super) fn new() -> Self {
        let ring = || SocketBuffer::new(vec![0; BUFFER]);
        let (set, handle) = POOL.take().unwrap_or_else(|| parts(ring(), ring()));
        Self { set, handle, room: BUFFER }
    }

    /// Takes or creates a socket with buffers of [`LARGE_BUFFER`] bytes. `None`: `budget` refuses, or allocation fails.
    pub(super) fn try_large(budget: MemoryBudget) -> Option<Self> {
        if !budget(2 * LARGE_BUFFER) {
            return None;
        }
        let ring = || Some(SocketBuffer::new(fallible::zeroes(LARGE_BUFFER).ok()?));
        let (set, handle) = LARGE_POOL.take().or_else(|| Some(parts(ring()?, ring()?)))?;
        Some(Self { set, handle, room: LARGE_BUFFER })
    }

    /// Sets the options for a connection over `path`.
    pub(super) fn prepare(&mut self, path: PathKind) {
        let socket = self.socket_mut();
        socket.set_ack_delay(Some(ACKNOWLEDGMENT.into()));
        match path {
            // There is no network to protect from congestion or small segments.
            PathKind::Local => {
                socket.set_nagle_enabled(false);
                socket.set_congestion_control(CongestionControl::None);
            }
            PathKind::Link { .. } => {
                socket.set_nagle_enabled(true);
                socket.set_congestion_control(CongestionControl::Reno);
            }
        }
    }

    pub(super) fn socket(&self) -> &Socket<'static> {
        self.set.get(self.handle)
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket<'static> {
        self.set.get_mut(self.handle)
    }
}

fn parts(receive: SocketBuffer<'static>, send: SocketBuffer<'static>) -> SocketInSet {
    let mut set = SocketSet::new(Vec::with_capacity(1));
    let handle = set.add(Socket::new(receive, send));
    (set, handle)
}

impl Drop for SmoltcpSocket {
    fn drop(&mut self) {
        // Only a closed socket can connect or listen.
        self.socket_mut().abort();
        let set = core::mem::replace(&mut self.set, SocketSet::new(Vec::new()));
        let pool = if self.room == BUFFER { &POOL } else { &LARGE_POOL };
        pool.give((set, self.handle));
    }
}

impl From<State> for TcpState {
    fn from(state: State) -> Self {
        match state {
            State::Closed => Self::Closed,
            State::Listen => Self::Listen,
            State::SynSent => Self::SynSent,
            State::SynReceived => Self::SynReceived,
            State::Established => Self::Established,
            State::FinWait1 => Self::FinWait1,
            State::FinWait2 => Self::FinWait2,
            State::CloseWait => Self::CloseWait,
            State::Closing => Self::Closing,
            State::LastAck => Self::LastAck,
            State::TimeWait => Self::TimeWait,
        }
    }
}
