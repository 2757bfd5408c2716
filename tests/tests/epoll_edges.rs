//! epoll(7), EPOLLET: which operations are an edge for which file, and which are none.
//!
//! The files are ready all the time, so that only a new event reports them again.

use libc::{
    O_NOCTTY, O_NONBLOCK, O_RDWR, POLLIN, SHUT_RD, SHUT_WR, SOCK_DGRAM, SOCK_NONBLOCK,
    SOCK_SEQPACKET, SOCK_STREAM, TIOCSPTLCK,
};
use pollux_tests::epoll::{Epoll, Event, event, events};
use pollux_tests::socket::{self, Address};
use pollux_tests::{Errno, Fd, fd, poll, time, unix};

const IN: u32 = events::IN;
const OUT: u32 = events::OUT;
const ALL: u32 = IN | OUT | events::PRI | events::RDHUP | events::ET;

/// An instance that watches `fd` for all edges, and has reported what was ready.
fn watching(fd: &Fd) -> Epoll {
    let epoll = Epoll::new();
    epoll.add(fd, ALL, 1).unwrap();
    epoll.now();
    assert_eq!(epoll.now(), [], "nothing happened");
    epoll
}

/// The events of the one edge; 0 for none.
#[track_caller]
fn edge(epoll: &Epoll) -> u32 {
    let found: Vec<Event> = epoll.now();
    assert!(found.len() < 2);
    found.first().map_or(0, |event| event.events)
}

/// Waits for the edge of something that happens in the background.
#[track_caller]
fn later(epoll: &Epoll) -> u32 {
    let found = epoll.wait(1, 10_000).unwrap();
    found.first().map_or(0, |event| event.events)
}

#[test]
fn udp_each_send_is_an_edge_for_its_sender() {
    let receiver = socket::udp(0);
    socket::bind(&receiver, &Address::local(0)).unwrap();
    let sender = socket::udp(SOCK_NONBLOCK);
    let (epoll, receiving) = (watching(&sender), watching(&receiver));
    let address = socket::name(&receiver).unwrap();
    for _ in 0..3 {
        socket::send_to(&sender, b"x", &address).unwrap();
        assert_eq!(edge(&epoll), OUT);
        assert_eq!(later(&receiving), IN | OUT);
    }
    receiver.read(1).unwrap();
    assert_eq!((edge(&epoll), edge(&receiving)), (0, 0), "a read is no edge for anybody");
    assert_eq!(socket::send_to(&sender, &[0; 70_000], &address), Err(Errno::EMSGSIZE));
    assert_eq!(edge(&epoll), 0, "nothing was sent");
}

#[test]
fn udp_the_sender_s_edge_comes_before_the_receiver_s() {
    let receiver = socket::udp(0);
    socket::bind(&receiver, &Address::local(0)).unwrap();
    let sender = socket::udp(0);
    let epoll = Epoll::new();
    epoll.add(&receiver, ALL, 1).unwrap();
    epoll.add(&sender, ALL, 2).unwrap();
    epoll.now();
    socket::send_to(&sender, b"x", &socket::name(&receiver).unwrap()).unwrap();
    time::spin_until(|| poll::ready(&receiver, POLLIN) != 0);
    assert_eq!(epoll.now(), [event(OUT, 2), event(IN | OUT, 1)]);
}

#[test]
fn local_streams_each_message_that_is_read_is_an_edge_for_the_writer() {
    for kind in [SOCK_STREAM, SOCK_SEQPACKET] {
        let (reader, writer) = unix::pair(kind | SOCK_NONBLOCK);
        let (writing, reading) = (watching(&writer), watching(&reader));
        for _ in 0..3 {
            writer.write(b"ab").unwrap();
            assert_eq!(
                (edge(&writing), edge(&reading)),
                (0, IN | OUT),
                "a write is an edge for the reader"
            );
        }
        reader.read(2).unwrap();
        assert_eq!((edge(&writing), edge(&reading)), (OUT, 0));
        if kind == SOCK_STREAM {
            reader.read(1).unwrap();
            assert_eq!(edge(&writing), 0, "half a message gives no room");
            reader.read(1).unwrap();
            assert_eq!(edge(&writing), OUT);
        } else {
            reader.read(1).unwrap();
            assert_eq!(edge(&writing), OUT, "the rest of a message is lost");
        }
        socket::recv(&reader, 2, libc::MSG_PEEK).unwrap();
        assert_eq!(edge(&writing), 0, "a peek takes nothing");
        assert_eq!(reader.read(2).map(|bytes| bytes.len()), Ok(2));
        assert_eq!(edge(&writing), OUT);
        assert_eq!(reader.read(2), Err(Errno::EAGAIN));
        assert_eq!(edge(&writing), 0);
    }
}

#[test]
fn local_streams_a_read_is_no_edge_while_the_writer_has_too_much_there() {
    let (reader, writer) = unix::pair(SOCK_STREAM | SOCK_NONBLOCK);
    let writing = watching(&writer);
    while writer.write(&[0; 4096]).is_ok() {}
    assert_eq!(edge(&writing), 0);
    reader.read(4096).unwrap();
    assert_eq!(edge(&writing), 0, "still nearly full");
    while reader.read(4096).is_ok() {}
    assert_eq!(edge(&writing), OUT);
}

#[test]
fn local_datagrams_each_read_is_an_edge_for_the_sender() {
    let (reader, writer) = unix::pair(SOCK_DGRAM | SOCK_NONBLOCK);
    let (writing, reading) = (watching(&writer), watching(&reader));
    for _ in 0..2 {
        writer.write(b"x").unwrap();
        assert_eq!((edge(&writing), edge(&reading)), (0, IN | OUT));
        reader.read(1).unwrap();
        assert_eq!((edge(&writing), edge(&reading)), (OUT, 0));
    }
}

#[test]
fn local_datagrams_the_close_of_the_peer_is_no_edge() {
    let (one, other) = unix::pair(SOCK_DGRAM);
    let epoll = watching(&one);
    drop(other);
    assert_eq!(edge(&epoll), 0);
    let (one, other) = unix::pair(SOCK_DGRAM);
    let epoll = watching(&one);
    one.write(b"x").unwrap();
    drop(other);
    assert_eq!(edge(&epoll), OUT, "its datagram left the queue");
    let (one, other) = unix::pair(SOCK_STREAM);
    let epoll = watching(&one);
    drop(other);
    assert_eq!(edge(&epoll), IN | OUT | events::RDHUP | events::HUP, "but of a stream it is");
}

#[test]
fn local_sockets_a_shutdown_is_an_edge_for_both_ends() {
    let (one, other) = unix::pair(SOCK_STREAM);
    let (first, second) = (watching(&one), watching(&other));
    socket::shutdown(&other, SHUT_WR).unwrap();
    assert_eq!((edge(&first), edge(&second)), (IN | OUT | events::RDHUP, OUT));
    let (one, other) = unix::pair(SOCK_DGRAM);
    let (first, second) = (watching(&one), watching(&other));
    socket::shutdown(&other, SHUT_RD).unwrap();
    assert_eq!((edge(&first), edge(&second)), (0, IN | OUT | events::RDHUP));
}

#[test]
fn an_accept_is_no_edge() {
    let name = unix::Address::hidden("edges-accept");
    let local = unix::listener(SOCK_STREAM, &name, 5);
    let epoll = watching(&local);
    let clients: Vec<Fd> = (0..3)
        .map(|_| {
            let client = unix::socket(SOCK_STREAM);
            unix::connect(&client, &name).unwrap();
            assert_eq!(edge(&epoll), IN, "each connection is");
            client
        })
        .collect();
    let accepted = unix::accept_from(&local).unwrap();
    assert_eq!(edge(&epoll), 0);
    drop((accepted, clients));

    let (listener, address) = socket::listener(5, 0);
    let epoll = watching(&listener);
    let clients: Vec<Fd> = (0..2)
        .map(|_| {
            let client = socket::tcp(0);
            socket::connect(&client, &address).unwrap();
            assert_eq!(later(&epoll), IN);
            client
        })
        .collect();
    let accepted = socket::accept(&listener, 0).unwrap();
    assert_eq!(edge(&epoll), 0);
    drop((accepted, clients));
}

#[test]
fn a_full_backlog_has_room_after_an_accept() {
    let name = unix::Address::hidden("edges-backlog");
    let listener = unix::listener(SOCK_STREAM, &name, 0);
    let first = unix::socket(SOCK_STREAM);
    unix::connect(&first, &name).unwrap();
    let other =
        time::soon(move || unix::accept_from(&listener).map(|accepted| (listener, accepted)));
    let second = unix::socket(SOCK_STREAM);
    assert_eq!(unix::connect(&second, &name), Ok(()), "the call waits for the accept");
    drop(other.join().unwrap().unwrap());
}

fn terminal() -> (Fd, Fd) {
    let master = fd::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0).unwrap();
    let (mut number, unlocked) = (0_u32, 0_i32);
    // SAFETY: the numbers and the settings are ours.
    unsafe {
        assert_eq!(libc::ioctl(master.number(), TIOCSPTLCK, &raw const unlocked), 0);
        assert_eq!(libc::ioctl(master.number(), libc::TIOCGPTN, &raw mut number), 0);
    }
    let slave = fd::open(&format!("/dev/pts/{number}"), O_RDWR | O_NOCTTY | O_NONBLOCK, 0).unwrap();
    // SAFETY: the settings are ours.
    unsafe {
        let mut settings: libc::termios = core::mem::zeroed();
        assert_eq!(libc::tcgetattr(slave.number(), &mut settings), 0);
        libc::cfmakeraw(&mut settings);
        assert_eq!(libc::tcsetattr(slave.number(), libc::TCSANOW, &settings), 0);
    }
    (master, slave)
}

#[test]
fn terminals_each_write_and_each_read_is_an_edge_of_room() {
    let (master, slave) = terminal();
    let (at_master, at_slave) = (watching(&master), watching(&slave));
    for _ in 0..2 {
        master.write(b"xyz").unwrap();
        assert_eq!(edge(&at_master), OUT, "for the end that wrote");
        assert_eq!(later(&at_slave), IN | OUT);
        assert_eq!(slave.read(1).unwrap(), b"x");
        assert_eq!((edge(&at_master), edge(&at_slave)), (OUT, 0), "a read, for the other end");
        assert_eq!(slave.read(5).unwrap(), b"yz");
        assert_eq!((edge(&at_master), edge(&at_slave)), (OUT, 0));
        slave.write(b"xyz").unwrap();
        assert_eq!(edge(&at_slave), OUT);
        assert_eq!(later(&at_master), IN | OUT);
        assert_eq!(master.read(5).unwrap(), b"xyz");
        assert_eq!((edge(&at_master), edge(&at_slave)), (0, OUT));
    }
    assert_eq!(slave.read(1), Err(Errno::EAGAIN));
    assert_eq!(master.read(1), Err(Errno::EAGAIN));
    assert_eq!((edge(&at_master), edge(&at_slave)), (0, 0));
}

#[test]
fn terminals_a_read_that_leaves_much_is_no_edge() {
    let (master, slave) = terminal();
    master.write(&[b'x'; 400]).unwrap();
    time::spin_until(|| slave.unread() == Ok(400));
    let at_master = watching(&master);
    slave.read(100).unwrap();
    assert_eq!(edge(&at_master), 0, "300 bytes are left");
    slave.read(200).unwrap();
    assert_eq!(edge(&at_master), OUT, "at most 128 are");
}
