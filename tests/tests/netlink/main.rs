//! netlink(7), rtnetlink(7): querying interfaces, addresses and routes.

mod requests;

use libc::{
    AF_NETLINK, AF_UNSPEC, MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_TRUNC, NETLINK_ROUTE, NLM_F_DUMP,
    NLM_F_MULTI, NLM_F_REQUEST, POLLIN, POLLOUT, RTM_GETLINK, RTM_NEWLINK, SOCK_DGRAM, SOCK_RAW,
    SOL_SOCKET,
};
use pollux_tests::socket::{self, get, recv, send, set};
use pollux_tests::sys::Result;
use pollux_tests::unix::{self, Address};
use pollux_tests::{Errno, Fd, child, poll, sys, time};

const NLMSG_ERROR: u16 = 2;

const NLMSG_DONE: u16 = 3;

const SOL_NETLINK: i32 = 270;

const REQUEST: u16 = NLM_F_REQUEST as u16;

const DUMP: u16 = NLM_F_DUMP as u16;

const MULTI: u16 = NLM_F_MULTI as u16;

/// Returns the address of a port, with groups.
fn address(port: u32, groups: u32) -> Address {
    let mut bytes = (AF_NETLINK as u16).to_ne_bytes().to_vec();
    bytes.extend([0; 2]);
    bytes.extend(port.to_ne_bytes());
    bytes.extend(groups.to_ne_bytes());
    Address(bytes)
}

/// Returns the port of an address.
fn port(address: &Address) -> u32 {
    assert_eq!(address.0.len(), 12);
    u32::from_ne_bytes(address.0[4..8].try_into().unwrap())
}

fn route() -> Fd {
    socket::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE).unwrap()
}

/// A message, received or to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    body: Vec<u8>,
}

impl Message {
    fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        Self { kind, flags, sequence: 7, port: 0, body: body.to_vec() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = (16 + self.body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend(self.port.to_ne_bytes());
        bytes.extend(&self.body);
        bytes
    }

    /// Returns the error in the message; 0 is none.
    fn error(&self) -> i32 {
        assert_eq!(self.kind, NLMSG_ERROR, "{self:?}");
        -i32::from_ne_bytes(self.body[..4].try_into().unwrap())
    }

    /// Returns the attributes behind a header of `skip` bytes.
    fn attributes(&self, skip: usize) -> Vec<(u16, Vec<u8>)> {
        let mut rest = &self.body[skip..];
        let mut all = Vec::new();
        while rest.len() >= 4 {
            let len = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
            all.push((u16::from_ne_bytes([rest[2], rest[3]]), rest[4..len].to_vec()));
            rest = &rest[len.next_multiple_of(4).min(rest.len())..];
        }
        all
    }

    fn attribute(&self, skip: usize, kind: u16) -> Option<Vec<u8>> {
        self.attributes(skip)
            .into_iter()
            .find_map(|(known, value)| (known == kind).then_some(value))
    }
}

/// Returns the messages of a datagram.
fn parse(mut bytes: &[u8]) -> Vec<Message> {
    let word = |at: &[u8]| u32::from_ne_bytes(at.try_into().unwrap());
    let half = |at: &[u8]| u16::from_ne_bytes(at.try_into().unwrap());
    let mut messages = Vec::new();
    while bytes.len() >= 16 {
        let len = word(&bytes[..4]) as usize;
        messages.push(Message {
            kind: half(&bytes[4..6]),
            flags: half(&bytes[6..8]),
            sequence: word(&bytes[8..12]),
            port: word(&bytes[12..16]),
            body: bytes[16..len].to_vec(),
        });
        bytes = &bytes[len.next_multiple_of(4).min(bytes.len())..];
    }
    messages
}

/// Receives the next datagram, and returns its messages.
fn answers(fd: &Fd) -> Vec<Message> {
    parse(&recv(fd, 65_536, MSG_DONTWAIT).unwrap())
}

/// Sends a request and returns the only answer.
fn ask(fd: &Fd, message: &Message) -> Message {
    let bytes = message.bytes();
    assert_eq!(send(fd, &bytes, 0), Ok(bytes.len()));
    let mut answers = answers(fd);
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

/// Dumps all entries of a kind.
fn dump(fd: &Fd, kind: u16, family: i32) -> Vec<Message> {
    let request = Message::new(kind, REQUEST | DUMP, &[family as u8, 0, 0, 0]).bytes();
    assert_eq!(send(fd, &request, 0), Ok(request.len()));
    let own = port(&unix::name(fd).unwrap());
    let mut all = Vec::new();
    loop {
        for message in answers(fd) {
            let about = (message.flags & MULTI, message.sequence, message.port);
            assert_eq!(about, (MULTI, 7, own), "{message:?}");
            if message.kind == NLMSG_DONE {
                assert_eq!(message.body, [0; 4]);
                assert_eq!(recv(fd, 99, MSG_DONTWAIT), Err(Errno::EAGAIN));
                return all;
            }
            all.push(message);
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes(bytes.try_into().unwrap())
}

#[test]
fn the_kinds_that_there_are_can_be_made() {
    for kind in [SOCK_RAW, SOCK_DGRAM] {
        let fd = socket::socket(AF_NETLINK, kind, NETLINK_ROUTE).unwrap();
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_TYPE), Ok(kind));
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_DOMAIN), Ok(AF_NETLINK));
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_PROTOCOL), Ok(NETLINK_ROUTE));
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_ACCEPTCONN), Ok(0));
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_SNDBUF), Ok(212_992));
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_RCVBUF), Ok(212_992));
        assert_eq!(fd.unread(), Err(Errno::ENOTTY));
    }
    let made = |kind, protocol| socket::socket(AF_NETLINK, kind, protocol).map(drop);
    assert_eq!(made(libc::SOCK_STREAM, NETLINK_ROUTE), Err(Errno::ESOCKTNOSUPPORT));
    assert_eq!(made(libc::SOCK_SEQPACKET, 99), Err(Errno::ESOCKTNOSUPPORT));
    for protocol in [22, 31, 32, -1] {
        assert_eq!(made(SOCK_RAW, protocol), Err(Errno::EPROTONOSUPPORT), "{protocol}");
    }
}

#[test]
fn calls_of_connections_mean_nothing() {
    let fd = route();
    assert_eq!(socket::listen(&fd, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(socket::accept(&fd, 0).map(drop), Err(Errno::EOPNOTSUPP));
    assert_eq!(socket::shutdown(&fd, libc::SHUT_RDWR), Err(Errno::EOPNOTSUPP));
    let mut numbers = [0_i32; 2];
    let arguments = [AF_NETLINK as usize, SOCK_RAW as usize, 0, &raw mut numbers as usize];
    // SAFETY: the numbers are ours.
    let pair = unsafe { sys::call(libc::SYS_socketpair, arguments) };
    assert_eq!(pair, Err(Errno::EOPNOTSUPP));
    assert_eq!(recv(&fd, 9, MSG_DONTWAIT), Err(Errno::EAGAIN));
    assert_eq!(recv(&fd, 9, MSG_OOB), Err(Errno::EOPNOTSUPP));
    assert_eq!(send(&fd, &[0; 16], MSG_OOB), Err(Errno::EOPNOTSUPP));
}

#[test]
fn the_first_socket_has_the_number_of_its_process() {
    let first = route();
    assert_eq!(unix::name(&first).unwrap(), address(0, 0), "not yet");
    unix::bind(&first, &address(0, 0)).unwrap();
    assert_eq!(unix::name(&first).unwrap(), address(std::process::id(), 0));
    let second = route();
    unix::bind(&second, &address(0, 0)).unwrap();
    let other = port(&unix::name(&second).unwrap());
    assert!(other as i32 <= -4097, "{other:#x}");
    let third = route();
    assert_eq!(unix::bind(&third, &address(other, 0)), Err(Errno::EADDRINUSE));
    unix::bind(&third, &address(123_456, 1)).unwrap();
    assert_eq!(unix::name(&third).unwrap(), address(123_456, 1));
    drop(first);
    let fourth = route();
    assert_eq!(send(&fourth, &[0; 4], 0), Ok(4), "which chooses an address, too");
    assert_eq!(unix::name(&fourth).unwrap(), address(std::process::id(), 0));
}

#[test]
fn bind_refuses_what_linux_refuses() {
    let fd = route();
    assert_eq!(unix::bind(&fd, &Address(address(0, 0).0[..11].to_vec())), Err(Errno::EINVAL));
    let mut foreign = address(0, 0);
    foreign.0[0] = 2;
    assert_eq!(unix::bind(&fd, &foreign), Err(Errno::EINVAL));
    unix::bind(&fd, &address(77, 0)).unwrap();
    assert_eq!(unix::bind(&fd, &address(78, 0)), Err(Errno::EINVAL));
    assert_eq!(unix::bind(&fd, &address(0, 0)), Err(Errno::EINVAL));
    unix::bind(&fd, &address(77, 3)).unwrap();
    assert_eq!(unix::name(&fd).unwrap(), address(77, 3), "groups may change");
    unix::bind(&fd, &address(77, 0)).unwrap();
    assert_eq!(unix::name(&fd).unwrap(), address(77, 0));
}

#[test]
fn connect_keeps_whom_messages_are_for() {
    let fd = route();
    assert_eq!(unix::peer(&fd).unwrap(), address(0, 0), "the kernel");
    assert_eq!(unix::connect(&fd, &Address(vec![16])), Err(Errno::EINVAL));
    assert_eq!(unix::connect(&fd, &Address(address(0, 0).0[..11].to_vec())), Err(Errno::EINVAL));
    let mut foreign = address(0, 0);
    foreign.0[0] = 2;
    assert_eq!(unix::connect(&fd, &foreign), Err(Errno::EINVAL));
    unix::connect(&fd, &address(4_000_000, 6)).unwrap();
    assert_eq!(unix::peer(&fd).unwrap(), address(4_000_000, 2), "the first of the groups");
    assert_ne!(port(&unix::name(&fd).unwrap()), 0, "it has one now");
    unix::connect(&fd, &address(4_000_000, 0)).unwrap();
    assert_eq!(send(&fd, &[0; 16], 0), Err(Errno::ECONNREFUSED), "nobody is there");
    unix::connect(&fd, &Address(vec![0, 0])).unwrap();
    assert_eq!(unix::peer(&fd).unwrap(), address(0, 0));
    assert_eq!(send(&fd, &[0; 16], 0), Ok(16));
}

#[test]
fn only_root_speaks_to_others_than_the_kernel_and_changes_anything() {
    child::run(|| {
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_setresuid, [1000; 3]) }.unwrap();
        let fd = route();
        unix::bind(&fd, &address(0, 1)).unwrap();
        assert_eq!(unix::connect(&fd, &address(1, 0)), Err(Errno::EPERM));
        assert_eq!(unix::connect(&fd, &address(0, 1)), Err(Errno::EPERM));
        assert_eq!(send_to(&fd, &[0; 16], &address(1, 0)), Err(Errno::EPERM));
        unix::connect(&fd, &address(0, 0)).unwrap();
        let change = Message::new(RTM_NEWLINK, REQUEST, &[0; 16]);
        assert_eq!(ask(&fd, &change).error(), libc::EPERM);
        assert!(!dump(&fd, RTM_GETLINK, AF_UNSPEC).is_empty());
    });
}

fn send_to(fd: &Fd, bytes: &[u8], to: &Address) -> Result<usize> {
    let [at, address] = [bytes.as_ptr() as usize, to.0.as_ptr() as usize];
    let arguments = [fd.number() as usize, at, bytes.len(), 0, address, to.0.len()];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_sendto, arguments) }
}

#[test]
fn a_destination_may_be_named() {
    let fd = route();
    let request = Message::new(RTM_GETLINK, REQUEST | DUMP, &[0; 4]).bytes();
    assert_eq!(send_to(&fd, &request, &address(0, 0)), Ok(20));
    assert_eq!(answers(&fd)[0].kind, RTM_NEWLINK);
    assert_eq!(answers(&fd)[0].kind, NLMSG_DONE);
    assert_eq!(send_to(&fd, &request, &address(4_000_000, 0)), Err(Errno::ECONNREFUSED));
    assert_eq!(send_to(&fd, &request, &Address(vec![16, 0, 0])), Err(Errno::EINVAL));
    let mut foreign = address(0, 0);
    foreign.0[0] = 2;
    assert_eq!(send_to(&fd, &request, &foreign), Err(Errno::EINVAL));
}

#[test]
fn the_length_of_what_is_sent_has_bounds() {
    let fd = route();
    assert_eq!(send(&fd, b"", 0), Err(Errno::ENODATA));
    assert_eq!(send(&fd, &vec![0; 212_992], 0), Err(Errno::EMSGSIZE));
    assert_eq!(send(&fd, &vec![0; 212_960], 0), Ok(212_960));
    assert_eq!(recv(&fd, 9, MSG_DONTWAIT), Err(Errno::EAGAIN), "a length of 0 ends it");
}

#[test]
fn flags_of_recv() {
    let fd = route();
    let request = Message::new(200, REQUEST, &[0; 4]).bytes();
    send(&fd, &request, 0).unwrap();
    let whole = recv(&fd, 999, MSG_PEEK).unwrap();
    assert_eq!(whole.len(), 40);
    let message = unix::receive(&fd, 10, 0, MSG_PEEK | MSG_TRUNC).unwrap();
    assert_eq!((message.told, message.flags), (40, MSG_TRUNC));
    assert_eq!(message.from, address(0, 0).0, "from the kernel");
    let message = unix::receive(&fd, 10, 0, 0).unwrap();
    assert_eq!((message.told, message.flags), (10, MSG_TRUNC));
    assert_eq!(message.bytes, whole[..10]);
    assert_eq!(recv(&fd, 999, MSG_DONTWAIT), Err(Errno::EAGAIN), "the rest is lost");
    send(&fd, &request, 0).unwrap();
    assert_eq!(fd.read(999).unwrap(), whole);
}

#[test]
fn readiness_is_whether_something_has_come() {
    let fd = route();
    assert_eq!(poll::ready(&fd, POLLIN | POLLOUT), POLLOUT);
    let request = Message::new(200, REQUEST, &[0; 4]).bytes();
    assert_eq!(fd.write(&request), Ok(20));
    assert_eq!(poll::ready(&fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
    answers(&fd);
    assert_eq!(poll::ready(&fd, POLLIN | POLLOUT), POLLOUT);
    let waiting = fd.dup().unwrap();
    let reading = time::soon(move || waiting.read(999).map(|bytes| bytes.len()));
    time::settle();
    fd.write(&request).unwrap();
    assert_eq!(reading.join().unwrap(), Ok(40));
    let limit = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
    socket::set_value(&fd, SOL_SOCKET, libc::SO_RCVTIMEO, &limit).unwrap();
    assert_eq!(fd.read(9), Err(Errno::EAGAIN));
}

#[test]
fn options_of_netlink() {
    const ADD: i32 = 1;
    const DROP: i32 = 2;
    let fd = route();
    for name in [4, 5, 10, 11] {
        assert_eq!(get(&fd, SOL_NETLINK, name), Ok(0), "{name}");
        set(&fd, SOL_NETLINK, name, 5).unwrap();
        assert_eq!(get(&fd, SOL_NETLINK, name), Ok(1), "{name}");
        set(&fd, SOL_NETLINK, name, 0).unwrap();
        assert_eq!(get(&fd, SOL_NETLINK, name), Ok(0), "{name}");
    }
    unix::bind(&fd, &address(88, 0)).unwrap();
    set(&fd, SOL_NETLINK, ADD, libc::RTNLGRP_LINK as i32).unwrap();
    set(&fd, SOL_NETLINK, ADD, libc::RTNLGRP_IPV4_IFADDR as i32).unwrap();
    assert_eq!(unix::name(&fd).unwrap(), address(88, 0x11));
    set(&fd, SOL_NETLINK, DROP, libc::RTNLGRP_LINK as i32).unwrap();
    assert_eq!(unix::name(&fd).unwrap(), address(88, 0x10));
    assert_eq!(set(&fd, SOL_NETLINK, ADD, 0), Err(Errno::EINVAL));
    assert_eq!(set(&fd, SOL_NETLINK, ADD, 1000), Err(Errno::EINVAL));
    assert_eq!(set(&fd, SOL_NETLINK, 99, 1), Err(Errno::ENOPROTOOPT));
    assert_eq!(get(&fd, SOL_NETLINK, 99), Err(Errno::ENOPROTOOPT));
    assert_eq!(set(&fd, libc::IPPROTO_TCP, 1, 1), Err(Errno::ENOPROTOOPT));
    assert_eq!(get(&fd, libc::IPPROTO_TCP, 1), Err(Errno::ENOPROTOOPT));
    assert_eq!(set(&socket::tcp(0), SOL_NETLINK, ADD, 1), Err(Errno::ENOPROTOOPT));
}
