//! socket(7), ip(7): the options of every socket, and their effects on calls.

use std::time::Duration;

use libc::{
    IPPROTO_IP, IPPROTO_TCP, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, SO_RCVTIMEO, SO_SNDTIMEO,
    SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, c_int,
};
use pollux_tests::socket::{
    self, accept, connect, get, listener, pair, recv, send, set, set_value, tcp, udp,
};
use pollux_tests::sys::{self, Result};
use pollux_tests::{Errno, Fd, child, poll, time, unix};

const MS: Duration = Duration::from_millis(1);

/// Boolean options that every kind of socket has.
const FLAGS: [(c_int, &str); 6] = [
    (libc::SO_REUSEADDR, "SO_REUSEADDR"),
    (libc::SO_KEEPALIVE, "SO_KEEPALIVE"),
    (libc::SO_BROADCAST, "SO_BROADCAST"),
    (libc::SO_OOBINLINE, "SO_OOBINLINE"),
    (libc::SO_DONTROUTE, "SO_DONTROUTE"),
    (libc::SO_DEBUG, "SO_DEBUG"),
];

fn everything() -> [Fd; 4] {
    let netlink = socket::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0).unwrap();
    [tcp(0), udp(0), unix::socket(SOCK_STREAM), netlink]
}

#[test]
fn flags_are_told_as_they_were_set() {
    for (kind, fd) in everything().iter().enumerate() {
        for (name, text) in FLAGS {
            assert_eq!(get(fd, SOL_SOCKET, name), Ok(0), "{text} of {kind}");
            set(fd, SOL_SOCKET, name, 77).unwrap();
            assert_eq!(get(fd, SOL_SOCKET, name), Ok(1), "{text} of {kind}");
            set(fd, SOL_SOCKET, name, 0).unwrap();
            assert_eq!(get(fd, SOL_SOCKET, name), Ok(0), "{text} of {kind}");
        }
    }
}

#[test]
fn only_internet_sockets_share_a_port() {
    for fd in everything() {
        let is_internet = get(&fd, SOL_SOCKET, libc::SO_DOMAIN) == Ok(libc::AF_INET);
        let expected = if is_internet { Ok(()) } else { Err(Errno::EOPNOTSUPP) };
        assert_eq!(set(&fd, SOL_SOCKET, libc::SO_REUSEPORT, 1), expected);
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_REUSEPORT), Ok(i32::from(is_internet)));
        set(&fd, SOL_SOCKET, libc::SO_REUSEPORT, 0).unwrap();
    }
}

#[test]
fn some_options_are_not_everybody_s() {
    child::run(|| {
        let fd = tcp(0);
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_setresuid, [1000; 3]) }.unwrap();
        assert_eq!(set(&fd, SOL_SOCKET, libc::SO_PRIORITY, 6), Ok(()));
        assert_eq!(set(&fd, SOL_SOCKET, libc::SO_PRIORITY, 7), Err(Errno::EPERM));
        assert_eq!(set(&fd, SOL_SOCKET, libc::SO_PRIORITY, -1), Err(Errno::EPERM));
        assert_eq!(set(&fd, SOL_SOCKET, libc::SO_DEBUG, 1), Err(Errno::EACCES));
        assert_eq!(set(&fd, SOL_SOCKET, libc::SO_DEBUG, 0), Ok(()));
    });
}

#[test]
fn numbers_are_told_as_they_were_set() {
    for fd in everything() {
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_PRIORITY), Ok(0));
        set(&fd, SOL_SOCKET, libc::SO_PRIORITY, 6).unwrap();
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_PRIORITY), Ok(6));
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_RCVLOWAT), Ok(1));
        set(&fd, SOL_SOCKET, libc::SO_RCVLOWAT, 5).unwrap();
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_RCVLOWAT), Ok(5));
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_SNDLOWAT), Ok(1));
        assert_eq!(set(&fd, SOL_SOCKET, libc::SO_SNDLOWAT, 5), Err(Errno::ENOPROTOOPT));
        for name in [libc::SO_SNDBUF, libc::SO_RCVBUF] {
            set(&fd, SOL_SOCKET, name, 30_000).unwrap();
            assert_eq!(get(&fd, SOL_SOCKET, name), Ok(60_000));
            for most in [i32::MAX, -1] {
                set(&fd, SOL_SOCKET, name, most).unwrap();
                assert_eq!(get(&fd, SOL_SOCKET, name), Ok(425_984));
            }
        }
        set(&fd, SOL_SOCKET, libc::SO_SNDBUF, 0).unwrap();
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_SNDBUF), Ok(4608));
        set(&fd, SOL_SOCKET, libc::SO_RCVBUF, 0).unwrap();
        assert_eq!(get(&fd, SOL_SOCKET, libc::SO_RCVBUF), Ok(2304));
    }
}

/// Returns an option of any type, and the length that the kernel reports.
fn value<T: Copy>(fd: &Fd, name: c_int, mut value: T) -> (T, u32) {
    let mut len = size_of::<T>() as u32;
    let addresses = [&raw mut value as usize, &raw mut len as usize];
    let [level, name] = [SOL_SOCKET as usize, name as usize];
    // SAFETY: both are ours.
    let result = unsafe {
        let arguments = [fd.number() as usize, level, name, addresses[0], addresses[1]];
        sys::call(libc::SYS_getsockopt, arguments)
    };
    result.unwrap();
    (value, len)
}

#[test]
fn times_and_lingering_are_told_as_they_were_set() {
    for fd in everything() {
        for name in [SO_RCVTIMEO, SO_SNDTIMEO] {
            assert_eq!(value(&fd, name, [7_i64; 2]), ([0, 0], 16));
            set_value(&fd, SOL_SOCKET, name, &[3_i64, 500_000]).unwrap();
            assert_eq!(value(&fd, name, [7_i64; 2]), ([3, 500_000], 16));
            let far = set_value(&fd, SOL_SOCKET, name, &[0_i64, 1_000_000]);
            assert_eq!(far, Err(Errno::EDOM));
            assert_eq!(set_value(&fd, SOL_SOCKET, name, &[1_i64]), Err(Errno::EINVAL));
            set_value(&fd, SOL_SOCKET, name, &[0_i64; 2]).unwrap();
            assert_eq!(value(&fd, name, [7_i64; 2]), ([0, 0], 16));
        }
        assert_eq!(value(&fd, libc::SO_LINGER, [7_i32; 2]), ([0, 0], 8));
        set_value(&fd, SOL_SOCKET, libc::SO_LINGER, &[5_i32, 20]).unwrap();
        assert_eq!(value(&fd, libc::SO_LINGER, [7_i32; 2]), ([1, 20], 8));
        set_value(&fd, SOL_SOCKET, libc::SO_LINGER, &[0_i32, 30]).unwrap();
        assert_eq!(value(&fd, libc::SO_LINGER, [7_i32; 2]), ([0, 20], 8), "the time stays");
    }
}

#[test]
fn options_of_ip_are_told_as_they_were_set() {
    for fd in [tcp(0), udp(0)] {
        let flags = [
            libc::IP_PKTINFO,
            libc::IP_RECVERR,
            libc::IP_RECVTTL,
            libc::IP_RECVTOS,
            libc::IP_FREEBIND,
            libc::IP_BIND_ADDRESS_NO_PORT,
        ];
        for name in flags {
            assert_eq!(get(&fd, IPPROTO_IP, name), Ok(0), "{name}");
            set(&fd, IPPROTO_IP, name, 1).unwrap();
            assert_eq!(get(&fd, IPPROTO_IP, name), Ok(1), "{name}");
            set(&fd, IPPROTO_IP, name, 0).unwrap();
            assert_eq!(get(&fd, IPPROTO_IP, name), Ok(0), "{name}");
        }
        assert_eq!(get(&fd, IPPROTO_IP, libc::IP_TOS), Ok(0));
        set(&fd, IPPROTO_IP, libc::IP_TOS, 0x10).unwrap();
        assert_eq!(get(&fd, IPPROTO_IP, libc::IP_TOS), Ok(0x10));
        assert_eq!(get(&fd, IPPROTO_IP, libc::IP_TTL), Ok(64));
        set(&fd, IPPROTO_IP, libc::IP_TTL, 5).unwrap();
        assert_eq!(get(&fd, IPPROTO_IP, libc::IP_TTL), Ok(5));
        for bad in [0, 256, -2] {
            assert_eq!(set(&fd, IPPROTO_IP, libc::IP_TTL, bad), Err(Errno::EINVAL), "{bad}");
        }
        set(&fd, IPPROTO_IP, libc::IP_TTL, -1).unwrap();
        assert_eq!(get(&fd, IPPROTO_IP, libc::IP_TTL), Ok(64));
        assert_eq!(get(&fd, IPPROTO_IP, libc::IP_MTU_DISCOVER), Ok(libc::IP_PMTUDISC_WANT));
        set(&fd, IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO).unwrap();
        assert_eq!(get(&fd, IPPROTO_IP, libc::IP_MTU_DISCOVER), Ok(libc::IP_PMTUDISC_DO));
        assert_eq!(set(&fd, IPPROTO_IP, libc::IP_MTU_DISCOVER, 6), Err(Errno::EINVAL));
        assert_eq!(get(&fd, IPPROTO_IP, libc::IP_MTU), Err(Errno::ENOTCONN));
        assert_eq!(set_value(&fd, IPPROTO_IP, libc::IP_TOS, &8_u8), Ok(()), "one byte is enough");
        assert_eq!(get(&fd, IPPROTO_IP, libc::IP_TOS), Ok(8));
    }
    let (client, _server) = pair();
    assert_eq!(get(&client, IPPROTO_IP, libc::IP_MTU), Ok(65_535));
}

#[test]
fn more_options_of_tcp_are_told() {
    const TCP_LINGER2: c_int = 8;
    let fd = tcp(0);
    assert_eq!(get(&fd, IPPROTO_TCP, libc::TCP_SYNCNT), Ok(6));
    assert_eq!(get(&fd, IPPROTO_TCP, libc::TCP_QUICKACK), Ok(1));
    assert_eq!(get(&fd, IPPROTO_TCP, libc::TCP_DEFER_ACCEPT), Ok(0));
    assert_eq!(get(&fd, IPPROTO_TCP, TCP_LINGER2), Ok(60));
    assert_eq!(get(&fd, IPPROTO_TCP, libc::TCP_FASTOPEN), Ok(0));
    set(&fd, IPPROTO_TCP, libc::TCP_QUICKACK, 0).unwrap();
    assert_eq!(get(&fd, IPPROTO_TCP, libc::TCP_QUICKACK), Ok(0));
    for (seconds, told) in [(1, 1), (2, 3), (5, 7), (130, 247), (0, 0)] {
        set(&fd, IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds).unwrap();
        assert_eq!(get(&fd, IPPROTO_TCP, libc::TCP_DEFER_ACCEPT), Ok(told), "{seconds}");
    }
}

/// Calls readv(2) or writev(2).
fn vectored(call: libc::c_long, fd: &Fd, parts: &[(usize, usize)]) -> Result<usize> {
    let ranges: Vec<[usize; 2]> = parts.iter().map(|&(at, len)| [at, len]).collect();
    let arguments = [fd.number() as usize, ranges.as_ptr() as usize, ranges.len()];
    // SAFETY: the parts are the caller's.
    unsafe { sys::call(call, arguments) }
}

#[test]
fn bytes_may_be_in_several_places() {
    for (one, other) in [pair(), unix::pair(SOCK_STREAM), unix::pair(SOCK_DGRAM)] {
        let parts = [&b"ab"[..], b"", b"cdef", b"g"];
        let from: Vec<_> = parts.iter().map(|part| (part.as_ptr() as usize, part.len())).collect();
        assert_eq!(vectored(libc::SYS_writev, &one, &from), Ok(7));
        let (mut first, mut second) = ([0_u8; 3], [0_u8; 9]);
        let to = [(first.as_mut_ptr() as usize, 3), (second.as_mut_ptr() as usize, 9)];
        assert_eq!(vectored(libc::SYS_readv, &other, &to), Ok(7));
        assert_eq!((&first[..], &second[..4]), (&b"abc"[..], &b"defg"[..]));
    }
}

#[test]
fn what_a_connection_reads_may_go_nowhere() {
    let (client, server) = pair();
    client.write(b"abcdef").unwrap();
    poll::poll(&mut [poll::entry(server.number(), libc::POLLIN)], 1000).unwrap();
    let arguments = [server.number() as usize, 0, 4, MSG_TRUNC as usize, 0, 0];
    // SAFETY: nothing is written anywhere.
    assert_eq!(unsafe { sys::call(libc::SYS_recvfrom, arguments) }, Ok(4));
    assert_eq!(recv(&server, 9, MSG_PEEK).unwrap(), b"ef");
    assert_eq!(recv(&server, 9, MSG_TRUNC).unwrap(), [0, 0]);
    assert_eq!(recv(&server, 9, MSG_TRUNC | MSG_DONTWAIT), Err(Errno::EAGAIN));
}

#[test]
fn no_call_on_a_connection_waits_for_longer_than_it_may() {
    let limit = [0_i64, 30_000];
    let (client, server) = pair();
    for name in [SO_RCVTIMEO, SO_SNDTIMEO] {
        set_value(&client, SOL_SOCKET, name, &limit).unwrap();
    }
    assert_eq!(time::at_least(25 * MS, || client.read(1)), Err(Errno::EAGAIN));
    assert_eq!(time::at_least(25 * MS, || recv(&client, 1, 0)), Err(Errno::EAGAIN));
    assert_eq!(
        time::at_least(25 * MS, || unix::receive(&client, 1, 0, 0).map(drop)),
        Err(Errno::EAGAIN)
    );
    let much = vec![0; 16 << 20];
    let sent = time::at_least(25 * MS, || client.write(&much)).unwrap();
    assert!(sent > 0 && sent < much.len(), "{sent}");
    let mut results = (0..20).map(|_| send(&client, &much, 0));
    assert!(results.any(|result| result == Err(Errno::EAGAIN)));
    server.write(b"x").unwrap();
    assert_eq!(recv(&client, 2, libc::MSG_WAITALL).unwrap(), b"x", "what has come");
    let (waiting, address) = listener(0, 0);
    set_value(&waiting, SOL_SOCKET, SO_RCVTIMEO, &limit).unwrap();
    assert_eq!(time::at_least(25 * MS, || accept(&waiting, 0)).map(drop), Err(Errno::EAGAIN));
    // Its backlog takes one more; whoever comes then is not heard.
    let _full = [socket::connecting(&address), socket::connecting(&address)];
    let late = tcp(0);
    set_value(&late, SOL_SOCKET, SO_SNDTIMEO, &limit).unwrap();
    assert_eq!(time::at_least(25 * MS, || connect(&late, &address)), Err(Errno::EINPROGRESS));
    assert_eq!(connect(&late, &address), Err(Errno::EALREADY));
}

/// Bytes that fit between a sender and a reader with such a buffer.
fn room(receive_buffer: i32) -> usize {
    let (listener, address) = listener(1, 0);
    set(&listener, SOL_SOCKET, libc::SO_RCVBUF, receive_buffer).unwrap();
    let client = tcp(0);
    set(&client, SOL_SOCKET, libc::SO_SNDBUF, 10_000).unwrap();
    connect(&client, &address).unwrap();
    let server = accept(&listener, 0).unwrap();
    assert_eq!(get(&server, SOL_SOCKET, libc::SO_RCVBUF), Ok(2 * receive_buffer));
    let mut total = 0;
    while let Ok(sent) = send(&client, &[0; 1000], MSG_DONTWAIT) {
        total += sent;
        if sent < 1000 {
            time::settle();
        }
    }
    total
}

#[test]
fn a_larger_receive_buffer_holds_more() {
    let (small, large) = (room(10_000), room(150_000));
    assert!(small < 100_000, "{small}");
    assert!(large > small + 50_000, "{small}, {large}");
}
