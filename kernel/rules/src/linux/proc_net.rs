//! Formats the lines of `/proc/net`: sockets, routes and neighbours.
//!
//! Fields without a counterpart here are 0: the address of a socket in memory, its time-out and its window.
//! Source: proc(5); Linux 6.1 net/ipv4/tcp_ipv4.c (`get_tcp4_sock`), net/ipv4/udp.c (`udp4_format_sock`),
//! net/unix/af_unix.c (`unix_seq_show`), net/ipv4/fib_trie.c (`fib_route_seq_show`), net/ipv4/arp.c
//! (`arp_format_neigh_entry`).

use alloc::format;
use alloc::string::String;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use crate::linux::unix::name::Name;
use crate::linux::unix::socket::Kind;
use crate::net::ethernet::Mac;
use crate::net::route::Route;

/// How long the lines of a table are, without their end.
const TCP_WIDTH: usize = 149;
const UDP_WIDTH: usize = 127;
const ROUTE_WIDTH: usize = 127;

/// An internet socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InetSocketLine {
    /// Its address.
    pub local: SocketAddrV4,
    /// The other end's; zeroes if there is none.
    pub remote: SocketAddrV4,
    /// The number of its state.
    pub state: u8,
    /// Bytes that wait to be sent, or to be acknowledged.
    pub sent: usize,
    /// Bytes that wait to be read, or connections that wait to be accepted.
    pub received: usize,
    /// What time will do, and when.
    pub timer: Timer,
    /// Whose it is.
    pub uid: u32,
    /// Its inode; 0 if no descriptor refers to it.
    pub inode: u64,
}

/// What time will do to a connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Timer {
    /// Nothing.
    #[default]
    None,
    /// Something is sent again.
    Repeat(Duration),
    /// The rest of it ends.
    TimeWait(Duration),
}

/// No address.
pub const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

/// Returns the head of the table of TCP's sockets.
#[must_use]
pub fn tcp_head() -> String {
    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
    format!("{HEAD:<TCP_WIDTH$}\n")
}

/// A TCP socket.
#[must_use]
pub fn tcp(number: usize, socket: &InetSocketLine) -> String {
    let text = match socket.timer {
        // What is not a whole socket has no more to tell.
        Timer::TimeWait(_) => format!("{number:4}: {} 1 {:016}", inet(socket), 0),
        _ => format!("{number:4}: {} 1 {:016} 0 0 0 0 -1", inet(socket), 0),
    };
    format!("{text:<TCP_WIDTH$}\n")
}

/// Returns the head of the table of UDP's sockets.
#[must_use]
pub fn udp_head() -> String {
    const HEAD: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
    format!("{HEAD:<UDP_WIDTH$}\n")
}

/// A UDP socket, and how many datagrams it had no room for.
#[must_use]
pub fn udp(number: usize, socket: &InetSocketLine, lost: u64) -> String {
    let text = format!("{number:5}: {} 1 {:016} {lost}", inet(socket), 0);
    format!("{text:<UDP_WIDTH$}\n")
}

fn inet(socket: &InetSocketLine) -> String {
    // Clock ticks of a hundredth of a second.
    let ticks = |time: Duration| time.as_millis() / 10;
    let (timer, when) = match socket.timer {
        Timer::None => (0, 0),
        Timer::Repeat(time) => (1, ticks(time)),
        Timer::TimeWait(time) => (3, ticks(time)),
    };
    let InetSocketLine { state, sent, received, uid, inode, .. } = *socket;
    let [local, remote] = [socket.local, socket.remote]
        .map(|address| format!("{:08X}:{:04X}", word(*address.ip()), address.port()));
    format!(
        "{local} {remote} {state:02X} {sent:08X}:{received:08X} {timer:02X}:{when:08X} {:08X} {uid:5} {:8} {inode}",
        0, 0
    )
}

/// An address as the number that its bytes are on this machine.
const fn word(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}

/// A local socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnixSocketLine<'a> {
    /// How many know it.
    pub references: usize,
    /// What it carries.
    pub kind: Kind,
    /// Whether it listens.
    pub is_listening: bool,
    /// Whether it has another end.
    pub is_connected: bool,
    /// Whether a descriptor refers to it.
    pub is_open: bool,
    /// Its inode; 0 if no descriptor refers to it.
    pub inode: u64,
    /// Its name.
    pub name: Option<&'a Name>,
}

/// The head of the table of local sockets.
pub const LOCAL_HEAD: &str = "Num       RefCount Protocol Flags    Type St Inode Path\n";

/// A local socket.
#[must_use]
pub fn local(socket: &UnixSocketLine<'_>) -> String {
    const LISTENS: u32 = 1 << 16;
    let flags = if socket.is_listening { LISTENS } else { 0 };
    let kind = match socket.kind {
        Kind::Stream => 1,
        Kind::Datagram => 2,
        Kind::SeqPacket => 5,
    };
    let state = match (socket.is_open, socket.is_connected) {
        (true, false) => 1,
        (false, true) => 2,
        (true, true) => 3,
        (false, false) => 4,
    };
    let name = match socket.name {
        None => String::new(),
        Some(Name::Path(path)) => format!(" {}", String::from_utf8_lossy(path)),
        // Zeroes cannot be seen.
        Some(Name::Abstract(name)) => format!(" {}", String::from_utf8_lossy(name).replace('\0', "@")),
    };
    let (references, inode) = (socket.references, socket.inode);
    format!("{:016}: {references:08X} {:08X} {flags:08X} {kind:04X} {state:02X} {inode:5}{name}\n", 0, 0)
}

/// Returns the head of the table of routes.
#[must_use]
pub fn route_head() -> String {
    const HEAD: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
    format!("{HEAD:<ROUTE_WIDTH$}\n")
}

/// A route over the interface of that name.
#[must_use]
pub fn route(interface: &str, route: &Route) -> String {
    // `RTF_UP`, `RTF_GATEWAY`, `RTF_HOST`.
    const UP: u32 = 1;
    const GATEWAY: u32 = 2;
    const HOST: u32 = 4;
    let mut flags = UP;
    if route.gateway.is_some() {
        flags |= GATEWAY;
    }
    if route.prefix_len == 32 {
        flags |= HOST;
    }
    let (to, mask) = (word(route.to), word(route.mask()));
    let gateway = word(route.gateway.unwrap_or(Ipv4Addr::UNSPECIFIED));
    let text = format!("{interface}\t{to:08X}\t{gateway:08X}\t{flags:04X}\t0\t0\t0\t{mask:08X}\t0\t0\t0");
    format!("{text:<ROUTE_WIDTH$}\n")
}

/// The head of the table of neighbours.
pub const NEIGHBOUR_HEAD: &str =
    "IP address       HW type     Flags       HW address            Mask     Device\n";

/// A neighbour on the interface of that name; without an address as long as it has not answered.
#[must_use]
pub fn neighbour(interface: &str, ip: Ipv4Addr, mac: Option<Mac>) -> String {
    // `ARPHRD_ETHER`; `ATF_COM`.
    const ETHER: u8 = 1;
    const COMPLETE: u8 = 2;
    let flags = if mac.is_some() { COMPLETE } else { 0 };
    let [a, b, c, d, e, f] = mac.map_or([0; 6], |mac| mac.0);
    let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
    format!("{ip:<16} 0x{ETHER:<10x}0x{flags:<10x}{mac:<17}     *        {interface}\n", ip = format!("{ip}"))
}

/// How many sockets there are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SocketCounts {
    /// Of all families.
    pub all: usize,
    /// TCP's: those that packets find…
    pub tcp: usize,
    /// …those of them without a descriptor…
    pub orphans: usize,
    /// …what is left of connections…
    pub time_wait: usize,
    /// …and all that take memory.
    pub tcp_made: usize,
    /// Pages of bytes in their queues.
    pub tcp_pages: usize,
    /// UDP's, those with a port.
    pub udp: usize,
    /// Pages of datagrams in their queues.
    pub udp_pages: usize,
}

/// Returns the text about them.
#[must_use]
pub fn counts(counts: &SocketCounts) -> String {
    let SocketCounts { all, tcp, orphans, time_wait, tcp_made, tcp_pages, udp, udp_pages } = counts;
    format!(
        "sockets: used {all}\nTCP: inuse {tcp} orphan {orphans} tw {time_wait} alloc {tcp_made} mem {tcp_pages}\n\
         UDP: inuse {udp} mem {udp_pages}\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::network::Network;
    use crate::net::route;

    #[test]
    fn a_connection_is_written_as_linux_writes_it() {
        let socket = InetSocketLine {
            local: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080),
            remote: SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, 2), 50_000),
            state: 1,
            sent: 0x12,
            received: 5,
            timer: Timer::Repeat(Duration::from_millis(210)),
            uid: 1000,
            inode: 4242,
        };
        let line = tcp(3, &socket);
        assert_eq!(line.len(), 150);
        let expected = "   3: 0100007F:1F90 0202000A:C350 01 00000012:00000005 01:00000015 00000000  1000        0 4242 1 \
                        0000000000000000 0 0 0 0 -1 ";
        assert!(line.starts_with(expected), "{line}");
        assert_eq!((tcp_head().len(), udp_head().len(), udp(1, &socket, 7).len()), (150, 128, 128));
        assert!(udp(1, &socket, 7).trim_end().ends_with(" 4242 1 0000000000000000 7"));
        let rest = InetSocketLine { timer: Timer::TimeWait(Duration::from_secs(60)), state: 6, ..socket };
        assert!(tcp(0, &rest).contains(" 06 00000012:00000005 03:00001770 "));
    }

    #[test]
    fn local_sockets_show_zeroes_as_at() {
        let name = Name::Abstract(b"\0a\0b"[..].into());
        let socket = UnixSocketLine {
            references: 2,
            kind: Kind::SeqPacket,
            is_listening: true,
            is_connected: false,
            is_open: true,
            inode: 17,
            name: Some(&name),
        };
        let line = local(&socket);
        assert_eq!(line, "0000000000000000: 00000002 00000000 00010000 0005 01    17 @a@b\n");
        assert!(local(&UnixSocketLine { name: None, ..socket }).ends_with("    17\n"));
    }

    #[test]
    fn routes_and_neighbours_are_written_as_linux_writes_them() {
        let routes = route::all(Some(&Network::QEMU_USER));
        let line = super::route("eth0", &routes[0]);
        assert_eq!(line.trim_end(), "eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0");
        assert_eq!((line.len(), route_head().len()), (128, 128));
        let line = super::route("eth0", &routes[1]);
        assert_eq!(line.trim_end(), "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0");
        let line = neighbour("eth0", Ipv4Addr::new(10, 0, 2, 2), Some(Mac([0x52, 0x55, 10, 0, 2, 2])));
        let expected = "10.0.2.2         0x1         0x2         52:55:0a:00:02:02     *        eth0\n";
        assert_eq!(line, expected);
    }
}
