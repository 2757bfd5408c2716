//! read(2), recv(2) after poll(2): a read returns the same whether or not a poll came before it.

use std::time::Duration;

use libc::{MSG_DONTWAIT, O_NONBLOCK, POLLIN, SO_RCVLOWAT, SOCK_STREAM, SOL_SOCKET};
use pollux_tests::socket::{self, recv, send};
use pollux_tests::time;
use pollux_tests::unix::{self, Address};
use pollux_tests::{Errno, Fd, fd, poll, sys};

/// Reads at most `len` bytes, and returns the result without the bytes.
fn read_in_vain(file: &Fd, len: usize) -> sys::Result<usize> {
    let mut room = [0_u8; 64];
    // SAFETY: the room is larger than `len`.
    unsafe {
        sys::call(
            libc::SYS_read,
            [file.number() as usize, room.as_mut_ptr() as usize, len, 0, 0, 0],
        )
    }
}

/// Polls the file, and returns whether it is not readable. The kernel may cache that.
fn is_unready(file: &Fd) -> bool {
    poll::ready(file, POLLIN) & POLLIN == 0
}

#[test]
fn a_read_of_nothing_does_not_wait_for_something() {
    let (reader, _writer) = fd::pipe();
    assert!(is_unready(&reader));
    assert_eq!(read_in_vain(&reader, 0), Ok(0));
    let (client, _server) = socket::pair();
    for file in [client, socket::udp(0)] {
        assert!(is_unready(&file));
        assert_eq!(read_in_vain(&file, 0), Ok(0));
    }
}

#[test]
fn a_read_that_can_never_succeed_says_so_at_once() {
    let counter = fd::eventfd(0, 0).unwrap();
    assert!(is_unready(&counter));
    assert_eq!(read_in_vain(&counter, 7), Err(Errno::EINVAL));
    let (listener, _) = socket::listener(1, 0);
    assert!(is_unready(&listener));
    assert_eq!(read_in_vain(&listener, 1), Err(Errno::ENOTCONN));
    let listener = unix::listener(SOCK_STREAM, &Address::hidden("read-listener"), 1);
    assert!(is_unready(&listener));
    assert_eq!(read_in_vain(&listener, 1), Err(Errno::EINVAL));
}

#[test]
fn whatever_comes_after_the_poll_is_read() {
    let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
    let (client, server) = socket::nonblocking_pair();
    let ends = unix::pair(SOCK_STREAM | libc::SOCK_NONBLOCK);
    for (reader, writer) in [(reader, writer), (client, server), ends] {
        for round in 0..3 {
            assert!(is_unready(&reader));
            assert_eq!(read_in_vain(&reader, 9), Err(Errno::EAGAIN));
            assert_eq!(writer.write(&[round; 5]), Ok(5));
            assert_eq!(reader.read(9).unwrap(), [round; 5]);
        }
        assert!(is_unready(&reader));
        drop(writer);
        assert_eq!(read_in_vain(&reader, 9), Ok(0), "the end");
    }
}

#[test]
fn bytes_below_the_low_water_mark_are_read_though_the_socket_is_not_readable() {
    let (client, server) = socket::nonblocking_pair();
    socket::set(&server, SOL_SOCKET, SO_RCVLOWAT, 5).unwrap();
    assert!(is_unready(&server));
    client.write(b"abc").unwrap();
    time::settle();
    assert!(is_unready(&server));
    assert_eq!(server.read(2).unwrap(), b"ab");
    assert_eq!(recv(&server, 9, MSG_DONTWAIT).unwrap(), b"c");
}

#[test]
fn the_time_limit_of_a_socket_counts_where_the_kernel_knows_that_there_is_nothing() {
    let (client, server) = socket::pair();
    let limit = libc::timeval { tv_sec: 0, tv_usec: 50_000 };
    socket::set_value(&client, SOL_SOCKET, libc::SO_RCVTIMEO, &limit).unwrap();
    for _ in 0..2 {
        assert!(is_unready(&client));
        let start = std::time::Instant::now();
        assert_eq!(client.read(1), Err(Errno::EAGAIN));
        assert_eq!(recv(&client, 1, 0), Err(Errno::EAGAIN));
        assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    }
    send(&server, b"x", 0).unwrap();
    assert_eq!(client.read(1).unwrap(), b"x");
}

/// Two readers and two writers block again and again. A lost wake-up makes the test reach its time limit.
#[test]
fn readers_that_were_polled_before_lose_no_byte() {
    const BYTES: usize = 2000;
    let (reader, writer) = fd::pipe();
    let (answers, answer) = fd::pipe();
    assert!(is_unready(&reader));
    let readers: Vec<_> = [reader.dup().unwrap(), reader]
        .into_iter()
        .map(|reader| {
            let answer = answer.dup().unwrap();
            std::thread::spawn(move || {
                let mut count = 0;
                while reader.read(1).unwrap().len() == 1 {
                    count += 1;
                    answer.write(b"!").unwrap();
                }
                count
            })
        })
        .collect();
    for _ in 0..BYTES {
        writer.write(b"?").unwrap();
        assert_eq!(answers.read(1).unwrap(), b"!");
    }
    drop(writer);
    let counts: Vec<usize> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert_eq!(counts.iter().sum::<usize>(), BYTES);
}
