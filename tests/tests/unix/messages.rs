//! What passes between connected local sockets: readiness, credentials, shutdown, bytes and datagrams.

use libc::{
    EPOLLET, EPOLLIN, EPOLLOUT, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, SHUT_RD, SHUT_WR,
    SO_PEERCRED, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET,
};
use pollux_tests::epoll::Epoll;
use pollux_tests::socket::{accept, error, get, recv, send, shutdown};
use pollux_tests::unix::{self, Address, listener};
use pollux_tests::{Errno, Fd, child, poll, socket, sys, time};

use super::{ALL, connected, fresh};

#[test]
fn readiness_in_every_state() {
    let (_, address) = fresh("states");
    let client = unix::socket(SOCK_STREAM);
    assert_eq!(poll::ready(&client, ALL), POLLOUT | POLLHUP, "unconnected");
    let listener = listener(SOCK_STREAM, &address, 5);
    assert_eq!(poll::ready(&listener, ALL), 0, "nobody waits");
    unix::connect(&client, &address).unwrap();
    assert_eq!(poll::ready(&listener, ALL), POLLIN);
    assert_eq!(poll::ready(&client, ALL), POLLOUT, "connected before it is accepted");
    let server = accept(&listener, 0).unwrap();
    assert_eq!(poll::ready(&listener, ALL), 0);
    client.write(b"x").unwrap();
    assert_eq!(poll::ready(&server, ALL), POLLIN | POLLOUT);
    shutdown(&client, SHUT_WR).unwrap();
    assert_eq!(poll::ready(&server, ALL), POLLIN | POLLOUT | POLLRDHUP);
    assert_eq!(poll::ready(&client, ALL), POLLOUT, "still");
    shutdown(&server, SHUT_WR).unwrap();
    assert_eq!(poll::ready(&client, ALL), ALL | POLLHUP);
    assert_eq!(poll::ready(&server, ALL), ALL | POLLHUP);
    shutdown(&listener, SHUT_RD).unwrap();
    assert_eq!(poll::ready(&listener, ALL), POLLIN | POLLRDHUP);
    assert_eq!(accept(&listener, 0).map(drop), Err(Errno::EINVAL));
    let late = unix::socket(SOCK_STREAM);
    assert_eq!(unix::connect(&late, &address), Err(Errno::ECONNREFUSED));
}

#[test]
fn edges_are_told_once() {
    let (_, address) = fresh("edges");
    let listener = listener(SOCK_STREAM, &address, 5);
    let epoll = Epoll::new();
    epoll.add(&listener, (EPOLLIN | EPOLLET) as u32, 1).unwrap();
    assert_eq!(epoll.now_data(), []);
    let client = connected(&address);
    assert_eq!(epoll.now_data(), [1]);
    assert_eq!(epoll.now_data(), []);
    let _second = connected(&address);
    assert_eq!(epoll.now_data(), [1]);
    let server = accept(&listener, 0).unwrap();
    epoll.add(&server, (EPOLLIN | EPOLLOUT | EPOLLET) as u32, 2).unwrap();
    assert_eq!(epoll.now_data(), [2]);
    client.write(b"a").unwrap();
    assert_eq!(epoll.now_data(), [2]);
    assert_eq!(epoll.now_data(), []);
    server.read(1).unwrap();
    assert_eq!(epoll.now_data(), []);
    drop(client);
    assert_eq!(epoll.now_data(), [2]);
}

#[test]
fn the_other_end_is_known() {
    let (_, address) = fresh("credentials");
    let listener = listener(SOCK_STREAM, &address, 5);
    let myself = [std::process::id(), 0, 0];
    let nobody = [0, u32::MAX, u32::MAX];
    assert_eq!(credentials(&listener), myself);
    assert_eq!(credentials(&unix::socket(SOCK_STREAM)), nobody);
    assert_eq!(credentials(&socket::tcp(0)), nobody);
    let (one, other) = unix::pair(SOCK_STREAM);
    assert_eq!(credentials(&one), myself);
    assert_eq!(credentials(&other), myself);
    let child = child::spawn(|| {
        let client = connected(&address);
        assert_eq!(credentials(&client)[0], std::os::unix::process::parent_id());
        client.read(1).unwrap();
    });
    let server = accept(&listener, 0).unwrap();
    assert_eq!(credentials(&server), [child.pid() as u32, 0, 0]);
    drop(server);
    child.join();
}

fn credentials(fd: &Fd) -> [u32; 3] {
    let mut value = [7_u32; 3];
    let mut len = 12_u32;
    let [value_at, len_at] = [&raw mut value as usize, &raw mut len as usize];
    let arguments =
        [fd.number() as usize, SOL_SOCKET as usize, SO_PEERCRED as usize, value_at, len_at];
    // SAFETY: both are ours.
    unsafe { sys::call(libc::SYS_getsockopt, arguments) }.unwrap();
    assert_eq!(len, 12);
    value
}

#[test]
fn options_tell_what_it_is() {
    let fd = unix::socket(SOCK_SEQPACKET);
    assert_eq!(get(&fd, SOL_SOCKET, libc::SO_DOMAIN), Ok(libc::AF_UNIX));
    assert_eq!(get(&fd, SOL_SOCKET, libc::SO_TYPE), Ok(SOCK_SEQPACKET));
    assert_eq!(get(&fd, SOL_SOCKET, libc::SO_PROTOCOL), Ok(0));
    assert_eq!(get(&fd, SOL_SOCKET, libc::SO_ACCEPTCONN), Ok(0));
    assert_eq!(get(&fd, SOL_SOCKET, libc::SO_SNDBUF), Ok(212_992));
    assert_eq!(get(&fd, libc::IPPROTO_TCP, libc::TCP_NODELAY), Err(Errno::EOPNOTSUPP));
    let listener = listener(SOCK_STREAM, &Address::hidden("options"), 1);
    assert_eq!(get(&listener, SOL_SOCKET, libc::SO_ACCEPTCONN), Ok(1));
}

#[test]
fn shutdown_ends_one_direction_at_both_ends() {
    let (one, other) = unix::pair(SOCK_STREAM);
    one.write(b"before").unwrap();
    shutdown(&other, SHUT_RD).unwrap();
    assert_eq!(send(&one, b"x", libc::MSG_NOSIGNAL), Err(Errno::EPIPE));
    assert_eq!(other.read(9).unwrap(), b"before");
    assert_eq!(other.read(9).unwrap(), b"");
    other.write(b"y").unwrap();
    assert_eq!(one.read(9).unwrap(), b"y");
    assert_eq!(shutdown(&one, 3), Err(Errno::EINVAL));
}

#[test]
fn bytes_that_nobody_read_make_an_error() {
    let (one, other) = unix::pair(SOCK_STREAM);
    one.write(b"unread").unwrap();
    other.write(b"sent before").unwrap();
    drop(other);
    assert_eq!(poll::ready(&one, ALL), ALL | POLLHUP | POLLERR);
    assert_eq!(one.read(99).unwrap(), b"sent before");
    assert_eq!(one.read(1), Err(Errno::ECONNRESET));
    assert_eq!(one.read(1).unwrap(), b"");
    let (one, other) = unix::pair(SOCK_STREAM);
    one.write(b"unread").unwrap();
    drop(other);
    assert_eq!(error(&one), libc::ECONNRESET);
    assert_eq!(error(&one), 0);
    assert_eq!(poll::ready(&one, ALL), ALL | POLLHUP);
}

#[test]
fn flags_of_recv() {
    let (one, other) = unix::pair(SOCK_STREAM);
    one.write(b"ab").unwrap();
    one.write(b"cd").unwrap();
    assert_eq!(recv(&other, 9, libc::MSG_PEEK).unwrap(), b"abcd");
    assert_eq!(recv(&other, 3, libc::MSG_PEEK).unwrap(), b"abc");
    assert_eq!(other.unread(), Ok(4));
    let reading = time::soon(move || recv(&other, 6, libc::MSG_WAITALL));
    time::settle();
    one.write(b"ef").unwrap();
    assert_eq!(reading.join().unwrap().unwrap(), b"abcdef");
    let (one, other) = unix::pair(SOCK_SEQPACKET);
    one.write(b"abcdef").unwrap();
    assert_eq!(recv(&other, 2, libc::MSG_PEEK).unwrap(), b"ab");
    let message = unix::receive(&other, 3, 0, libc::MSG_PEEK).unwrap();
    assert_eq!((&message.bytes[..], message.flags), (&b"abc"[..], libc::MSG_TRUNC));
    let message = unix::receive(&other, 3, 0, libc::MSG_TRUNC).unwrap();
    assert_eq!((message.told, message.flags), (6, libc::MSG_TRUNC));
    assert_eq!(recv(&other, 1, libc::MSG_DONTWAIT), Err(Errno::EAGAIN));
    assert_eq!(recv(&other, 1, libc::MSG_OOB), Err(Errno::EOPNOTSUPP));
}

#[test]
fn a_message_tells_who_sent_it_if_that_has_a_name() {
    let address = Address::hidden("sender");
    let listener = listener(SOCK_SEQPACKET, &address, 1);
    let client = unix::socket(SOCK_SEQPACKET);
    unix::connect(&client, &address).unwrap();
    let server = accept(&listener, 0).unwrap();
    server.write(b"from the server").unwrap();
    assert_eq!(unix::receive(&client, 99, 0, 0).unwrap().from, address.0);
    client.write(b"from the client").unwrap();
    assert_eq!(unix::receive(&server, 99, 0, 0).unwrap().from, b"");
}

#[test]
fn datagrams_of_a_pair_go_until_the_other_end_is_gone() {
    let (one, other) = unix::pair(SOCK_DGRAM | SOCK_NONBLOCK);
    one.write(b"a").unwrap();
    one.write(b"").unwrap();
    one.write(b"bc").unwrap();
    assert_eq!(other.unread(), Ok(1), "of the first");
    assert_eq!(other.read(9).unwrap(), b"a");
    assert_eq!(other.read(9).unwrap(), b"");
    assert_eq!(other.read(9).unwrap(), b"bc");
    assert_eq!(other.read(9), Err(Errno::EAGAIN));
    assert_eq!(poll::ready(&one, ALL), POLLOUT);
    drop(other);
    assert_eq!(poll::ready(&one, ALL), POLLOUT, "no hang-up");
    assert_eq!(one.write(b"x"), Err(Errno::ECONNREFUSED));
    assert_eq!(one.write(b"x"), Err(Errno::ENOTCONN));
    assert_eq!(one.write(&vec![0; 300_000]), Err(Errno::ENOTCONN));
}

#[test]
fn a_message_that_is_too_long_is_refused() {
    for kind in [SOCK_SEQPACKET, SOCK_DGRAM] {
        let (one, _other) = unix::pair(kind);
        assert_eq!(one.write(&vec![0; 212_992]), Err(Errno::EMSGSIZE));
        assert_eq!(one.write(&vec![0; 212_960]), Ok(212_960));
    }
}

#[test]
fn a_smaller_send_buffer_holds_less() {
    let (one, other) = unix::pair(SOCK_STREAM | SOCK_NONBLOCK);
    socket::set(&one, SOL_SOCKET, libc::SO_SNDBUF, 5_000).unwrap();
    let mut sent = 0;
    while let Ok(count) = one.write(&[1; 500]) {
        sent += count;
    }
    assert!((1_000..=12_000).contains(&sent), "{sent}");
    assert_eq!(poll::ready(&one, POLLOUT), 0);
    assert_eq!(other.read(100_000).unwrap().len(), sent);
    assert_eq!(poll::ready(&one, POLLOUT), POLLOUT);
}
