//! The ERRORS of socket(2), bind(2), listen(2), accept(2), connect(2), send(2), recv(2), shutdown(2), getsockname(2),
//! getsockopt(2), tcp(7) and ip(7), one after the other, for stream sockets of the internet.
//!
//! Not here: errors that need a full machine (`ENFILE`, `ENOBUFS`), a firewall (`EPERM`), or an unreachable host
//! (`EHOSTUNREACH`: the kit's network test).

mod transfer;

use std::net::Ipv4Addr;
use std::time::Duration;

use libc::{
    AF_INET, AF_UNIX, AF_UNSPEC, MSG_DONTWAIT, SO_REUSEADDR, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW,
    SOCK_RDM, SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET, c_long,
};
use pollux_tests::memory::{KERNEL, UNMAPPED};
use pollux_tests::socket::{self, Address, socket, tcp, udp};
use pollux_tests::sys::{self, Result};
use pollux_tests::{Errno, Fd, child, fd, limit, signal};

const SOON: Duration = Duration::from_millis(20);

/// A number that is no open descriptor.
const CLOSED: usize = 1000;

/// Makes a call whose pointers are 0, bad, or valid for longer than the call.
fn call<const N: usize>(number: c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: see above.
    unsafe { sys::call(number, arguments) }
}

fn number(fd: &Fd) -> usize {
    fd.number() as usize
}

/// Compares all of them before it fails.
#[track_caller]
fn check<T: core::fmt::Debug>(cases: Vec<(&str, Result<T>, Errno)>) {
    let wrong: Vec<_> = cases
        .iter()
        .filter(|(_, got, expected)| got.as_ref().err() != Some(expected))
        .map(|(what, got, expected)| format!("{what}: {got:?} instead of {expected:?}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Sends until the connection stays full. Bytes that the peer's end accepts make room a little later.
fn fill(fd: &Fd) {
    loop {
        if socket::send(fd, &[0; 65536], MSG_DONTWAIT).is_err() {
            std::thread::sleep(5 * SOON);
            if socket::send(fd, &[0; 65536], MSG_DONTWAIT).is_err() {
                return;
            }
        }
    }
}

fn no_socket() -> (Fd, Fd) {
    fd::pipe()
}

#[test]
fn socket_refuses_what_there_is_not() {
    check(vec![
        ("a family", socket(200, SOCK_STREAM, 0), Errno::EAFNOSUPPORT),
        ("a family below all", socket(-1, SOCK_STREAM, 0), Errno::EAFNOSUPPORT),
        ("no family", socket(AF_UNSPEC, SOCK_STREAM, 0), Errno::EAFNOSUPPORT),
        ("a type", socket(AF_INET, 11, 0), Errno::EINVAL),
        ("a flag", socket(AF_INET, SOCK_STREAM | 0x100, 0), Errno::EINVAL),
        ("no type", socket(AF_INET, 0, 0), Errno::ESOCKTNOSUPPORT),
        ("a type of others", socket(AF_INET, SOCK_SEQPACKET, 0), Errno::ESOCKTNOSUPPORT),
        ("a type of nobody", socket(AF_INET, SOCK_RDM, 0), Errno::ESOCKTNOSUPPORT),
        ("raw of no protocol", socket(AF_INET, SOCK_RAW, 0), Errno::EPROTONOSUPPORT),
        (
            "another's protocol",
            socket(AF_INET, SOCK_STREAM, libc::IPPROTO_UDP),
            Errno::EPROTONOSUPPORT,
        ),
        (
            "a stream of datagrams",
            socket(AF_INET, SOCK_DGRAM, libc::IPPROTO_TCP),
            Errno::EPROTONOSUPPORT,
        ),
        ("a protocol of nobody", socket(AF_INET, SOCK_STREAM, 200), Errno::EPROTONOSUPPORT),
        ("a negative protocol", socket(AF_INET, SOCK_STREAM, -1), Errno::EINVAL),
        ("a local protocol", socket(AF_UNIX, SOCK_STREAM, 5), Errno::EPROTONOSUPPORT),
    ]);
}

#[test]
fn without_a_free_number_there_is_no_socket() {
    child::run(|| {
        let (listener, address) = socket::listener(1, 0);
        let client = tcp(0);
        socket::connect(&client, &address).unwrap();
        limit::set(libc::RLIMIT_NOFILE, client.number() as u64 + 1, 4096).unwrap();
        check(vec![
            ("socket", socket(AF_INET, SOCK_STREAM, 0), Errno::EMFILE),
            ("accept", socket::accept(&listener, 0), Errno::EMFILE),
        ]);
        limit::set(libc::RLIMIT_NOFILE, 4096, 4096).unwrap();
        socket::accept(&listener, SOCK_NONBLOCK).expect("nobody is lost");
    });
}

#[test]
fn every_call_wants_a_socket() {
    let (reader, _writer) = no_socket();
    let address = Address::local(1);
    let at = &raw const address as usize;
    let mut room = [16_u32, 0, 0, 0, 0];
    let len = room.as_mut_ptr() as usize;
    for (fd, expected) in [(number(&reader), Errno::ENOTSOCK), (CLOSED, Errno::EBADF)] {
        check(vec![
            ("bind", call(libc::SYS_bind, [fd, at, 16]), expected),
            ("listen", call(libc::SYS_listen, [fd, 1]), expected),
            ("accept", call(libc::SYS_accept, [fd, 0, 0]), expected),
            ("accept4", call(libc::SYS_accept4, [fd, 0, 0, 0]), expected),
            ("connect", call(libc::SYS_connect, [fd, at, 16]), expected),
            ("sendto", call(libc::SYS_sendto, [fd, at, 1, 0, 0, 0]), expected),
            ("sendmsg", call(libc::SYS_sendmsg, [fd, UNMAPPED, 0]), expected),
            ("recvfrom", call(libc::SYS_recvfrom, [fd, len, 1, 0, 0, 0]), expected),
            ("recvmsg", call(libc::SYS_recvmsg, [fd, UNMAPPED, 0]), expected),
            ("shutdown", call(libc::SYS_shutdown, [fd, 0]), expected),
            ("getsockname", call(libc::SYS_getsockname, [fd, len, len]), expected),
            ("getpeername", call(libc::SYS_getpeername, [fd, len, len]), expected),
            ("getsockopt", call(libc::SYS_getsockopt, [fd, 1, 3, len, len]), expected),
            ("setsockopt", call(libc::SYS_setsockopt, [fd, 1, 2, len, 4]), expected),
        ]);
    }
}

#[test]
fn bind_refuses_addresses_that_are_none_of_ours() {
    let fd = tcp(0);
    let bound = tcp(0);
    socket::bind(&bound, &Address::local(0)).unwrap();
    let taken = socket::name(&bound).unwrap();
    let with = |len| socket::with_address(libc::SYS_bind, &fd, &Address::local(0), len).map(|()| 0);
    let of_family = |family, ip| {
        let mut address = Address::new(ip, 0);
        address.family = family;
        socket::bind(&fd, &address).map(|()| 0)
    };
    let to = |ip| socket::bind(&tcp(0), &Address::new(ip, 0)).map(|()| 0);
    check(vec![
        ("no bytes", with(0), Errno::EINVAL),
        ("a byte too few", with(15), Errno::EINVAL),
        ("too many bytes", with(129), Errno::EINVAL),
        ("fewer than none", with(usize::MAX), Errno::EINVAL),
        (
            "an address that is not there",
            call(libc::SYS_bind, [number(&fd), UNMAPPED, 16]),
            Errno::EFAULT,
        ),
        ("one of the kernel", call(libc::SYS_bind, [number(&fd), KERNEL, 16]), Errno::EFAULT),
        ("another family", of_family(AF_UNIX as u16, Ipv4Addr::UNSPECIFIED), Errno::EAFNOSUPPORT),
        ("no family and an address", of_family(0, Ipv4Addr::LOCALHOST), Errno::EAFNOSUPPORT),
        ("somebody else", to(Ipv4Addr::new(192, 0, 2, 1)), Errno::EADDRNOTAVAIL),
        ("taken", socket::bind(&fd, &taken).map(|()| 0), Errno::EADDRINUSE),
        ("bound", socket::bind(&bound, &Address::local(0)).map(|()| 0), Errno::EINVAL),
    ]);
    // Who listens there hears nobody.
    assert_eq!((to(Ipv4Addr::BROADCAST), to(Ipv4Addr::new(224, 0, 0, 1))), (Ok(0), Ok(0)));
    // An old way to say any address.
    assert_eq!(of_family(0, Ipv4Addr::UNSPECIFIED), Ok(0));
}

#[test]
fn low_ports_are_root_s() {
    child::run(|| {
        let fd = tcp(0);
        assert_eq!(call(libc::SYS_setresuid, [1000, 1000, 1000]), Ok(0));
        check(vec![
            ("1", socket::bind(&fd, &Address::local(1)), Errno::EACCES),
            ("1023", socket::bind(&fd, &Address::local(1023)), Errno::EACCES),
        ]);
        socket::bind(&fd, &Address::local(1024)).unwrap();
    });
}

#[test]
fn listen_refuses_who_cannot() {
    let (client, _server) = socket::pair();
    let (_listener, address) = socket::listener(1, 0);
    let twin = tcp(0);
    let other = tcp(0);
    for fd in [&twin, &other] {
        socket::set(fd, SOL_SOCKET, SO_REUSEADDR, 1).unwrap();
    }
    socket::bind(&twin, &Address::local(0)).unwrap();
    let shared = socket::name(&twin).unwrap();
    socket::bind(&other, &shared).unwrap();
    socket::listen(&other, 1).unwrap();
    check(vec![
        ("connected", socket::listen(&client, 1), Errno::EINVAL),
        ("of datagrams", socket::listen(&udp(0), 1), Errno::EOPNOTSUPP),
        ("somebody listens", socket::listen(&twin, 1), Errno::EADDRINUSE),
        ("and is not to be bound", socket::bind(&tcp(0), &address), Errno::EADDRINUSE),
    ]);
}

#[test]
fn accept_refuses_who_cannot() {
    let (listener, address) = socket::listener(8, 0);
    let waiting = tcp(SOCK_NONBLOCK);
    socket::bind(&waiting, &Address::local(0)).unwrap();
    socket::listen(&waiting, 1).unwrap();
    let (client, _server) = socket::pair();
    let minus = -1_i32;
    let mut room = [0_u8; 16];
    check(vec![
        ("nobody waits", socket::accept(&waiting, 0), Errno::EAGAIN),
        ("a flag", socket::accept(&waiting, 1), Errno::EINVAL),
        ("connected", socket::accept(&client, 0), Errno::EINVAL),
        ("new", socket::accept(&tcp(0), 0), Errno::EINVAL),
        ("of datagrams", socket::accept(&udp(0), 0), Errno::EOPNOTSUPP),
    ]);
    for (len, expected) in [(&raw const minus as usize, Errno::EINVAL), (UNMAPPED, Errno::EFAULT)] {
        socket::connect(&tcp(0), &address).unwrap();
        let result = call(libc::SYS_accept, [number(&listener), room.as_mut_ptr() as usize, len]);
        assert_eq!(result, Err(expected));
    }
    let sixteen = 16_u32;
    socket::connect(&tcp(0), &address).unwrap();
    let result = call(libc::SYS_accept, [number(&listener), UNMAPPED, &raw const sixteen as usize]);
    assert_eq!(result, Err(Errno::EFAULT));
}

#[test]
fn a_signal_ends_what_waits() {
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        let (listener, _) = socket::listener(1, 0);
        let (client, _server) = socket::pair();
        let accepted = signal::interrupted(SOON, || socket::accept(&listener, 0).map(drop));
        assert_eq!(accepted, Err(Errno::EINTR));
        let received = signal::interrupted(SOON, || socket::recv(&client, 1, 0).map(drop));
        assert_eq!(received, Err(Errno::EINTR));
        fill(&client);
        let sent = signal::interrupted(SOON, || socket::send(&client, &[0; 65536], 0).map(drop));
        assert_eq!(sent, Err(Errno::EINTR));
    });
}

#[test]
fn connect_refuses_what_leads_nowhere() {
    let fd = tcp(0);
    let with =
        |len| socket::with_address(libc::SYS_connect, &fd, &Address::local(1), len).map(|()| 0);
    let to = |ip, port| socket::connect(&tcp(0), &Address::new(ip, port)).map(|()| 0);
    let mut foreign = Address::local(1);
    foreign.family = AF_UNIX as u16;
    check(vec![
        ("no bytes", with(0), Errno::EINVAL),
        ("only a part of the family", with(1), Errno::EINVAL),
        ("a byte too few", with(15), Errno::EINVAL),
        ("too many bytes", with(129), Errno::EINVAL),
        ("not there", call(libc::SYS_connect, [number(&fd), UNMAPPED, 16]), Errno::EFAULT),
        ("another family", socket::connect(&fd, &foreign).map(|()| 0), Errno::EAFNOSUPPORT),
        (
            "nobody there",
            socket::connect(&fd, &socket::deserted()).map(|()| 0),
            Errno::ECONNREFUSED,
        ),
        ("port 0", to(Ipv4Addr::LOCALHOST, 0), Errno::ECONNREFUSED),
        ("a group", to(Ipv4Addr::new(224, 0, 0, 1), 80), Errno::ENETUNREACH),
        ("everybody", to(Ipv4Addr::BROADCAST, 80), Errno::ENETUNREACH),
        ("everybody here", to(Ipv4Addr::new(127, 255, 255, 255), 80), Errno::ENETUNREACH),
    ]);
}

#[test]
fn connect_tells_how_far_it_is() {
    // Nobody else gets in, so that whoever comes waits.
    let (_listener, address) = socket::listener(0, 0);
    let _first = socket::connecting(&address);
    let _second = socket::connecting(&address);
    let (fd, result) = socket::connecting(&address);
    let again = socket::connect(&fd, &address);
    let (client, _server) = socket::pair();
    check(vec![
        ("begun", result, Errno::EINPROGRESS),
        ("again", again, Errno::EALREADY),
        ("connected", socket::connect(&client, &address), Errno::EISCONN),
    ]);
}

#[test]
fn one_pair_of_addresses_has_one_connection() {
    let (_listener, address) = socket::listener(8, 0);
    let fds = [tcp(0), tcp(0)];
    for fd in &fds {
        socket::set(fd, SOL_SOCKET, SO_REUSEADDR, 1).unwrap();
    }
    socket::bind(&fds[0], &Address::local(0)).unwrap();
    socket::bind(&fds[1], &socket::name(&fds[0]).unwrap()).unwrap();
    socket::connect(&fds[0], &address).unwrap();
    assert_eq!(socket::connect(&fds[1], &address), Err(Errno::EADDRNOTAVAIL));
}
