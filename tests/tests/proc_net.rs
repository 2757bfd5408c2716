//! proc(5), /proc/net: the lists of sockets, routes and neighbours.

use std::fs;
use std::net::Ipv4Addr;

use libc::{MSG_DONTWAIT, SHUT_WR, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_SEQPACKET, SOCK_STREAM};
use pollux_tests::socket::{
    self, Address, accept, bind, connect, listener, name, nonblocking_pair, pair, send, send_to,
    shutdown, tcp, udp,
};
use pollux_tests::unix;
use pollux_tests::{Fd, child, poll, sys, time};

fn text(file: &str) -> String {
    fs::read_to_string(format!("/proc/net/{file}")).unwrap()
}

/// Returns the inode of a socket, on which fstat(2) and `/proc/self/fd` must agree.
fn inode(fd: &Fd) -> u64 {
    let link = fs::read_link(format!("/proc/self/fd/{}", fd.number())).unwrap();
    // SAFETY: all-zero is a valid answer, and it is ours.
    let number = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        assert_eq!(libc::fstat(fd.number(), &raw mut stat), 0);
        stat.st_ino
    };
    assert_eq!(link.to_str().unwrap(), format!("socket:[{number}]"));
    number
}

/// Formats an address as the tables do.
fn hexadecimal(address: &Address) -> String {
    let parts = address.parts();
    format!("{:08X}:{:04X}", u32::from_ne_bytes(parts.ip().octets()), parts.port())
}

/// A line of the tables of internet sockets.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    local: String,
    remote: String,
    state: u8,
    sent: u64,
    received: u64,
    timer: String,
    uid: u32,
    inode: u64,
}

const NOBODY: &str = "00000000:0000";

fn rows(file: &str) -> Vec<Row> {
    let text = text(file);
    let mut lines = text.lines();
    let head = lines.next().unwrap().trim_start();
    assert!(head.starts_with("sl  local_address rem_address   st tx_queue rx_queue tr"), "{text}");
    let hexadecimal = |word: &str| u64::from_str_radix(word, 16).unwrap();
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (sent, received) = words[4].split_once(':').unwrap();
            Row {
                local: words[1].to_owned(),
                remote: words[2].to_owned(),
                state: hexadecimal(words[3]) as u8,
                sent: hexadecimal(sent),
                received: hexadecimal(received),
                timer: words[5][..2].to_owned(),
                uid: words[7].parse().unwrap(),
                inode: words[9].parse().unwrap(),
            }
        })
        .collect()
}

/// Returns the line with these ends.
fn row(file: &str, local: &Address, remote: Option<&Address>) -> Option<Row> {
    let (local, remote) = (hexadecimal(local), remote.map_or(NOBODY.to_owned(), hexadecimal));
    rows(file).into_iter().find(|row| row.local == local && row.remote == remote)
}

#[test]
fn net_is_what_a_process_sees_of_the_network() {
    assert_eq!(fs::read_link("/proc/net").unwrap().to_str(), Some("self/net"));
    let names: Vec<_> =
        fs::read_dir("/proc/self/net/").unwrap().map(|entry| entry.unwrap()).collect();
    for file in ["arp", "dev", "route", "sockstat", "tcp", "udp", "unix"] {
        let entry =
            names.iter().find(|entry| entry.file_name().to_str() == Some(file)).expect(file);
        assert!(entry.file_type().unwrap().is_file());
        let metadata = entry.metadata().unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()), 0o100_444);
        let own = std::process::id();
        assert!(fs::read(format!("/proc/{own}/net/{file}")).unwrap().ends_with(b"\n"));
        assert!(fs::read(format!("/proc/{own}/task/{own}/net/{file}")).is_ok());
    }
    assert!(fs::metadata("/proc/self/net").unwrap().is_dir());
    assert!(fs::metadata("/proc/net/none").is_err());
}

#[test]
fn a_listener_is_in_the_table_while_it_listens() {
    let fd = tcp(0);
    bind(&fd, &Address::local(0)).unwrap();
    let address = name(&fd).unwrap();
    assert_eq!(row("tcp", &address, None), None, "bound is not enough");
    socket::listen(&fd, 5).unwrap();
    let listening = Row {
        local: hexadecimal(&address),
        remote: NOBODY.to_owned(),
        state: 0x0a,
        sent: 0,
        received: 0,
        timer: "00".to_owned(),
        uid: 0,
        inode: inode(&fd),
    };
    assert_eq!(row("tcp", &address, None), Some(listening.clone()));
    let client = tcp(0);
    connect(&client, &address).unwrap();
    assert_eq!(row("tcp", &address, None), Some(Row { received: 1, ..listening.clone() }), "waits");
    let own = name(&client).unwrap();
    let waiting = row("tcp", &address, Some(&own)).unwrap();
    assert_eq!((waiting.state, waiting.inode), (1, 0), "nobody's yet");
    let server = accept(&fd, 0).unwrap();
    assert_eq!(row("tcp", &address, None), Some(listening));
    assert_eq!(row("tcp", &address, Some(&own)).unwrap().inode, inode(&server));
    assert_eq!(row("tcp", &own, Some(&address)).unwrap().inode, inode(&client));
    drop(fd);
    assert_eq!(row("tcp", &address, None), None);
}

#[test]
fn a_connection_has_a_state_and_queues() {
    let (client, server) = nonblocking_pair();
    let (own, address) = (name(&client).unwrap(), name(&server).unwrap());
    let (ours, theirs) = (|| row("tcp", &own, Some(&address)), || row("tcp", &address, Some(&own)));
    assert_eq!((ours().unwrap().state, theirs().unwrap().state), (1, 1));
    send(&client, b"hello", 0).unwrap();
    poll::poll(&mut [poll::entry(server.number(), libc::POLLIN)], 1000).unwrap();
    assert_eq!(theirs().unwrap().received, 5);
    while send(&client, &[0; 65_536], MSG_DONTWAIT).is_ok() {}
    let full = ours().unwrap();
    assert!(full.sent > 0, "{full:?}");
    assert!(theirs().unwrap().received > 5);
    while server.read(1 << 20).is_ok() {}
    shutdown(&client, SHUT_WR).unwrap();
    while server.read(1 << 20) != Ok(Vec::new()) {}
    // Linux acknowledges the end when it has time for it.
    for _ in 0..50 {
        if ours().unwrap().state == 5 {
            break;
        }
        time::settle();
    }
    assert_eq!((ours().unwrap().state, theirs().unwrap().state), (5, 8), "FIN_WAIT2, CLOSE_WAIT");
    let inode = inode(&client);
    assert_eq!(ours().unwrap().inode, inode);
    drop(client);
    let orphan = ours().unwrap();
    assert_eq!((orphan.state, orphan.inode), (5, 0));
    drop(server);
    assert_eq!(theirs(), None);
    let rest = ours().unwrap();
    assert_eq!((rest.state, rest.inode, &rest.timer[..]), (6, 0, "03"), "TIME_WAIT");
}

#[test]
fn a_socket_belongs_to_a_user() {
    child::run(|| {
        let before = tcp(0);
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_setresuid, [1000; 3]) }.unwrap();
        let (listener, address) = listener(5, 0);
        assert_eq!(row("tcp", &address, None).unwrap().uid, 1000);
        connect(&before, &address).unwrap();
        let own = name(&before).unwrap();
        assert_eq!(row("tcp", &own, Some(&address)).unwrap().uid, 0);
        let _server = accept(&listener, 0).unwrap();
        assert_eq!(row("tcp", &address, Some(&own)).unwrap().uid, 1000);
        let datagrams = udp(0);
        bind(&datagrams, &Address::local(0)).unwrap();
        assert_eq!(row("udp", &name(&datagrams).unwrap(), None).unwrap().uid, 1000);
    });
}

#[test]
fn datagram_sockets_with_a_port_are_in_their_table() {
    let fd = udp(0);
    bind(&fd, &Address::new(Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let address = name(&fd).unwrap();
    let found = row("udp", &address, None).unwrap();
    assert_eq!((found.state, found.sent, found.received), (7, 0, 0));
    assert_eq!((found.inode, found.uid), (inode(&fd), 0));
    let client = udp(0);
    send_to(&client, b"hello", &Address::local(address.parts().port())).unwrap();
    assert!(row("udp", &address, None).unwrap().received >= 5);
    fd.read(9).unwrap();
    assert_eq!(row("udp", &address, None).unwrap().received, 0);
    let to = Address::local(address.parts().port());
    connect(&client, &to).unwrap();
    let own = name(&client).unwrap();
    assert_eq!(row("udp", &own, Some(&to)).unwrap().state, 1);
    drop(fd);
    assert_eq!(row("udp", &address, None), None);
}

/// Returns the line of a local socket, as its words.
fn local(fd: &Fd) -> Vec<String> {
    let inode = inode(fd).to_string();
    let text = text("unix");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("Num       RefCount Protocol Flags    Type St Inode Path"));
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    lines.map(words).find(|words| words[6] == inode).expect("the socket")
}

#[test]
fn local_sockets_are_in_their_table() {
    let path = "/tmp/proc-net-unix";
    let _ = fs::remove_file(path);
    let fd = unix::socket(SOCK_STREAM);
    assert_eq!(local(&fd)[2..6], ["00000000", "00000000", "0001", "01"]);
    unix::bind(&fd, &unix::Address::path(path)).unwrap();
    socket::listen(&fd, 5).unwrap();
    assert_eq!(local(&fd)[2..6], ["00000000", "00010000", "0001", "01"]);
    assert_eq!(local(&fd)[7..], [path]);
    let client = unix::socket(SOCK_STREAM);
    unix::connect(&client, &unix::Address::path(path)).unwrap();
    let embryo = text("unix").lines().any(|line| line.contains(" 02 ") && line.ends_with(path));
    assert!(embryo, "{}", text("unix"));
    let server = accept(&fd, 0).unwrap();
    assert_eq!(local(&client)[3..6], ["00000000", "0001", "03"]);
    assert_eq!(local(&server)[3..6], ["00000000", "0001", "03"]);
    assert_eq!(local(&server)[7..], [path]);
    let hidden = unix::listener(SOCK_SEQPACKET, &unix::Address::hidden("proc-net"), 1);
    assert_eq!(local(&hidden)[4..6], ["0005", "01"]);
    assert_eq!(local(&hidden)[7..], ["@proc-net"]);
    let (one, _other) = unix::pair(SOCK_DGRAM);
    assert_eq!(local(&one)[4..6], ["0002", "03"]);
    assert_eq!(local(&one).len(), 7, "no name");
}

#[test]
fn no_two_sockets_have_one_inode() {
    let (one, other) = unix::pair(SOCK_STREAM);
    let more = [tcp(0), udp(0), unix::socket(SOCK_DGRAM), tcp(SOCK_NONBLOCK), one, other];
    let mut inodes: Vec<u64> = more.iter().map(inode).collect();
    inodes.sort_unstable();
    inodes.dedup();
    assert_eq!(inodes.len(), more.len());
}

#[test]
fn routes_and_neighbours_have_a_table() {
    let route = text("route");
    let mut lines = route.lines();
    let head =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
    assert_eq!(lines.next(), Some(&format!("{head:<127}")[..]));
    for line in lines {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!((words[0], words.len(), line.len()), ("eth0", 11, 127), "{line}");
    }
    let arp = text("arp");
    let head = "IP address       HW type     Flags       HW address            Mask     Device";
    assert_eq!(arp.lines().next(), Some(head));
}

#[test]
fn lines_have_one_width() {
    let _sockets = [listener(1, 0).0, udp(0)];
    let (_client, _server) = pair();
    let fd = udp(0);
    bind(&fd, &Address::local(0)).unwrap();
    for (file, width) in [("tcp", 149), ("udp", 127)] {
        let text = text(file);
        assert!(text.lines().count() > 1, "{text}");
        assert!(text.lines().all(|line| line.len() == width), "{text}");
    }
}

/// Returns a number of `/proc/net/sockstat`.
fn count(line: &str, name: &str) -> i64 {
    let text = text("sockstat");
    let line = text.lines().find_map(|found| found.strip_prefix(line)).expect(line);
    let mut words = line.split_whitespace();
    words.find(|word| *word == name).expect(name);
    words.next().unwrap().parse().unwrap()
}

#[test]
fn sockets_are_counted() {
    let counts = || {
        ["inuse", "tw", "alloc"].map(|name| count("TCP:", name)).into_iter().chain([
            count("sockets:", "used"),
            count("UDP:", "inuse"),
            count("TCP:", "orphan"),
        ])
    };
    let before: Vec<i64> = counts().collect();
    let moved = || counts().zip(&before).map(|(now, then)| now - then).collect::<Vec<_>>();
    let fd = tcp(0);
    assert_eq!(moved(), [0, 0, 1, 1, 0, 0]);
    bind(&fd, &Address::local(0)).unwrap();
    socket::listen(&fd, 1).unwrap();
    assert_eq!(moved(), [1, 0, 1, 1, 0, 0]);
    let datagrams = udp(0);
    bind(&datagrams, &Address::local(0)).unwrap();
    let _local = unix::pair(SOCK_STREAM);
    assert_eq!(moved(), [1, 0, 1, 4, 1, 0]);
    let client = tcp(0);
    connect(&client, &name(&fd).unwrap()).unwrap();
    let server = accept(&fd, 0).unwrap();
    assert_eq!(moved(), [3, 0, 3, 6, 1, 0]);
    drop(client);
    drop(server);
    // Linux counts some of these by processor, and in its own time.
    for _ in 0..50 {
        if moved() == [1, 1, 1, 4, 1, 0] {
            break;
        }
        time::settle();
    }
    assert_eq!(moved(), [1, 1, 1, 4, 1, 0], "what is left of a connection is no socket");
    assert!(count("TCP:", "mem") >= 0);
}
