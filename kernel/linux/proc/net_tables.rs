//! The tables of `/proc/net`: sockets, routes and neighbours.
//!
//! Not here: the format of a line (`rules::linux::proc_net`), traffic (`traffic`).
//! The sockets are collected first, each table under its own lock (rank 4); then each socket is read under its own
//! (rank 3). So a table is not a snapshot of one moment, as on Linux. It is sorted by address.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use rules::abi::errno::Errno;
use rules::linux::proc_net::{self, InetSocketLine, NOWHERE, SocketCounts, Timer, UnixSocketLine};
use rules::machine::fallible;
use rules::net::route::RoutingTable;
use rules::net::tcp::TcpState;
use rules::net::tcp::segment::Tuple;

use crate::linux::fs::tmpfs::dynamic::{self, Text};
use crate::linux::unix;
use crate::machine::clock;
use crate::machine::memory::layout::PAGE_SIZE;
use crate::machine::memory::paged::PagedBytes;
use crate::net::counters::{self, Kind};
use crate::net::demux::{self, TupleOwner};
use crate::net::endpoint::Endpoint;
use crate::net::{ethernet, interface, ports, timer, udp};

/// A text that grows as long as memory is available.
#[derive(Default)]
struct Lines(PagedBytes);

impl Lines {
    fn new(head: &str) -> Result<Self, Errno> {
        let mut lines = Self::default();
        lines.push(head)?;
        Ok(lines)
    }

    fn push(&mut self, line: &str) -> Result<(), Errno> {
        self.0.push(line.as_bytes())
    }

    fn finish(self) -> Result<Text, Errno> {
        fallible::shared(self.0)
    }
}

/// Lists TCP sockets: listeners, then connections.
///
/// # Errors
/// `ENOMEM`: there are too many to list.
pub(crate) fn tcp() -> Result<Text, Errno> {
    let mut lines = Lines::new(&proc_net::tcp_head())?;
    let mut connections = demux::all()?;
    connections.sort_unstable_by_key(|(tuple, _)| *tuple);
    let listening = ports::listeners()?.map(|endpoint| listener(&endpoint));
    let connected = connections.iter().map(|(tuple, found)| connection(tuple, found));
    for (number, socket) in listening.chain(connected).enumerate() {
        lines.push(&proc_net::tcp(number, &socket))?;
    }
    lines.finish()
}

/// Describes a socket by what is known without locking it.
fn unasked(endpoint: &Endpoint) -> InetSocketLine {
    let uid = endpoint.holder.uid();
    InetSocketLine {
        local: NOWHERE,
        remote: NOWHERE,
        state: TcpState::Closed.number(),
        sent: 0,
        received: 0,
        timer: Timer::None,
        uid: uid.unwrap_or(0),
        inode: uid.map_or(0, |_| endpoint.inode()),
    }
}

fn listener(endpoint: &Endpoint) -> InetSocketLine {
    let state = endpoint.state.read();
    InetSocketLine {
        local: state.local().unwrap_or(NOWHERE),
        state: state.state().number(),
        received: state.info().unacked as usize,
        ..unasked(endpoint)
    }
}

fn connection(tuple: &Tuple, found: &TupleOwner) -> InetSocketLine {
    let nobodys = InetSocketLine {
        local: tuple.local,
        remote: tuple.remote,
        state: 0,
        sent: 0,
        received: 0,
        timer: Timer::None,
        uid: 0,
        inode: 0,
    };
    let now = clock::now();
    match found {
        TupleOwner::Endpoint(endpoint) => {
            let state = endpoint.state.read();
            let sent = state.queued().unwrap_or(0);
            let timer = match timer::next(endpoint) {
                Some(at) if sent > 0 => Timer::Repeat(at.saturating_sub(now)),
                _ => Timer::None,
            };
            InetSocketLine {
                local: tuple.local,
                remote: tuple.remote,
                state: state.state().number(),
                sent,
                received: state.unread().unwrap_or(0),
                timer,
                ..unasked(endpoint)
            }
        }
        TupleOwner::Request(listener) => InetSocketLine {
            state: TcpState::SynReceived.number(),
            timer: Timer::Repeat(timer::next(listener).map_or(Duration::ZERO, |at| at.saturating_sub(now))),
            uid: listener.holder.uid().unwrap_or(0),
            ..nobodys
        },
        TupleOwner::TimeWait(rest) => InetSocketLine {
            state: TcpState::TimeWait.number(),
            timer: Timer::TimeWait(rest.end().saturating_sub(now)),
            ..nobodys
        },
    }
}

/// Lists UDP sockets that have a port.
///
/// # Errors
/// `ENOMEM`: there are too many to list.
pub(crate) fn udp() -> Result<Text, Errno> {
    let mut lines = Lines::new(&proc_net::udp_head())?;
    for (number, report) in udp::all()?.enumerate() {
        let socket = InetSocketLine {
            local: report.local,
            remote: report.remote.unwrap_or(NOWHERE),
            // TCP's numbers: established, or closed.
            state: if report.remote.is_some() { 1 } else { 7 },
            sent: 0,
            received: report.held,
            timer: Timer::None,
            uid: report.uid,
            inode: report.inode,
        };
        lines.push(&proc_net::udp(number, &socket, report.lost))?;
    }
    lines.finish()
}

/// Lists local sockets.
///
/// # Errors
/// `ENOMEM`: there are too many to list.
pub(crate) fn unix() -> Result<Text, Errno> {
    let mut lines = Lines::new(proc_net::LOCAL_HEAD)?;
    for endpoint in unix::all()? {
        let state = endpoint.state.read();
        if state.is_dead() {
            continue;
        }
        let name = state.name().cloned();
        let uid = endpoint.holder.uid();
        let socket = UnixSocketLine {
            // Without the reference of this list.
            references: Arc::strong_count(&endpoint) - 1,
            kind: state.kind(),
            is_listening: state.is_listening(),
            is_connected: state.peer().is_some(),
            is_open: uid.is_some(),
            inode: uid.map_or(0, |_| endpoint.inode),
            name: name.as_ref(),
        };
        drop(state);
        lines.push(&proc_net::local(&socket))?;
    }
    lines.finish()
}

/// Lists the routing table.
pub(crate) fn route() -> Vec<u8> {
    let mut text = proc_net::route_head();
    for route in interface::routes().iter().filter(|route| route.table == RoutingTable::Main) {
        if let Some(interface) = interface::all().find(|interface| interface.index == route.interface) {
            text.push_str(&proc_net::route(interface.name, route));
        }
    }
    text.into_bytes()
}

/// Lists the neighbours.
pub(crate) fn arp() -> Vec<u8> {
    let mut text = String::from(proc_net::NEIGHBOUR_HEAD);
    for (ip, mac) in ethernet::get().map(ethernet::Ethernet::neighbours).unwrap_or_default() {
        text.push_str(&proc_net::neighbour(ethernet::NAME, ip, mac));
    }
    text.into_bytes()
}

/// Counts the sockets of each kind.
///
/// # Errors
/// `ENOMEM`: there are too many to count.
pub(crate) fn sockstat() -> Result<Text, Errno> {
    let pages = |bytes: usize| bytes.div_ceil(PAGE_SIZE);
    let mut counts = SocketCounts {
        all: counters::total(),
        tcp: ports::listeners()?.count(),
        tcp_made: counters::count(Kind::Tcp),
        ..SocketCounts::default()
    };
    let mut bytes = 0;
    for (_, found) in demux::all()? {
        match found {
            TupleOwner::Endpoint(endpoint) => {
                counts.tcp += 1;
                counts.orphans += usize::from(endpoint.holder.has_left());
                let state = endpoint.state.read();
                bytes += state.queued().unwrap_or(0) + state.unread().unwrap_or(0);
            }
            TupleOwner::Request(_) => {}
            TupleOwner::TimeWait(_) => counts.time_wait += 1,
        }
    }
    counts.tcp_pages = pages(bytes);
    let mut held = 0;
    for socket in udp::all()? {
        counts.udp += 1;
        held += socket.held;
    }
    counts.udp_pages = pages(held);
    dynamic::text(proc_net::counts(&counts))
}
