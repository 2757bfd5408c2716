//! Waiting for room at the receiver.

use libc::{
    EPOLLET, EPOLLIN, EPOLLOUT, MSG_DONTWAIT, POLLOUT, SO_SNDTIMEO, SOCK_DGRAM, SOCK_NONBLOCK,
    SOL_SOCKET,
};
use pollux_tests::epoll::Epoll;
use pollux_tests::socket::{recv, send, set_value};
use pollux_tests::sys;
use pollux_tests::unix::{self, Address};
use pollux_tests::{Errno, Fd, poll, time};

use super::{ALL, connected, fill, fresh, named, send_to};

/// Sleeps so that a thread of [`time::soon`] reaches the call in which it blocks. The thread begins after one settling
/// time, so this waits longer.
fn asleep() {
    for _ in 0..4 {
        time::settle();
    }
}

#[test]
fn eleven_wait_and_the_next_has_to() {
    let address = fresh("full");
    let server = named(&address);
    let client = unix::socket(SOCK_DGRAM);
    assert_eq!(fill(&client, Some(&address)), 11);
    assert_eq!(poll::ready(&client, ALL), POLLOUT, "it could send to others");
    let friend = connected(&address, SOCK_NONBLOCK);
    assert_eq!(poll::ready(&friend, ALL), 0);
    assert_eq!(friend.write(b"x"), Err(Errno::EAGAIN));
    server.read(9).unwrap();
    assert_eq!(poll::ready(&friend, ALL), POLLOUT);
    friend.write(b"y").unwrap();
    assert_eq!(poll::ready(&friend, ALL), 0, "full again");
    server.read(9).unwrap();
    send_to(&client, b"z", &address, 0).unwrap();
    assert_eq!(poll::ready(&friend, ALL), 0, "whoever filled it");
    for _ in 0..11 {
        server.read(9).unwrap();
    }
    assert_eq!(recv(&server, 9, MSG_DONTWAIT), Err(Errno::EAGAIN));
    assert_eq!(poll::ready(&friend, ALL), POLLOUT);
}

#[test]
fn who_waits_for_room_goes_on_when_there_is_some() {
    for is_connected in [false, true] {
        let address = fresh("wait");
        let server = named(&address);
        let client = if is_connected { connected(&address, 0) } else { unix::socket(SOCK_DGRAM) };
        let to = if is_connected { None } else { Some(address.clone()) };
        fill(&client, to.as_ref());
        let limit = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
        set_value(&client, SOL_SOCKET, SO_SNDTIMEO, &limit).unwrap();
        let again = |fd: &Fd, to: Option<&Address>| match to {
            Some(address) => send_to(fd, b"late", address, 0),
            None => send(fd, b"late", 0),
        };
        assert_eq!(again(&client, to.as_ref()), Err(Errno::EAGAIN), "for so long");
        let limit = libc::timeval { tv_sec: 0, tv_usec: 0 };
        set_value(&client, SOL_SOCKET, SO_SNDTIMEO, &limit).unwrap();
        let writing = time::soon(move || again(&client, to.as_ref()));
        asleep();
        for _ in 0..11 {
            assert_eq!(server.read(9).unwrap(), b"x");
        }
        assert_eq!(writing.join().unwrap(), Ok(4));
        assert_eq!(server.read(9).unwrap(), b"late");
    }
}

#[test]
fn who_waits_for_room_hears_that_nobody_is_there_any_more() {
    for is_connected in [false, true] {
        let address = Address::hidden("wait in vain");
        let server = named(&address);
        let client = if is_connected { connected(&address, 0) } else { unix::socket(SOCK_DGRAM) };
        let to = if is_connected { None } else { Some(address.clone()) };
        fill(&client, to.as_ref());
        let writing = time::soon(move || match &to {
            Some(address) => send_to(&client, b"late", address, 0),
            None => send(&client, b"late", 0),
        });
        asleep();
        drop(server);
        assert_eq!(writing.join().unwrap(), Err(Errno::ECONNREFUSED));
    }
}

#[test]
fn poll_and_epoll_wake_for_room() {
    let address = fresh("poll");
    let server = named(&address);
    let client = connected(&address, SOCK_NONBLOCK);
    let epoll = Epoll::new();
    epoll.add(&client, (EPOLLOUT | EPOLLET) as u32, 1).unwrap();
    epoll.add(&server, (EPOLLIN | EPOLLET) as u32, 2).unwrap();
    assert_eq!(epoll.now_data(), [1]);
    client.write(b"x").unwrap();
    assert_eq!(epoll.now_data(), [2]);
    fill(&client, None);
    assert_eq!(epoll.now_data(), [2]);
    let reading = time::soon(move || server.read(9).map(|_| server));
    let mut entries = [poll::entry(client.number(), POLLOUT)];
    assert_eq!(poll::poll(&mut entries, 5000), Ok(1));
    let server = reading.join().unwrap().unwrap();
    assert_eq!(epoll.now_data(), [1]);
    client.write(b"x").unwrap();
    assert_eq!(epoll.now_data(), [2]);
    drop(client);
    assert_eq!(epoll.now_data(), [], "the end of a client is nothing to its server");
    drop(server);
}

#[test]
fn many_clients_speak_to_one_server() {
    let address = fresh("many");
    let server = named(&address);
    let clients: Vec<_> = (0..8_u8)
        .map(|number| {
            let address = address.clone();
            std::thread::spawn(move || {
                let fd = connected(&address, 0);
                for round in 0..100_u8 {
                    fd.write(&[number, round]).unwrap();
                }
            })
        })
        .collect();
    let mut next = [0_u8; 8];
    for _ in 0..800 {
        let bytes = server.read(9).unwrap();
        let (number, round) = (usize::from(bytes[0]), bytes[1]);
        assert_eq!(round, next[number], "in the order of each");
        next[number] += 1;
    }
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(next, [100; 8]);
}

#[test]
fn room_at_a_socket_that_has_left_its_pair_is_told_to_the_other() {
    let (writer, reader) = unix::pair(SOCK_DGRAM);
    let nobody = [0_u16];
    let arguments = [reader.number() as usize, nobody.as_ptr().addr(), size_of_val(&nobody)];
    // SAFETY: the kernel only reads.
    assert_eq!(unsafe { sys::call(libc::SYS_connect, arguments) }, Ok(0));
    let mut count = 0;
    while send(&writer, b"x", MSG_DONTWAIT).is_ok() {
        count += 1;
    }
    assert!(poll::ready(&writer, POLLOUT) == 0);
    let writing = time::soon(move || send(&writer, b"last", 0).map(|_| writer));
    time::settle();
    for _ in 0..count {
        assert_eq!(reader.read(9).unwrap(), b"x");
    }
    assert_eq!(reader.read(9).unwrap(), b"last");
    let writer = writing.join().unwrap().unwrap();
    assert_eq!(poll::ready(&writer, POLLOUT), POLLOUT);
}
