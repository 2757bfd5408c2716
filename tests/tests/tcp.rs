//! tcp(7): connections over the loopback interface.

use std::thread;

use libc::{
    MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL, SHUT_RD, SHUT_WR, SO_LINGER, SOCK_NONBLOCK, SOL_SOCKET,
};
use pollux_tests::socket::{self, Address};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, child, poll, signal};

/// Waits until something can be read.
fn await_readable(fd: &Fd) {
    assert_eq!(poll::poll(&mut [poll::entry(fd.number(), libc::POLLIN)], 5000), Ok(1));
}

#[test]
fn both_ends_know_their_addresses() {
    let (listener, address) = socket::listener(1, 0);
    let client = socket::tcp(0);
    socket::connect(&client, &address).unwrap();
    let (server, from) = socket::accept_from(&listener).unwrap();
    assert_eq!(socket::peer(&client), Ok(address));
    assert_eq!(socket::name(&server), Ok(address));
    assert_eq!(socket::name(&client), Ok(from));
    assert_eq!(socket::peer(&server), Ok(from));
}

#[test]
fn bytes_travel_in_both_directions() {
    let (client, server) = socket::pair();
    client.write(b"question").unwrap();
    assert_eq!(server.read(100), Ok(b"question".to_vec()));
    server.write(b"answer").unwrap();
    assert_eq!(client.read(100), Ok(b"answer".to_vec()));
}

#[test]
fn connections_are_accepted_in_the_order_in_which_they_came() {
    let (listener, address) = socket::listener(16, 0);
    let clients: Vec<Fd> = (0..16)
        .map(|_| {
            let client = socket::tcp(0);
            socket::connect(&client, &address).unwrap();
            client
        })
        .collect();
    for client in &clients {
        let (_, from) = socket::accept_from(&listener).unwrap();
        assert_eq!(socket::name(client), Ok(from));
    }
}

#[test]
fn accept_waits_for_a_connection() {
    let (listener, address) = socket::listener(1, 0);
    let client = time::soon(move || {
        let client = socket::tcp(0);
        socket::connect(&client, &address).unwrap();
        client.write(b"x").unwrap();
        client
    });
    let server = socket::accept(&listener, 0).unwrap();
    assert_eq!(server.read(1), Ok(b"x".to_vec()));
    drop(client.join().unwrap());
    assert_eq!(server.read(1), Ok(vec![]));
}

#[test]
fn nobody_listening_is_a_refusal_and_the_socket_can_try_again() {
    let client = socket::tcp(0);
    assert_eq!(socket::connect(&client, &socket::deserted()), Err(Errno::ECONNREFUSED));
    assert_eq!(socket::error(&client), 0);
    let (_listener, address) = socket::listener(1, 0);
    socket::connect(&client, &address).unwrap();
    assert_eq!(socket::connect(&client, &address), Err(Errno::EISCONN));
}

#[test]
fn a_connection_in_progress_is_told_once() {
    let (_listener, address) = socket::listener(1, 0);
    let (client, result) = socket::connecting(&address);
    assert_eq!(result, Err(Errno::EINPROGRESS));
    poll::poll(&mut [poll::entry(client.number(), libc::POLLOUT)], 5000).unwrap();
    assert_eq!(socket::connect(&client, &address), Ok(()));
    assert_eq!(socket::connect(&client, &address), Err(Errno::EISCONN));
}

#[test]
fn an_empty_connection_makes_a_reader_wait_or_not() {
    let (client, server) = socket::pair();
    assert_eq!(socket::recv(&server, 1, MSG_DONTWAIT), Err(Errno::EAGAIN));
    server.set_flags(libc::O_NONBLOCK).unwrap();
    assert_eq!(server.read(1), Err(Errno::EAGAIN));
    server.set_flags(0).unwrap();
    let writer = time::soon(move || {
        client.write(b"late").unwrap();
        client
    });
    assert_eq!(time::at_least(ms(10), || server.read(10)), Ok(b"late".to_vec()));
    writer.join().unwrap();
}

#[test]
fn peeking_takes_nothing() {
    let (client, server) = socket::pair();
    client.write(b"abc").unwrap();
    await_readable(&server);
    for _ in 0..2 {
        assert_eq!(socket::recv(&server, 2, MSG_PEEK), Ok(b"ab".to_vec()));
    }
    assert_eq!(server.unread(), Ok(3));
    assert_eq!(server.read(10), Ok(b"abc".to_vec()));
}

#[test]
fn wait_all_waits_for_all() {
    let (client, server) = socket::pair();
    let writer = time::soon(move || {
        for piece in [&b"ab"[..], b"cd"] {
            client.write(piece).unwrap();
            time::settle();
        }
        client.write(b"e").unwrap();
    });
    assert_eq!(socket::recv(&server, 4, MSG_WAITALL), Ok(b"abcd".to_vec()));
    assert_eq!(socket::recv(&server, 4, MSG_WAITALL), Ok(b"e".to_vec()));
    writer.join().unwrap();
}

#[test]
fn the_end_comes_after_the_bytes_and_the_other_half_goes_on() {
    let (client, server) = socket::pair();
    client.write(b"last").unwrap();
    socket::shutdown(&client, SHUT_WR).unwrap();
    assert_eq!(server.read(10), Ok(b"last".to_vec()));
    assert_eq!(server.read(10), Ok(vec![]));
    server.write(b"still").unwrap();
    assert_eq!(client.read(10), Ok(b"still".to_vec()));
    assert_eq!(socket::send(&client, b"x", libc::MSG_NOSIGNAL), Err(Errno::EPIPE));
}

#[test]
fn after_shut_rd_what_comes_is_readable_and_nothing_is_the_end() {
    let (client, server) = socket::pair();
    client.write(b"before").unwrap();
    await_readable(&server);
    socket::shutdown(&server, SHUT_RD).unwrap();
    assert_eq!(server.read(10), Ok(b"before".to_vec()));
    assert_eq!(server.read(10), Ok(vec![]));
    client.write(b"after").unwrap();
    time::settle();
    assert_eq!(server.read(10), Ok(b"after".to_vec()));
    assert_eq!(server.read(10), Ok(vec![]));
}

#[test]
fn writing_to_a_closed_peer_is_a_reset_and_then_a_broken_pipe() {
    let (client, server) = socket::pair();
    drop(server);
    await_readable(&client);
    assert_eq!(client.write(b"first"), Ok(5));
    time::settle();
    let results = [0, 1].map(|_| socket::send(&client, b"x", libc::MSG_NOSIGNAL));
    assert_eq!(results, [Err(Errno::EPIPE), Err(Errno::EPIPE)]);
}

#[test]
fn a_broken_pipe_is_signalled() {
    let status = child::status(|| {
        signal::default(libc::SIGPIPE);
        let (client, _server) = socket::pair();
        socket::shutdown(&client, SHUT_WR).unwrap();
        let _ = client.write(b"x");
    });
    assert_eq!(status, child::Status::Killed(libc::SIGPIPE));
}

#[test]
fn lingering_for_no_time_is_a_reset() {
    let (client, server) = socket::pair();
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    socket::set_value(&client, SOL_SOCKET, SO_LINGER, &linger).unwrap();
    drop(client);
    await_readable(&server);
    assert_eq!(server.read(1), Err(Errno::ECONNRESET));
}

#[test]
fn a_full_backlog_lets_the_next_wait_until_there_is_room() {
    let (listener, address) = socket::listener(0, 0);
    let first = socket::tcp(0);
    socket::connect(&first, &address).unwrap();
    let (second, result) = socket::connecting(&address);
    assert_eq!(result, Err(Errno::EINPROGRESS));
    time::settle();
    let mut entries = [poll::entry(second.number(), libc::POLLOUT)];
    assert_eq!(poll::poll(&mut entries, 0), Ok(0));
    drop(socket::accept(&listener, 0).unwrap());
    assert_eq!(poll::poll(&mut entries, 10_000), Ok(1));
    drop(socket::accept(&listener, 0).unwrap());
}

#[test]
fn closing_a_listener_resets_those_who_wait() {
    let (listener, address) = socket::listener(1, 0);
    let client = socket::tcp(0);
    socket::connect(&client, &address).unwrap();
    drop(listener);
    await_readable(&client);
    assert_eq!(client.read(1), Err(Errno::ECONNRESET));
}

#[test]
fn a_port_in_time_wait_is_kept_from_those_who_do_not_share() {
    let (listener, address) = socket::listener(1, 0);
    let client = socket::tcp(0);
    socket::connect(&client, &address).unwrap();
    let server = socket::accept(&listener, 0).unwrap();
    drop(server);
    await_readable(&client);
    drop(client);
    drop(listener);
    time::settle();
    let next = socket::tcp(0);
    assert_eq!(socket::bind(&next, &address), Err(Errno::EADDRINUSE));
}

#[test]
fn many_bytes_arrive_as_they_were_sent() {
    const TOTAL: usize = 1 << 20;
    let (client, server) = socket::pair();
    let byte = |index: usize| (index * 31 + index / 4099) as u8;
    let writer = thread::spawn(move || {
        let bytes: Vec<u8> = (0..TOTAL).map(byte).collect();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let len = rest.len().min(70_000);
            rest = &rest[client.write(&rest[..len]).unwrap()..];
        }
    });
    let mut total = 0;
    loop {
        let bytes = server.read(50_000).unwrap();
        if bytes.is_empty() {
            break;
        }
        let is_right = bytes.iter().enumerate().all(|(index, value)| *value == byte(total + index));
        assert!(is_right, "wrong bytes after {total}");
        total += bytes.len();
    }
    assert_eq!(total, TOTAL);
    writer.join().unwrap();
}

#[test]
fn processes_talk() {
    let (listener, address) = socket::listener(1, 0);
    let asking = child::spawn(|| {
        let client = socket::tcp(0);
        socket::connect(&client, &address).unwrap();
        client.write(b"ping").unwrap();
        assert_eq!(client.read(10), Ok(b"pong".to_vec()));
    });
    let server = socket::accept(&listener, 0).unwrap();
    assert_eq!(server.read(10), Ok(b"ping".to_vec()));
    server.write(b"pong").unwrap();
    asking.join();
}

#[test]
fn a_socket_can_connect_to_itself() {
    let fd = socket::tcp(SOCK_NONBLOCK);
    socket::bind(&fd, &Address::local(0)).unwrap();
    let address = socket::name(&fd).unwrap();
    let _ = socket::connect(&fd, &address);
    poll::poll(&mut [poll::entry(fd.number(), libc::POLLOUT)], 5000).unwrap();
    fd.write(b"me").unwrap();
    await_readable(&fd);
    assert_eq!(fd.read(10), Ok(b"me".to_vec()));
}

#[test]
fn a_thousand_connections_come_and_go() {
    let (listener, address) = socket::listener(8, 0);
    for round in 0..1000_u32 {
        let client = socket::tcp(0);
        socket::connect(&client, &address).unwrap();
        let server = socket::accept(&listener, 0).unwrap();
        client.write(&round.to_ne_bytes()).unwrap();
        assert_eq!(server.read(8), Ok(round.to_ne_bytes().to_vec()));
        drop(client);
        assert_eq!(server.read(8), Ok(vec![]));
    }
}
