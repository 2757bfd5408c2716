//! tcp(7), socket(7): the options of stream sockets, and their effects.

use std::time::Duration;

use libc::{
    IPPROTO_TCP, MSG_DONTWAIT, MSG_MORE, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP,
    SO_KEEPALIVE, SO_LINGER, SO_RCVBUF, SO_RCVLOWAT, SO_REUSEPORT, SO_SNDBUF, SOL_SOCKET, TCP_CORK,
    TCP_INFO, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_MAXSEG, TCP_NODELAY, TCP_USER_TIMEOUT,
};
use pollux_tests::socket::{
    self, Address, accept, bind, connect, get, listen, listener, nonblocking_pair, pair, recv,
    send, set, set_value, shutdown, tcp,
};
use pollux_tests::{Errno, Fd, poll, sys, time};

const ALL: i16 = POLLIN | POLLOUT | POLLRDHUP;

/// Whether something can be read within `milliseconds`.
fn readable_within(fd: &Fd, milliseconds: i32) -> bool {
    let mut entries = [poll::entry(fd.number(), POLLIN)];
    poll::poll(&mut entries, milliseconds).unwrap() == 1
}

#[test]
fn values_are_kept_and_checked() {
    let fd = tcp(0);
    let defaults = [
        (TCP_NODELAY, 0),
        (TCP_CORK, 0),
        (TCP_KEEPIDLE, 7200),
        (TCP_KEEPINTVL, 75),
        (TCP_KEEPCNT, 9),
        (TCP_USER_TIMEOUT, 0),
        (TCP_MAXSEG, 536),
    ];
    for (name, value) in defaults {
        assert_eq!(get(&fd, IPPROTO_TCP, name), Ok(value), "{name}");
    }
    let good = [
        (TCP_NODELAY, 5, 1),
        (TCP_CORK, 1, 1),
        (TCP_CORK, 0, 0),
        (TCP_KEEPIDLE, 32767, 32767),
        (TCP_KEEPINTVL, 1, 1),
        (TCP_KEEPCNT, 127, 127),
        (TCP_USER_TIMEOUT, 1500, 1500),
        (TCP_USER_TIMEOUT, 0, 0),
    ];
    for (name, value, told) in good {
        assert_eq!(set(&fd, IPPROTO_TCP, name, value), Ok(()), "{name}");
        assert_eq!(get(&fd, IPPROTO_TCP, name), Ok(told), "{name}");
    }
    let bad = [
        (TCP_KEEPIDLE, 0),
        (TCP_KEEPIDLE, 32768),
        (TCP_KEEPINTVL, 0),
        (TCP_KEEPINTVL, 32768),
        (TCP_KEEPCNT, 0),
        (TCP_KEEPCNT, 128),
        (TCP_USER_TIMEOUT, -1),
        (TCP_MAXSEG, 87),
        (TCP_MAXSEG, 32768),
    ];
    for (name, value) in bad {
        assert_eq!(set(&fd, IPPROTO_TCP, name, value), Err(Errno::EINVAL), "{name} {value}");
    }
    assert_eq!(set(&fd, IPPROTO_TCP, 999, 1), Err(Errno::ENOPROTOOPT));
    assert_eq!(get(&fd, IPPROTO_TCP, 999), Err(Errno::ENOPROTOOPT));
    assert_eq!(set_value(&fd, IPPROTO_TCP, TCP_CORK, &1_u16), Err(Errno::EINVAL));
}

#[test]
fn a_connection_inherits_what_its_listener_had() {
    let (listener, address) = listener(1, 0);
    set(&listener, IPPROTO_TCP, TCP_KEEPIDLE, 33).unwrap();
    set(&listener, IPPROTO_TCP, TCP_NODELAY, 1).unwrap();
    set(&listener, SOL_SOCKET, SO_KEEPALIVE, 1).unwrap();
    let client = tcp(0);
    connect(&client, &address).unwrap();
    let server = accept(&listener, 0).unwrap();
    assert_eq!(get(&server, IPPROTO_TCP, TCP_KEEPIDLE), Ok(33));
    assert_eq!(get(&server, IPPROTO_TCP, TCP_NODELAY), Ok(1));
    assert_eq!(get(&server, SOL_SOCKET, SO_KEEPALIVE), Ok(1));
}

#[test]
fn a_cork_holds_what_is_no_whole_segment() {
    let (client, server) = pair();
    set(&client, IPPROTO_TCP, TCP_CORK, 1).unwrap();
    client.write(b"head").unwrap();
    client.write(b"body").unwrap();
    assert!(!readable_within(&server, 30));
    set(&client, IPPROTO_TCP, TCP_CORK, 0).unwrap();
    assert_eq!(server.read(99).unwrap(), b"headbody");
}

#[test]
fn a_cork_comes_out_by_itself_after_a_fifth_of_a_second() {
    let (client, server) = pair();
    set(&client, IPPROTO_TCP, TCP_CORK, 1).unwrap();
    client.write(b"x").unwrap();
    assert!(!readable_within(&server, 100));
    assert!(readable_within(&server, 1000));
}

#[test]
fn the_end_of_the_stream_pulls_the_cork() {
    let (client, server) = pair();
    set(&client, IPPROTO_TCP, TCP_CORK, 1).unwrap();
    client.write(b"x").unwrap();
    shutdown(&client, libc::SHUT_WR).unwrap();
    assert_eq!(server.read(9).unwrap(), b"x");
    assert_eq!(server.read(9).unwrap(), b"");
}

#[test]
fn a_cork_lets_whole_segments_go() {
    let (client, server) = pair();
    set(&client, IPPROTO_TCP, TCP_CORK, 1).unwrap();
    let sent = vec![7; 300_000];
    let reading = time::soon(move || {
        let mut received = Vec::new();
        while received.len() < 300_000 {
            received.extend(server.read(100_000).unwrap());
        }
        received
    });
    assert_eq!(client.write(&sent), Ok(300_000));
    set(&client, IPPROTO_TCP, TCP_CORK, 0).unwrap();
    assert_eq!(reading.join().unwrap(), sent);
}

#[test]
fn more_is_a_cork_for_one_call() {
    let (client, server) = pair();
    assert_eq!(send(&client, b"a", MSG_MORE), Ok(1));
    assert!(!readable_within(&server, 30));
    assert_eq!(send(&client, b"b", 0), Ok(1));
    assert_eq!(server.read(99).unwrap(), b"ab");
}

#[test]
fn no_delay_lets_go_what_more_held() {
    let (client, server) = pair();
    assert_eq!(send(&client, b"a", MSG_MORE), Ok(1));
    set(&client, IPPROTO_TCP, TCP_NODELAY, 1).unwrap();
    assert!(readable_within(&server, 30));
}

#[test]
fn an_idle_connection_with_keep_alive_stays() {
    let (client, server) = nonblocking_pair();
    set(&client, IPPROTO_TCP, TCP_KEEPIDLE, 1).unwrap();
    set(&client, IPPROTO_TCP, TCP_KEEPINTVL, 1).unwrap();
    set(&client, IPPROTO_TCP, TCP_KEEPCNT, 1).unwrap();
    set(&client, SOL_SOCKET, SO_KEEPALIVE, 1).unwrap();
    std::thread::sleep(Duration::from_millis(3500));
    assert_eq!(poll::ready(&client, ALL), POLLOUT);
    assert_eq!(poll::ready(&server, ALL), POLLOUT, "probes are no data");
    client.write(b"x").unwrap();
    assert_eq!(server.read(9).unwrap(), b"x");
}

#[test]
fn a_peer_that_takes_nothing_exhausts_the_user_timeout() {
    let (client, server) = pair();
    set(&client, IPPROTO_TCP, TCP_USER_TIMEOUT, 700).unwrap();
    let taken = time::at_least(Duration::from_millis(300), || {
        let mut taken = 0;
        loop {
            match client.write(&[0; 100_000]) {
                Ok(count) => taken += count,
                Err(error) => {
                    assert_eq!(error, Errno::ETIMEDOUT);
                    return taken;
                }
            }
        }
    });
    assert!(taken > 0);
    assert_eq!(poll::ready(&client, ALL) & POLLHUP, POLLHUP);
    assert_eq!(client.write(b"x"), Err(Errno::EPIPE));
    drop(server);
}

#[test]
fn segments_are_no_longer_than_either_end_allows() {
    let (listener, address) = listener(1, 0);
    let client = tcp(0);
    set(&client, IPPROTO_TCP, TCP_MAXSEG, 1000).unwrap();
    connect(&client, &address).unwrap();
    let server = accept(&listener, 0).unwrap();
    for end in [&client, &server] {
        let len = get(end, IPPROTO_TCP, TCP_MAXSEG).unwrap();
        assert!((900..=1000).contains(&len), "{len}");
    }
    let (client, server) = pair();
    assert!(get(&client, IPPROTO_TCP, TCP_MAXSEG).unwrap() > 16_000);
    let sent = (0..200_000_u32).map(|n| n as u8).collect::<Vec<_>>();
    let copy = sent.clone();
    let writing = time::soon(move || client.write(&copy).map(|_| client));
    let mut received = Vec::new();
    while received.len() < sent.len() {
        received.extend(server.read(10_000).unwrap());
    }
    assert!(received == sent);
    writing.join().unwrap().unwrap();
}

fn info(fd: &Fd, room: u32) -> (u32, Vec<u8>) {
    let mut bytes = vec![0xee_u8; 400];
    let mut len = room;
    let [value_at, len_at] = [bytes.as_mut_ptr() as usize, &raw mut len as usize];
    let arguments =
        [fd.number() as usize, IPPROTO_TCP as usize, TCP_INFO as usize, value_at, len_at];
    // SAFETY: both are ours.
    unsafe { sys::call(libc::SYS_getsockopt, arguments) }.unwrap();
    (len, bytes)
}

#[test]
fn information_has_linux_s_length_and_may_be_cut() {
    let (client, server) = pair();
    let (len, bytes) = info(&client, 400);
    assert_eq!(len, 232);
    assert!(bytes[232..].iter().all(|byte| *byte == 0xee));
    let (len, bytes) = info(&client, 5);
    assert_eq!((len, bytes[0], bytes[5]), (5, 1, 0xee));
    assert_eq!(info(&client, 0).0, 0);
    client.write(b"twelve bytes").unwrap();
    assert_eq!(server.read(99).unwrap().len(), 12);
    let word = |bytes: &[u8], at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
    let received = info(&server, 400).1;
    assert_eq!(word(&received, 128), 12, "tcpi_bytes_received");
    let sent = info(&client, 400).1;
    assert_eq!(word(&sent, 200), 12, "tcpi_bytes_sent");
}

#[test]
fn information_tells_the_state() {
    let state = |fd: &Fd| info(fd, 1).1[0];
    let fd = tcp(0);
    assert_eq!(state(&fd), 7, "closed");
    bind(&fd, &Address::local(0)).unwrap();
    listen(&fd, 7).unwrap();
    let (_, bytes) = info(&fd, 400);
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((bytes[0], word(24), word(28)), (10, 0, 7), "listens");
    let (client, server) = pair();
    assert_eq!(state(&client), 1, "established");
    shutdown(&client, libc::SHUT_WR).unwrap();
    time::settle();
    assert_eq!((state(&client), state(&server)), (5, 8), "half closed");
    drop(server);
    time::settle();
    assert_eq!(state(&client), 7, "over");
}

#[test]
fn lingering_waits_until_the_peer_has_everything() {
    let (client, server) = full_pair();
    linger(&client, 1, 10);
    let reading = time::soon(move || {
        let mut received = 0;
        loop {
            let count = server.read(1_000_000).unwrap().len();
            received += count;
            if count == 0 {
                return received;
            }
        }
    });
    time::settle();
    let ((), took) = time::measure(|| client.close().unwrap());
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(reading.join().unwrap() > 0);
}

#[test]
fn lingering_has_an_end() {
    let (client, server) = full_pair();
    client.set_flags(libc::O_NONBLOCK).unwrap();
    linger(&client, 1, 1);
    let ((), took) = time::measure(|| client.close().unwrap());
    assert!((800..3000).contains(&took.as_millis()), "{took:?}");
    drop(server);
}

#[test]
fn lingering_is_no_concern_of_a_descriptor_that_is_not_the_last() {
    let (client, _server) = full_pair();
    linger(&client, 1, 10);
    let second = client.dup().unwrap();
    let ((), took) = time::measure(|| second.close().unwrap());
    assert!(took < Duration::from_secs(1), "{took:?}");
    linger(&client, 0, 0);
}

#[test]
fn no_time_to_linger_is_a_reset() {
    let (client, server) = pair();
    linger(&client, 1, 0);
    drop(client);
    time::settle();
    assert_eq!(poll::ready(&server, ALL), ALL | POLLHUP | POLLERR);
    assert_eq!(server.read(1), Err(Errno::ECONNRESET));
}

fn linger(fd: &Fd, on: i32, seconds: i32) {
    set_value(fd, SOL_SOCKET, SO_LINGER, &[on, seconds]).unwrap();
}

/// Makes a connection whose client has sent more than the server has room for.
fn full_pair() -> (Fd, Fd) {
    let (listener, address) = listener(1, 0);
    set(&listener, SOL_SOCKET, SO_RCVBUF, 10_000).unwrap();
    let client = tcp(0);
    set(&client, SOL_SOCKET, SO_SNDBUF, 200_000).unwrap();
    connect(&client, &address).unwrap();
    let server = accept(&listener, 0).unwrap();
    while send(&client, &[0; 10_000], MSG_DONTWAIT).is_ok() {}
    (client, server)
}

#[test]
fn a_low_water_mark_holds_readiness_and_readers() {
    let (client, server) = pair();
    assert_eq!(set(&server, SOL_SOCKET, SO_RCVLOWAT, 5), Ok(()));
    assert_eq!(get(&server, SOL_SOCKET, SO_RCVLOWAT), Ok(5));
    client.write(b"abc").unwrap();
    assert!(!readable_within(&server, 20));
    assert_eq!(recv(&server, 2, MSG_DONTWAIT).unwrap(), b"ab", "what is there");
    client.write(b"de").unwrap();
    assert!(!readable_within(&server, 20));
    assert_eq!(recv(&server, 9, MSG_DONTWAIT).unwrap(), b"cde");
    // At once: a reader that has taken less than the mark is not woken by as little again, not even on Linux.
    let reading = time::soon(move || (recv(&server, 99, 0), server));
    time::settle();
    client.write(b"fghklm").unwrap();
    let (bytes, server) = reading.join().unwrap();
    assert_eq!(bytes.unwrap(), b"fghklm");
    client.write(b"ij").unwrap();
    drop(client);
    assert!(readable_within(&server, 1000));
    assert_eq!(recv(&server, 99, 0).unwrap(), b"ij", "the end ends the wait");
}

#[test]
fn two_listeners_may_share_a_port_if_both_want_to() {
    let fds = [tcp(0), tcp(0)];
    for fd in &fds {
        set(fd, SOL_SOCKET, SO_REUSEPORT, 1).unwrap();
        assert_eq!(get(fd, SOL_SOCKET, SO_REUSEPORT), Ok(1));
    }
    bind(&fds[0], &Address::local(0)).unwrap();
    let address = socket::name(&fds[0]).unwrap();
    bind(&fds[1], &address).unwrap();
    for fd in &fds {
        listen(fd, 100).unwrap();
    }
    let third = tcp(0);
    assert_eq!(bind(&third, &address), Err(Errno::EADDRINUSE));
    let clients = (0..64).map(|_| {
        let client = tcp(0);
        connect(&client, &address).unwrap();
        client
    });
    let _clients = clients.collect::<Vec<_>>();
    let mut accepted = [0, 0];
    for (fd, count) in fds.iter().zip(&mut accepted) {
        fd.set_flags(libc::O_NONBLOCK).unwrap();
        while accept(fd, 0).is_ok() {
            *count += 1;
        }
    }
    assert_eq!(accepted[0] + accepted[1], 64);
    assert!(accepted.iter().all(|count| *count > 8), "{accepted:?}");
}

#[test]
fn bytes_on_their_way_are_counted() {
    let (client, server) = pair();
    let outgoing = |fd: &Fd| {
        let mut count = -1_i32;
        let arguments = [fd.number() as usize, libc::TIOCOUTQ as usize, &raw mut count as usize];
        // SAFETY: the number is ours.
        unsafe { sys::call(libc::SYS_ioctl, arguments) }.map(|_| count)
    };
    assert_eq!(outgoing(&client), Ok(0));
    set(&client, IPPROTO_TCP, TCP_CORK, 1).unwrap();
    client.write(b"abc").unwrap();
    assert_eq!(outgoing(&client), Ok(3));
    set(&client, IPPROTO_TCP, TCP_CORK, 0).unwrap();
    time::settle();
    assert_eq!((outgoing(&client), server.unread()), (Ok(0), Ok(3)));
    let (listener, _) = listener(1, 0);
    assert_eq!(outgoing(&listener), Err(Errno::EINVAL));
    assert_eq!(listener.unread(), Err(Errno::EINVAL));
    assert_eq!(outgoing(&tcp(0)), Ok(0));
}
