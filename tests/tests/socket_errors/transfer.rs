//! The errors of sending, receiving and shutting down, of names and of options.

use libc::{
    MSG_DONTWAIT, MSG_ERRQUEUE, MSG_NOSIGNAL, MSG_OOB, SHUT_RDWR, SO_REUSEADDR, SOL_SOCKET,
};
use pollux_tests::memory::{KERNEL, UNMAPPED};
use pollux_tests::socket::{self, Address, tcp};
use pollux_tests::{Errno, Fd};

use super::{call, check, fill, number};

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
