//! The ERRORS of socket(2), bind(2), listen(2), accept(2), connect(2), send(2), recv(2), shutdown(2), getsockname(2),
//! getsockopt(2), tcp(7) and ip(7), one after the other, for stream sockets of the internet.
//!
//! Not here: errors that need a full machine (`ENFILE`, `ENOBUFS`), a firewall (`EPERM`), or an unreachable host
//! (`EHOSTUNREACH`: the kit's network test).

use std::net::Ipv4Addr;
use std::time::Duration;

use libc::{
    AF_INET, AF_UNIX, AF_UNSPEC, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_NOSIGNAL, MSG_OOB, SHUT_RDWR,
    SO_REUSEADDR, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, SOCK_STREAM,
    SOL_SOCKET, c_long,
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

#[test]
fn send_refuses_what_cannot_go() {
    let (client, server) = socket::pair();
    let fresh = tcp(0);
    let bytes = b"x".as_ptr() as usize;
    let sendto = |fd: &Fd, at, len, flags: i32| {
        call(libc::SYS_sendto, [number(fd), at, len, (flags | MSG_NOSIGNAL) as usize, 0, 0])
    };
    check(vec![
        ("not connected", sendto(&fresh, bytes, 1, 0), Errno::EPIPE),
        ("not there", sendto(&client, UNMAPPED, 1, 0), Errno::EFAULT),
        ("of the kernel", sendto(&client, KERNEL, 1, 0), Errno::EFAULT),
    ]);
    // An address says nothing new to a connection.
    assert_eq!(socket::send_to(&client, b"x", &Address::local(1)), Ok(1));
    assert_eq!(sendto(&client, bytes, 0, 0), Ok(0));
    fill(&client);
    assert_eq!(socket::send(&client, b"x", MSG_DONTWAIT), Err(Errno::EAGAIN));
    socket::set_value(
        &server,
        SOL_SOCKET,
        libc::SO_LINGER,
        &libc::linger { l_onoff: 1, l_linger: 0 },
    )
    .unwrap();
    drop(server);
    check(vec![
        ("reset", sendto(&client, bytes, 1, 0), Errno::ECONNRESET),
        ("and then over", sendto(&client, bytes, 1, 0), Errno::EPIPE),
    ]);
}

#[test]
fn recv_refuses_what_cannot_come() {
    let (client, server) = socket::pair();
    let mut space = [0_u8; 4];
    let at = space.as_mut_ptr() as usize;
    let recvfrom = |fd: &Fd, at, flags: i32| {
        call(libc::SYS_recvfrom, [number(fd), at, 1, flags as usize, 0, 0])
    };
    check(vec![
        ("not connected", recvfrom(&tcp(0), at, 0), Errno::ENOTCONN),
        ("nothing there", recvfrom(&client, at, MSG_DONTWAIT), Errno::EAGAIN),
        ("nothing urgent", recvfrom(&client, at, MSG_OOB), Errno::EINVAL),
        ("no errors", recvfrom(&client, at, MSG_ERRQUEUE), Errno::EAGAIN),
    ]);
    server.write(b"abc").unwrap();
    assert_eq!(socket::recv(&client, 1, 0), Ok(b"a".to_vec()));
    check(vec![
        ("to nowhere", recvfrom(&client, UNMAPPED, 0), Errno::EFAULT),
        ("to the kernel", recvfrom(&client, KERNEL, 0), Errno::EFAULT),
    ]);
    assert_eq!(socket::recv(&client, 9, 0), Ok(b"bc".to_vec()), "and nothing is lost");
    socket::set_value(
        &server,
        SOL_SOCKET,
        libc::SO_LINGER,
        &libc::linger { l_onoff: 1, l_linger: 0 },
    )
    .unwrap();
    drop(server);
    assert_eq!(recvfrom(&client, at, 0), Err(Errno::ECONNRESET));
    assert_eq!(recvfrom(&client, at, 0), Ok(0));
}

#[test]
fn shutdown_refuses_what_is_no_half() {
    let (client, _server) = socket::pair();
    check(vec![
        ("no half", socket::shutdown(&client, 3), Errno::EINVAL),
        ("a negative one", socket::shutdown(&client, -1), Errno::EINVAL),
        ("no half of nothing", socket::shutdown(&tcp(0), 3), Errno::EINVAL),
        ("nothing", socket::shutdown(&tcp(0), SHUT_RDWR), Errno::ENOTCONN),
    ]);
}

#[test]
fn names_need_room() {
    let (client, _server) = socket::pair();
    let minus = -1_i32;
    let sixteen = 16_u32;
    let mut room = [0_u8; 16];
    let at = room.as_mut_ptr() as usize;
    let (minus, sixteen) = (&raw const minus as usize, &raw const sixteen as usize);
    for name in [libc::SYS_getsockname, libc::SYS_getpeername] {
        check(vec![
            ("less than no room", call(name, [number(&client), at, minus]), Errno::EINVAL),
            ("no length", call(name, [number(&client), at, UNMAPPED]), Errno::EFAULT),
            ("no place", call(name, [number(&client), UNMAPPED, sixteen]), Errno::EFAULT),
        ]);
    }
    check(vec![("no peer", socket::peer(&tcp(0)), Errno::ENOTCONN)]);
}

#[test]
fn options_have_a_level_a_name_and_a_length() {
    let fd = tcp(0);
    let value = 1_i32;
    let minus = -1_i32;
    let (at, minus) = (&raw const value as usize, &raw const minus as usize);
    let set = |level: i32, name: i32, at, len| {
        call(libc::SYS_setsockopt, [number(&fd), level as usize, name as usize, at, len])
    };
    let get = |level: i32, name: i32, at, len| {
        call(libc::SYS_getsockopt, [number(&fd), level as usize, name as usize, at, len])
    };
    let mut room = [0_u8; 16];
    let place = room.as_mut_ptr() as usize;
    let four = 4_u32;
    let four = &raw const four as usize;
    check(vec![
        ("set: no name", set(SOL_SOCKET, 9999, at, 4), Errno::ENOPROTOOPT),
        ("set: no level", set(77, 1, at, 4), Errno::ENOPROTOOPT),
        ("set: no name of TCP", set(libc::IPPROTO_TCP, 9999, at, 4), Errno::ENOPROTOOPT),
        ("set: no name of IP", set(libc::IPPROTO_IP, 9999, at, 4), Errno::ENOPROTOOPT),
        ("set: short", set(SOL_SOCKET, SO_REUSEADDR, at, 3), Errno::EINVAL),
        ("set: short, of TCP", set(libc::IPPROTO_TCP, libc::TCP_NODELAY, at, 3), Errno::EINVAL),
        ("set: negative", set(SOL_SOCKET, SO_REUSEADDR, at, usize::MAX), Errno::EINVAL),
        ("set: not there", set(SOL_SOCKET, SO_REUSEADDR, UNMAPPED, 4), Errno::EFAULT),
        ("set: what is only asked", set(SOL_SOCKET, libc::SO_TYPE, at, 4), Errno::ENOPROTOOPT),
        ("set: the same", set(SOL_SOCKET, libc::SO_ACCEPTCONN, at, 4), Errno::ENOPROTOOPT),
        ("set: an error", set(SOL_SOCKET, libc::SO_ERROR, at, 4), Errno::ENOPROTOOPT),
        ("get: no name", get(SOL_SOCKET, 9999, place, four), Errno::ENOPROTOOPT),
        ("get: no level", get(77, 1, place, four), Errno::EOPNOTSUPP),
        ("get: no name of TCP", get(libc::IPPROTO_TCP, 9999, place, four), Errno::ENOPROTOOPT),
        ("get: no name of IP", get(libc::IPPROTO_IP, 9999, place, four), Errno::ENOPROTOOPT),
        ("get: negative", get(SOL_SOCKET, SO_REUSEADDR, place, minus), Errno::EINVAL),
        ("get: no length", get(SOL_SOCKET, SO_REUSEADDR, place, UNMAPPED), Errno::EFAULT),
        ("get: no place", get(SOL_SOCKET, SO_REUSEADDR, UNMAPPED, four), Errno::EFAULT),
    ]);
}

#[test]
fn a_socket_has_no_place() {
    let (client, _server) = socket::pair();
    check(vec![
        ("lseek", call(libc::SYS_lseek, [number(&client), 0, 0]), Errno::ESPIPE),
        ("pread", call(libc::SYS_pread64, [number(&client), UNMAPPED, 1, 0]), Errno::ESPIPE),
        ("ftruncate", call(libc::SYS_ftruncate, [number(&client), 0]), Errno::EINVAL),
        ("no request", call(libc::SYS_ioctl, [number(&client), 0x1234, 0]), Errno::ENOTTY),
        (
            "not yet any packet",
            call(libc::SYS_ioctl, [number(&client), 0x8906, UNMAPPED]),
            Errno::ENOENT,
        ),
    ]);
}

#[test]
fn a_peer_that_is_not_there_any_more_times_out() {
    let (_listener, address) = socket::listener(0, 0);
    let _first = socket::connecting(&address);
    let _second = socket::connecting(&address);
    let fd = tcp(0);
    socket::set(&fd, libc::IPPROTO_TCP, libc::TCP_SYNCNT, 1).unwrap();
    assert_eq!(socket::connect(&fd, &address), Err(Errno::ETIMEDOUT));
}
