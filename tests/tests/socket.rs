//! socket(2), bind(2), listen(2), getsockname(2), shutdown(2): stream sockets before they carry data.

use std::net::Ipv4Addr;

use libc::{
    AF_INET, SHUT_RD, SHUT_RDWR, SO_REUSEADDR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET,
};
use pollux_tests::socket::{self, Address};
use pollux_tests::{Errno, fd, memory, sys};

#[test]
fn flags_are_kept() {
    let fd = socket::tcp(SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_eq!(fd.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
    let flags = fd.fcntl(libc::F_GETFL, 0).unwrap();
    assert_eq!(flags & (libc::O_ACCMODE | libc::O_NONBLOCK), libc::O_RDWR | libc::O_NONBLOCK);
    assert_eq!(socket::tcp(0).fcntl(libc::F_GETFD, 0), Ok(0));
}

#[test]
fn what_is_not_there_is_refused() {
    assert_eq!(
        socket::socket(AF_INET, SOCK_STREAM, libc::IPPROTO_UDP),
        Err(Errno::EPROTONOSUPPORT)
    );
    assert_eq!(socket::socket(200, SOCK_STREAM, 0), Err(Errno::EAFNOSUPPORT));
    assert_eq!(socket::socket(AF_INET, 11, 0), Err(Errno::EINVAL));
    assert_eq!(socket::socket(AF_INET, SOCK_STREAM | 0x100, 0), Err(Errno::EINVAL));
}

#[test]
fn a_file_is_no_socket() {
    let (reader, _writer) = fd::pipe();
    assert_eq!(socket::listen(&reader, 1), Err(Errno::ENOTSOCK));
    assert_eq!(socket::bind(&reader, &Address::local(0)), Err(Errno::ENOTSOCK));
    assert_eq!(socket::send(&reader, b"x", 0), Err(Errno::ENOTSOCK));
    let closed = pollux_tests::Fd::from_number(1000);
    assert_eq!(socket::listen(&closed, 1), Err(Errno::EBADF));
    let _ = closed.into_number();
}

#[test]
fn port_zero_is_a_free_one() {
    let fds: Vec<_> = (0..50)
        .map(|_| {
            let fd = socket::tcp(0);
            socket::bind(&fd, &Address::local(0)).unwrap();
            fd
        })
        .collect();
    let mut ports: Vec<u16> =
        fds.iter().map(|fd| socket::name(fd).unwrap().parts().port()).collect();
    assert!(ports.iter().all(|port| *port >= 1024));
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 50);
}

#[test]
fn a_socket_is_bound_once() {
    let fd = socket::tcp(0);
    socket::bind(&fd, &Address::local(0)).unwrap();
    assert_eq!(socket::bind(&fd, &Address::local(0)), Err(Errno::EINVAL));
}

#[test]
fn an_address_in_use_is_refused_until_it_is_free() {
    let (first, address) = socket::listener(1, 0);
    let second = socket::tcp(0);
    assert_eq!(socket::bind(&second, &address), Err(Errno::EADDRINUSE));
    let any = Address::new(Ipv4Addr::UNSPECIFIED, address.parts().port());
    assert_eq!(socket::bind(&second, &any), Err(Errno::EADDRINUSE));
    let other = Address::new(Ipv4Addr::new(127, 0, 0, 2), address.parts().port());
    let third = socket::tcp(0);
    socket::bind(&third, &other).unwrap();
    drop(first);
    socket::bind(&second, &address).unwrap();
}

#[test]
fn two_may_share_an_address_but_one_listens() {
    let fds = [socket::tcp(0), socket::tcp(0)];
    for fd in &fds {
        socket::set(fd, SOL_SOCKET, SO_REUSEADDR, 1).unwrap();
    }
    socket::bind(&fds[0], &Address::local(0)).unwrap();
    let address = socket::name(&fds[0]).unwrap();
    socket::bind(&fds[1], &address).unwrap();
    socket::listen(&fds[0], 1).unwrap();
    assert_eq!(socket::listen(&fds[1], 1), Err(Errno::EADDRINUSE));
}

#[test]
fn addresses_are_checked() {
    let fd = socket::tcp(0);
    let address = Address::local(0);
    assert_eq!(socket::with_address(libc::SYS_bind, &fd, &address, 8), Err(Errno::EINVAL));
    assert_eq!(socket::with_address(libc::SYS_bind, &fd, &address, 129), Err(Errno::EINVAL));
    let mut foreign = address;
    foreign.family = 10;
    assert_eq!(socket::bind(&fd, &foreign), Err(Errno::EAFNOSUPPORT));
    let far = Address::new(Ipv4Addr::new(192, 0, 2, 1), 0);
    assert_eq!(socket::bind(&fd, &far), Err(Errno::EADDRNOTAVAIL));
    let number = fd.number() as usize;
    // SAFETY: nothing is mapped there.
    let result = unsafe { sys::call(libc::SYS_bind, [number, memory::UNMAPPED, 16]) };
    assert_eq!(result, Err(Errno::EFAULT));
}

#[test]
fn a_socket_without_address_has_zeroes() {
    let fd = socket::tcp(0);
    assert_eq!(socket::name(&fd).unwrap(), Address::new(Ipv4Addr::UNSPECIFIED, 0));
    assert_eq!(socket::peer(&fd), Err(Errno::ENOTCONN));
}

#[test]
fn a_short_buffer_gets_the_start_of_the_address_and_its_length() {
    let fd = socket::tcp(0);
    socket::bind(&fd, &Address::local(0)).unwrap();
    let mut bytes = [0x55_u8; 16];
    let mut lens = [2_u32, u32::MAX];
    let results = [0, 1].map(|index| {
        let addresses = [bytes.as_mut_ptr() as usize, &raw mut lens[index] as usize];
        // SAFETY: both are ours.
        unsafe {
            sys::call(libc::SYS_getsockname, [fd.number() as usize, addresses[0], addresses[1]])
        }
    });
    assert_eq!(results, [Ok(0), Err(Errno::EINVAL)]);
    assert_eq!((lens[0], &bytes[..3]), (16, &[2, 0, 0x55][..]));
}

#[test]
fn an_unconnected_socket_carries_nothing() {
    let fd = socket::tcp(0);
    assert_eq!(fd.read(1), Err(Errno::ENOTCONN));
    assert_eq!(socket::recv(&fd, 1, 0), Err(Errno::ENOTCONN));
    assert_eq!(socket::send(&fd, b"x", libc::MSG_NOSIGNAL), Err(Errno::EPIPE));
    assert_eq!(socket::shutdown(&fd, SHUT_RDWR), Err(Errno::ENOTCONN));
    assert_eq!(socket::accept(&fd, 0), Err(Errno::EINVAL));
}

#[test]
fn a_listener_carries_nothing_and_connects_to_nobody() {
    let (fd, address) = socket::listener(1, SOCK_NONBLOCK);
    assert_eq!(fd.read(1), Err(Errno::ENOTCONN));
    assert_eq!(socket::send(&fd, b"x", libc::MSG_NOSIGNAL), Err(Errno::EPIPE));
    assert_eq!(socket::connect(&fd, &address), Err(Errno::EISCONN));
    assert_eq!(socket::accept(&fd, 0), Err(Errno::EAGAIN));
    assert_eq!(socket::accept(&fd, 1), Err(Errno::EINVAL));
    assert_eq!(socket::get(&fd, SOL_SOCKET, libc::SO_ACCEPTCONN), Ok(1));
}

#[test]
fn shutting_a_listener_down_ends_listening() {
    let (fd, address) = socket::listener(1, SOCK_NONBLOCK);
    socket::shutdown(&fd, SHUT_RD).unwrap();
    assert_eq!(socket::accept(&fd, 0), Err(Errno::EINVAL));
    assert_eq!(socket::connect(&socket::tcp(0), &address), Err(Errno::ECONNREFUSED));
    assert_eq!(socket::name(&fd), Ok(address));
}

#[test]
fn listening_needs_no_bind() {
    let fd = socket::tcp(0);
    socket::listen(&fd, 1).unwrap();
    let address = socket::name(&fd).unwrap().parts();
    assert_eq!(*address.ip(), Ipv4Addr::UNSPECIFIED);
    socket::connect(&socket::tcp(0), &Address::local(address.port())).unwrap();
}

#[test]
fn options_are_kept() {
    let fd = socket::tcp(0);
    assert_eq!(socket::get(&fd, SOL_SOCKET, libc::SO_TYPE), Ok(SOCK_STREAM));
    assert_eq!(socket::get(&fd, SOL_SOCKET, libc::SO_DOMAIN), Ok(AF_INET));
    assert_eq!(socket::get(&fd, SOL_SOCKET, libc::SO_PROTOCOL), Ok(libc::IPPROTO_TCP));
    assert_eq!(socket::get(&fd, SOL_SOCKET, libc::SO_ACCEPTCONN), Ok(0));
    for (level, name) in [
        (SOL_SOCKET, SO_REUSEADDR),
        (SOL_SOCKET, libc::SO_REUSEPORT),
        (SOL_SOCKET, libc::SO_KEEPALIVE),
        (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    ] {
        assert_eq!(socket::get(&fd, level, name), Ok(0));
        socket::set(&fd, level, name, 1).unwrap();
        assert_eq!(socket::get(&fd, level, name), Ok(1));
    }
    socket::set(&fd, SOL_SOCKET, libc::SO_SNDBUF, 5000).unwrap();
    assert_eq!(socket::get(&fd, SOL_SOCKET, libc::SO_SNDBUF), Ok(10000));
    assert_eq!(socket::get(&fd, SOL_SOCKET, 9999), Err(Errno::ENOPROTOOPT));
    assert_eq!(socket::set(&fd, libc::IPPROTO_TCP, 9999, 1), Err(Errno::ENOPROTOOPT));
    assert_eq!(socket::set_value(&fd, SOL_SOCKET, SO_REUSEADDR, &1_u8), Err(Errno::EINVAL));
}
