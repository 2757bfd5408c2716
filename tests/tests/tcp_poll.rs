//! poll(2) of TCP sockets: every state that tcp_poll of Linux 6.1 distinguishes.

use libc::{
    POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM, SHUT_RD, SHUT_RDWR,
    SHUT_WR, SOCK_NONBLOCK,
};
use pollux_tests::epoll::{self, Epoll, events};
use pollux_tests::socket::{self, Address};
use pollux_tests::{Errno, Fd, poll, time};

const READ: i16 = POLLIN | POLLRDNORM;
const WRITE: i16 = POLLOUT | POLLWRNORM;
const ALL: i16 = READ | WRITE | POLLRDHUP | libc::POLLPRI;

fn ready(fd: &Fd) -> i16 {
    poll::ready(fd, ALL)
}

/// Waits until `fd` is ready for `events`, and says for what it is.
fn await_ready(fd: &Fd, events: i16) -> i16 {
    let mut entries = [poll::entry(fd.number(), events)];
    assert_eq!(poll::poll(&mut entries, 5000), Ok(1));
    ready(fd)
}

#[test]
fn a_new_socket_has_hung_up_and_is_writable() {
    assert_eq!(ready(&socket::tcp(0)), WRITE | POLLHUP);
}

#[test]
fn a_bound_socket_is_as_a_new_one() {
    let fd = socket::tcp(0);
    socket::bind(&fd, &Address::local(0)).unwrap();
    assert_eq!(ready(&fd), WRITE | POLLHUP);
}

#[test]
fn a_listener_is_readable_while_somebody_waits() {
    let (listener, address) = socket::listener(2, 0);
    assert_eq!(ready(&listener), 0);
    let client = socket::tcp(0);
    socket::connect(&client, &address).unwrap();
    assert_eq!(ready(&listener), READ);
    drop(socket::accept(&listener, 0).unwrap());
    assert_eq!(ready(&listener), 0);
}

#[test]
fn a_connection_is_writable_and_readable_once_bytes_came() {
    let (client, server) = socket::pair();
    assert_eq!((ready(&client), ready(&server)), (WRITE, WRITE));
    client.write(b"x").unwrap();
    assert_eq!((ready(&client), ready(&server)), (WRITE, WRITE | READ));
    server.read(1).unwrap();
    assert_eq!(ready(&server), WRITE);
}

#[test]
fn a_connection_that_was_begun_becomes_writable() {
    let (_listener, address) = socket::listener(1, 0);
    let (client, result) = socket::connecting(&address);
    assert_eq!(result, Err(Errno::EINPROGRESS));
    assert_eq!(await_ready(&client, POLLOUT), WRITE);
    assert_eq!(socket::error(&client), 0);
}

#[test]
fn a_refused_connection_has_every_event() {
    let (client, result) = socket::connecting(&socket::deserted());
    assert_eq!(result, Err(Errno::EINPROGRESS));
    let everything = READ | WRITE | POLLRDHUP | POLLHUP;
    assert_eq!(await_ready(&client, POLLOUT), everything | POLLERR);
    assert_eq!(socket::error(&client), libc::ECONNREFUSED);
    assert_eq!(ready(&client), everything);
}

#[test]
fn the_peer_s_end_is_readable_and_rdhup() {
    let (client, server) = socket::pair();
    socket::shutdown(&client, SHUT_WR).unwrap();
    assert_eq!(await_ready(&server, POLLIN), READ | WRITE | POLLRDHUP);
    assert_eq!(ready(&client), WRITE);
}

#[test]
fn both_ends_are_a_hang_up() {
    let (client, server) = socket::pair();
    socket::shutdown(&client, SHUT_WR).unwrap();
    await_ready(&server, POLLIN);
    socket::shutdown(&server, SHUT_WR).unwrap();
    let everything = READ | WRITE | POLLRDHUP | POLLHUP;
    assert_eq!(await_ready(&server, POLLHUP), everything);
    assert_eq!(await_ready(&client, POLLHUP), everything);
}

#[test]
fn shutting_down_reading_is_known_at_this_end_alone() {
    let (client, server) = socket::pair();
    socket::shutdown(&client, SHUT_RD).unwrap();
    assert_eq!(ready(&client), READ | WRITE | POLLRDHUP);
    assert_eq!(ready(&server), WRITE);
}

#[test]
fn shutting_down_both_is_a_hang_up_at_once() {
    let (client, _server) = socket::pair();
    socket::shutdown(&client, SHUT_RDWR).unwrap();
    assert_eq!(ready(&client), READ | WRITE | POLLRDHUP | POLLHUP);
}

#[test]
fn a_reset_has_every_event_and_an_error_once() {
    let (client, server) = socket::pair();
    client.write(b"unread").unwrap();
    await_ready(&server, POLLIN);
    drop(server);
    let everything = READ | WRITE | POLLRDHUP | POLLHUP;
    assert_eq!(await_ready(&client, POLLHUP), everything | POLLERR);
    assert_eq!(client.read(1), Err(Errno::ECONNRESET));
    assert_eq!(ready(&client), everything);
    assert_eq!(client.read(1), Ok(vec![]));
}

#[test]
fn bytes_for_an_end_that_is_shut_down_both_ways_reset_the_connection() {
    let (client, server) = socket::pair();
    server.write(b"before").unwrap();
    socket::shutdown(&client, SHUT_RDWR).unwrap();
    await_ready(&server, POLLRDHUP);
    assert_eq!(socket::send(&server, b"after", 0), Ok(5));
    let failed = READ | WRITE | POLLRDHUP | POLLHUP | POLLERR;
    assert_eq!((ready(&client), ready(&server)), (failed, failed));
    assert_eq!(socket::recv(&client, 99, 0), Ok(b"before".to_vec()));
    assert_eq!(socket::error(&client), libc::ECONNRESET);
    assert_eq!(socket::error(&server), libc::EPIPE);
    assert_eq!(socket::recv(&server, 99, 0), Ok(vec![]));
}

#[test]
fn shutting_down_reading_alone_refuses_no_bytes() {
    let (client, server) = socket::pair();
    socket::shutdown(&client, SHUT_RD).unwrap();
    server.write(b"x").unwrap();
    assert_eq!(ready(&server), WRITE);
    assert_eq!(socket::recv(&client, 99, 0), Ok(b"x".to_vec()));
}

#[test]
fn a_full_connection_is_writable_again_when_much_was_read() {
    let (client, server) = socket::nonblocking_pair();
    let mut written = 0;
    let full = loop {
        match client.write(&[7; 65536]) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
        time::settle();
    };
    assert_eq!(full, Errno::EAGAIN);
    assert_eq!(ready(&client), 0);
    let mut read = 0;
    while read < written {
        match server.read(1 << 20) {
            Ok(bytes) => read += bytes.len(),
            Err(Errno::EAGAIN) => time::settle(),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(await_ready(&client, POLLOUT), WRITE);
    assert_eq!(read, written);
}

#[test]
fn poll_wakes_for_bytes_and_for_the_end() {
    let (client, server) = socket::pair();
    let writer = time::soon(move || {
        client.write(b"x").unwrap();
        time::settle();
    });
    assert_eq!(await_ready(&server, POLLIN) & READ, READ);
    server.read(1).unwrap();
    writer.join().unwrap();
    assert_eq!(await_ready(&server, POLLRDHUP), READ | WRITE | POLLRDHUP);
    assert_eq!(server.read(1), Ok(vec![]));
}

#[test]
fn an_edge_is_told_for_every_arrival() {
    let (client, server) = socket::nonblocking_pair();
    let instance = Epoll::new();
    let interest = events::IN | events::ET;
    instance.add(&server, interest, 1).unwrap();
    assert_eq!(instance.now(), []);
    for _ in 0..3 {
        client.write(b"x").unwrap();
        assert_eq!(instance.wait(1, 5000), Ok(vec![epoll::event(events::IN, 1)]));
        assert_eq!(instance.now(), []);
    }
}

#[test]
fn an_arrival_that_leaves_less_than_the_low_water_mark_is_no_edge() {
    let (client, server) = socket::pair();
    socket::set(&server, libc::SOL_SOCKET, libc::SO_RCVLOWAT, 10).unwrap();
    let epoll = Epoll::new();
    epoll.add(&server, events::IN | events::OUT | events::ET, 1).unwrap();
    assert_eq!(epoll::wait(epoll.number(), 4, 0).unwrap().len(), 1);
    client.write(b"less").unwrap();
    assert_eq!(epoll::wait(epoll.number(), 4, 20), Ok(vec![]));
    client.write(b"enough").unwrap();
    assert_eq!(epoll::wait(epoll.number(), 4, 5000).unwrap().len(), 1);
}

#[test]
fn an_end_in_time_wait_is_not_connected() {
    let (client, server) = socket::pair();
    socket::shutdown(&client, SHUT_WR).unwrap();
    await_ready(&server, POLLRDHUP);
    drop(server);
    await_ready(&client, POLLHUP);
    assert_eq!(socket::shutdown(&client, SHUT_RDWR), Err(Errno::ENOTCONN));
    assert_eq!(socket::peer(&client).map(drop), Err(Errno::ENOTCONN));
    assert_eq!(socket::recv(&client, 9, 0), Ok(vec![]));
}

#[test]
fn a_hard_close_after_both_ends_resets_nothing() {
    let (client, server) = socket::pair();
    socket::shutdown(&client, SHUT_WR).unwrap();
    await_ready(&server, POLLRDHUP);
    socket::shutdown(&server, SHUT_WR).unwrap();
    await_ready(&client, POLLHUP);
    socket::set_value(&server, libc::SOL_SOCKET, libc::SO_LINGER, &[1_i32, 0]).unwrap();
    drop(server);
    assert_eq!(ready(&client), READ | WRITE | POLLRDHUP | POLLHUP);
    assert_eq!(socket::error(&client), 0);
}

#[test]
fn the_last_acknowledgment_comes_at_once() {
    let (client, server) = socket::pair();
    socket::shutdown(&client, SHUT_WR).unwrap();
    await_ready(&server, POLLRDHUP);
    socket::shutdown(&server, SHUT_WR).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    assert_eq!(socket::shutdown(&server, SHUT_WR), Err(Errno::ENOTCONN));
}

#[test]
fn a_listener_s_edge_is_told_for_every_connection() {
    let (listener, address) = socket::listener(8, SOCK_NONBLOCK);
    let instance = Epoll::new();
    instance.add(&listener, events::IN | events::ET, 1).unwrap();
    let mut clients = vec![];
    for _ in 0..3 {
        let client = socket::tcp(0);
        socket::connect(&client, &address).unwrap();
        clients.push(client);
        assert_eq!(instance.wait(1, 5000), Ok(vec![epoll::event(events::IN, 1)]));
        assert_eq!(instance.now(), []);
    }
}
