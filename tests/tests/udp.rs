//! udp(7): datagrams.

use std::net::Ipv4Addr;

use libc::{
    AF_UNSPEC, EPOLLET, EPOLLIN, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, POLLERR, POLLHUP, POLLIN,
    POLLOUT, POLLRDHUP, SHUT_RD, SHUT_RDWR, SHUT_WR, SO_RCVBUF, SO_RCVTIMEO, SO_REUSEADDR,
    SOCK_DGRAM, SOL_SOCKET,
};
use pollux_tests::epoll::Epoll;
use pollux_tests::socket::{
    self, Address, bind, connect, error, get, recv, recv_from, send, send_to, set, set_value,
    shutdown, udp,
};
use pollux_tests::{Errno, Fd, poll, time, unix};

const ALL: i16 = POLLIN | POLLOUT | POLLRDHUP;

/// Makes a socket with a port of its own.
fn bound() -> (Fd, Address) {
    let fd = udp(0);
    bind(&fd, &Address::local(0)).unwrap();
    let address = socket::name(&fd).unwrap();
    (fd, address)
}

/// Returns an unused address.
fn deserted() -> Address {
    bound().1
}

#[test]
fn datagrams_arrive_whole_and_say_from_whom() {
    let (server, address) = bound();
    let client = udp(0);
    assert_eq!(send_to(&client, b"first", &address), Ok(5));
    assert_eq!(send_to(&client, b"", &address), Ok(0));
    assert_eq!(send_to(&client, b"third", &address), Ok(5));
    let own = socket::name(&client).unwrap();
    assert_eq!(*own.parts().ip(), Ipv4Addr::UNSPECIFIED);
    let from = Address::local(own.parts().port());
    assert_eq!(server.unread(), Ok(5), "of the first");
    assert_eq!(recv_from(&server, 99, 0), Ok((b"first".to_vec(), from)));
    assert_eq!(recv_from(&server, 99, 0), Ok((Vec::new(), from)));
    assert_eq!(recv_from(&server, 3, 0), Ok((b"thi".to_vec(), from)));
    assert_eq!(recv(&server, 9, MSG_DONTWAIT), Err(Errno::EAGAIN), "the rest is lost");
    assert_eq!(send_to(&server, b"back", &from), Ok(4));
    assert_eq!(recv_from(&client, 99, 0), Ok((b"back".to_vec(), address)));
}

#[test]
fn what_it_is_can_be_asked() {
    let fd = udp(0);
    assert_eq!(get(&fd, SOL_SOCKET, libc::SO_TYPE), Ok(SOCK_DGRAM));
    assert_eq!(get(&fd, SOL_SOCKET, libc::SO_PROTOCOL), Ok(libc::IPPROTO_UDP));
    assert_eq!(get(&fd, SOL_SOCKET, libc::SO_DOMAIN), Ok(libc::AF_INET));
    let wrong = socket::socket(libc::AF_INET, SOCK_DGRAM, libc::IPPROTO_TCP);
    assert_eq!(wrong.map(drop), Err(Errno::EPROTONOSUPPORT));
    assert_eq!(socket::listen(&fd, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(socket::accept(&fd, 0).map(drop), Err(Errno::EOPNOTSUPP));
    assert_eq!(socket::peer(&fd), Err(Errno::ENOTCONN));
    assert_eq!(get(&fd, libc::IPPROTO_TCP, libc::TCP_NODELAY), Err(Errno::EOPNOTSUPP));
}

#[test]
fn a_connected_socket_hears_one_peer_only() {
    let (server, address) = bound();
    let (stranger, _) = bound();
    let client = udp(0);
    connect(&client, &address).unwrap();
    assert_eq!(socket::peer(&client).unwrap(), address);
    let own = socket::name(&client).unwrap();
    assert_eq!(*own.parts().ip(), Ipv4Addr::LOCALHOST);
    client.write(b"to the server").unwrap();
    assert_eq!(recv_from(&server, 99, 0), Ok((b"to the server".to_vec(), own)));
    send_to(&stranger, b"from a stranger", &own).unwrap();
    send_to(&server, b"from the server", &own).unwrap();
    assert_eq!(client.read(99).unwrap(), b"from the server");
    assert_eq!(recv(&client, 99, MSG_DONTWAIT), Err(Errno::EAGAIN));
    let (other, elsewhere) = bound();
    assert_eq!(send_to(&client, b"once elsewhere", &elsewhere), Ok(14));
    assert_eq!(recv_from(&other, 99, 0), Ok((b"once elsewhere".to_vec(), own)));
    connect(&client, &elsewhere).unwrap();
    assert_eq!(socket::peer(&client).unwrap(), elsewhere, "again and again");
}

#[test]
fn no_family_undoes_a_connection() {
    let (server, address) = bound();
    let client = udp(0);
    connect(&client, &address).unwrap();
    let mut nothing = address;
    nothing.family = AF_UNSPEC as u16;
    connect(&client, &nothing).unwrap();
    assert_eq!(socket::peer(&client), Err(Errno::ENOTCONN));
    assert_eq!(socket::name(&client).unwrap(), Address::new(Ipv4Addr::UNSPECIFIED, 0));
    assert_eq!(client.write(b"x"), Err(Errno::EDESTADDRREQ));
    connect(&server, &address).unwrap();
    connect(&server, &nothing).unwrap();
    assert_eq!(socket::name(&server).unwrap(), Address::local(0), "the program chose no port");
    bind(&server, &Address::local(4242)).unwrap();
    connect(&server, &address).unwrap();
    connect(&server, &nothing).unwrap();
    assert_eq!(socket::name(&server).unwrap(), Address::local(4242));
}

#[test]
fn nobody_there_is_told_to_who_is_connected() {
    let client = udp(0);
    connect(&client, &deserted()).unwrap();
    assert_eq!(client.write(b"x"), Ok(1));
    assert_eq!(poll::ready(&client, ALL), POLLOUT | POLLERR);
    assert_eq!(client.read(9), Err(Errno::ECONNREFUSED));
    assert_eq!(poll::ready(&client, ALL), POLLOUT, "once");
    client.write(b"x").unwrap();
    assert_eq!(client.write(b"y"), Err(Errno::ECONNREFUSED));
    client.write(b"x").unwrap();
    assert_eq!(error(&client), libc::ECONNREFUSED);
    assert_eq!(error(&client), 0);
    let anyone = udp(0);
    assert_eq!(send_to(&anyone, b"x", &deserted()), Ok(1));
    assert_eq!(poll::ready(&anyone, ALL), POLLOUT, "not to who is not");
}

#[test]
fn an_error_comes_before_what_has_arrived() {
    let (server, address) = bound();
    let client = udp(0);
    connect(&client, &address).unwrap();
    let own = socket::name(&client).unwrap();
    send_to(&server, b"before", &own).unwrap();
    drop(server);
    client.write(b"x").unwrap();
    assert_eq!(poll::ready(&client, ALL), POLLIN | POLLOUT | POLLERR);
    assert_eq!(client.read(9), Err(Errno::ECONNREFUSED));
    assert_eq!(client.read(9).unwrap(), b"before");
}

#[test]
fn sending_needs_a_destination_that_is_one() {
    let fd = udp(0);
    assert_eq!(fd.write(b"x"), Err(Errno::EDESTADDRREQ));
    assert_eq!(send(&fd, b"x", 0), Err(Errno::EDESTADDRREQ));
    assert_eq!(send_to(&fd, b"x", &Address::local(0)), Err(Errno::EINVAL));
    let mut foreign = Address::local(9);
    foreign.family = 10;
    assert_eq!(send_to(&fd, b"x", &foreign), Err(Errno::EAFNOSUPPORT));
    assert_eq!(connect(&fd, &foreign), Err(Errno::EAFNOSUPPORT));
    assert_eq!(socket::send(&fd, b"x", libc::MSG_OOB), Err(Errno::EOPNOTSUPP));
    assert_eq!(recv(&fd, 9, MSG_DONTWAIT), Err(Errno::EAGAIN));
}

#[test]
fn a_datagram_has_a_longest_length() {
    let (server, address) = bound();
    let client = udp(0);
    let longest = (0..65_507_u32).map(|n| n as u8).collect::<Vec<_>>();
    assert_eq!(send_to(&client, &longest, &address), Ok(65_507));
    assert!(recv(&server, 70_000, 0).unwrap() == longest);
    for len in [65_508, 65_536, 100_000] {
        assert_eq!(send_to(&client, &vec![0; len], &address), Err(Errno::EMSGSIZE));
    }
}

#[test]
fn addresses_in_use_are_refused_unless_both_agree() {
    let (first, address) = bound();
    let second = udp(0);
    assert_eq!(bind(&second, &address), Err(Errno::EADDRINUSE));
    let any = Address::new(Ipv4Addr::UNSPECIFIED, address.parts().port());
    assert_eq!(bind(&second, &any), Err(Errno::EADDRINUSE));
    set(&second, SOL_SOCKET, SO_REUSEADDR, 1).unwrap();
    assert_eq!(bind(&second, &address), Err(Errno::EADDRINUSE), "the first does not agree");
    set(&first, SOL_SOCKET, SO_REUSEADDR, 1).unwrap();
    bind(&second, &any).unwrap();
    assert_eq!(bind(&second, &any), Err(Errno::EINVAL), "once");
    send_to(&second, b"x", &address).unwrap();
    assert_eq!(recv(&first, 9, MSG_DONTWAIT).unwrap(), b"x", "the closer address");
    let far = Address::new(Ipv4Addr::new(192, 0, 2, 1), 0);
    assert_eq!(bind(&udp(0), &far), Err(Errno::EADDRNOTAVAIL));
    drop(first);
    send_to(&second, b"y", &address).unwrap();
    assert_eq!(recv(&second, 9, MSG_DONTWAIT).unwrap(), b"y");
}

#[test]
fn tcp_and_udp_have_ports_of_their_own() {
    let (_listener, address) = socket::listener(1, 0);
    let fd = udp(0);
    bind(&fd, &address).unwrap();
}

#[test]
fn flags_of_recv() {
    let (server, address) = bound();
    let client = udp(0);
    send_to(&client, b"abcdef", &address).unwrap();
    assert_eq!(recv(&server, 2, MSG_PEEK).unwrap(), b"ab");
    let message = unix::receive(&server, 4, 0, MSG_PEEK).unwrap();
    assert_eq!((&message.bytes[..], message.flags), (&b"abcd"[..], MSG_TRUNC));
    assert_eq!(message.from.len(), 16);
    let message = unix::receive(&server, 4, 0, MSG_TRUNC).unwrap();
    assert_eq!((message.told, message.flags), (6, MSG_TRUNC));
    assert_eq!(recv(&server, 2, MSG_DONTWAIT), Err(Errno::EAGAIN));
}

#[test]
fn waiting_ends_with_a_datagram_or_in_time() {
    let (server, address) = bound();
    let waiting = server.dup().unwrap();
    let reading = time::soon(move || waiting.read(9));
    time::settle();
    send_to(&udp(0), b"x", &address).unwrap();
    assert_eq!(reading.join().unwrap().unwrap(), b"x");
    let limit = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
    set_value(&server, SOL_SOCKET, SO_RCVTIMEO, &limit).unwrap();
    assert_eq!(server.read(9), Err(Errno::EAGAIN));
}

#[test]
fn each_datagram_is_an_edge() {
    let (server, address) = bound();
    let client = udp(0);
    let epoll = Epoll::new();
    epoll.add(&server, (EPOLLIN | EPOLLET) as u32, 1).unwrap();
    assert_eq!(epoll.now_data(), []);
    for _ in 0..2 {
        send_to(&client, b"x", &address).unwrap();
        assert_eq!(epoll.now_data(), [1]);
        assert_eq!(epoll.now_data(), []);
    }
}

#[test]
fn what_there_is_no_room_for_is_lost() {
    let (server, address) = bound();
    set(&server, SOL_SOCKET, SO_RCVBUF, 5_000).unwrap();
    let client = udp(0);
    for _ in 0..100 {
        assert_eq!(send_to(&client, &[0; 1000], &address), Ok(1000));
    }
    let mut received = 0;
    while recv(&server, 1000, MSG_DONTWAIT).is_ok() {
        received += 1;
    }
    assert!((2..=20).contains(&received), "{received}");
    send_to(&client, b"x", &address).unwrap();
    assert_eq!(server.read(9).unwrap(), b"x");
}

#[test]
fn shutdown_ends_what_a_connected_socket_does() {
    let (server, address) = bound();
    assert_eq!(shutdown(&server, SHUT_WR), Err(Errno::ENOTCONN));
    let client = udp(0);
    connect(&client, &address).unwrap();
    shutdown(&client, SHUT_WR).unwrap();
    assert_eq!(client.write(b"x"), Err(Errno::EPIPE));
    assert_eq!(poll::ready(&client, ALL), POLLOUT);
    shutdown(&client, SHUT_RD).unwrap();
    assert_eq!(poll::ready(&client, ALL), ALL | POLLHUP);
    assert_eq!(client.read(9).unwrap(), b"");
    assert_eq!(shutdown(&client, SHUT_RDWR), Ok(()));
}

#[test]
fn no_address_is_this_machine() {
    let fd = udp(0);
    bind(&fd, &Address::new(Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = socket::name(&fd).unwrap().parts().port();
    send_to(&udp(0), b"x", &Address::new(Ipv4Addr::UNSPECIFIED, port)).unwrap();
    send_to(&udp(0), b"y", &Address::new(Ipv4Addr::new(127, 9, 9, 9), port)).unwrap();
    assert_eq!(fd.read(9).unwrap(), b"x");
    assert_eq!(fd.read(9).unwrap(), b"y");
}
