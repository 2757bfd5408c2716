//! splice(2): bytes from a pipe to a file, from a file to a pipe, and between pipes.

use std::fs;

use libc::{
    O_APPEND, O_CREAT, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, POLLIN, POLLOUT,
    SIGPIPE, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_SEQPACKET, SOCK_STREAM, SPLICE_F_MORE, SPLICE_F_MOVE,
    SPLICE_F_NONBLOCK,
};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::{self, Result};
use pollux_tests::{Errno, Fd, child, fd, poll, signal, socket, time, unix};

const NONBLOCK: u32 = SPLICE_F_NONBLOCK;

/// Calls splice(2) without offsets.
fn splice(from: &Fd, to: &Fd, len: usize, flags: u32) -> Result<usize> {
    at(from, 0, to, 0, len, flags)
}

/// Calls splice(2) with the addresses of offsets.
fn at(from: &Fd, from_at: usize, to: &Fd, to_at: usize, len: usize, flags: u32) -> Result<usize> {
    let (from, to) = (from.number() as usize, to.number() as usize);
    // SAFETY: an offset is the caller's, or is not there.
    unsafe { sys::call(libc::SYS_splice, [from, from_at, to, to_at, len, flags as usize]) }
}

/// A file in `/tmp` with `content`.
fn file(name: &str, content: &[u8]) -> (String, Fd) {
    let path = format!("/tmp/splice-{name}");
    fs::write(&path, content).unwrap();
    let opened = fd::open(&path, O_RDWR, 0).unwrap();
    (path, opened)
}

fn pattern(len: usize) -> Vec<u8> {
    let mut bytes = (0..251).collect::<Vec<u8>>().repeat(len.div_ceil(251));
    bytes.truncate(len);
    bytes
}

#[test]
fn pipe_to_pipe_moves_bytes_in_order() {
    let ((from, fill), (read, to)) = (fd::pipe(), fd::pipe());
    let bytes = pattern(10_000);
    fill.write(&bytes).unwrap();
    assert_eq!(splice(&from, &to, 1, 0), Ok(1));
    assert_eq!(splice(&from, &to, 4095, 0), Ok(4095));
    assert_eq!(from.unread(), Ok(10_000 - 4096));
    assert_eq!(splice(&from, &to, 100_000, 0), Ok(10_000 - 4096));
    assert_eq!(read.read(20_000).unwrap(), bytes);
    assert_eq!(from.unread(), Ok(0));
}

#[test]
fn pipe_to_pipe_moves_no_more_than_there_is_room() {
    let ((from, fill), (read, to)) =
        (fd::pipe2(O_NONBLOCK).unwrap(), fd::pipe2(O_NONBLOCK).unwrap());
    while to.write(&[7; 4096]).is_ok() {}
    fill.write(&pattern(8192)).unwrap();
    assert_eq!(splice(&from, &to, 8192, 0), Err(Errno::EAGAIN));
    assert_eq!(from.unread(), Ok(8192), "nothing was taken");
    read.read(4096).unwrap();
    assert_eq!(splice(&from, &to, 8192, 0), Ok(4096));
    assert_eq!(from.unread(), Ok(4096));
    assert_eq!(from.read(8192).unwrap(), &pattern(8192)[4096..]);
}

#[test]
fn pipe_to_pipe_a_part_of_a_packet_leaves_the_rest() {
    let ((from, fill), (read, to)) = (fd::pipe2(O_DIRECT).unwrap(), fd::pipe2(O_NONBLOCK).unwrap());
    fill.write(b"abc").unwrap();
    fill.write(b"def").unwrap();
    assert_eq!(splice(&from, &to, 5, 0), Ok(5));
    assert_eq!(read.read(10).unwrap(), b"abc", "packets stay packets");
    assert_eq!(read.read(10).unwrap(), b"de");
    assert_eq!(from.read(10).unwrap(), b"f");
}

#[test]
fn pipe_to_pipe_waits_for_bytes_and_for_room() {
    let ((from, fill), (read, to)) = (fd::pipe(), fd::pipe());
    let writer = time::soon(move || fill.write(b"late").map(|_| fill));
    assert_eq!(time::at_least(time::SETTLE / 2, || splice(&from, &to, 10, 0)), Ok(4));
    let fill = writer.join().unwrap().unwrap();
    to.set_flags(O_NONBLOCK).unwrap();
    while to.write(&[7; 4096]).is_ok() {}
    to.set_flags(0).unwrap();
    fill.write(b"more").unwrap();
    let reader = time::soon(move || read.read(8192).map(|_| read));
    assert_eq!(time::at_least(time::SETTLE / 2, || splice(&from, &to, 10, 0)), Ok(4));
    drop(reader.join().unwrap().unwrap());
    assert_eq!(
        splice(&from, &to, 10, NONBLOCK),
        Err(Errno::EAGAIN),
        "empty comes before the lost reader"
    );
}

#[test]
fn the_end_of_a_pipe_is_0_and_a_lost_reader_is_epipe() {
    child::run(|| {
        signal::count(SIGPIPE, 0);
        let ((from, fill), (read, to)) = (fd::pipe(), fd::pipe());
        fill.write(b"x").unwrap();
        drop(fill);
        drop(read);
        assert_eq!(splice(&from, &to, 10, 0), Err(Errno::EPIPE));
        assert_eq!(signal::seen(SIGPIPE), 1);
        assert_eq!(from.unread(), Ok(1), "the byte is still there");
        let (_read, to) = fd::pipe();
        assert_eq!(splice(&from, &to, 10, 0), Ok(1));
        assert_eq!(splice(&from, &to, 10, 0), Ok(0));
        let (_, target) = file("end", b"");
        assert_eq!(splice(&from, &target, 10, 0), Ok(0));
        let (read, to) = fd::pipe();
        drop(read);
        let (_, source) = file("source", b"abc");
        assert_eq!(splice(&source, &to, 10, 0), Err(Errno::EPIPE));
        assert_eq!(signal::seen(SIGPIPE), 2);
        assert_eq!(source.read(10).unwrap(), b"abc", "the offset stays");
    });
}

#[test]
fn a_signal_interrupts_a_wait() {
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        let ((from, _fill), (_read, to)) = (fd::pipe(), fd::pipe());
        assert_eq!(
            signal::interrupted(time::SETTLE, || splice(&from, &to, 10, 0)),
            Err(Errno::EINTR)
        );
    });
}

#[test]
fn splices_are_edges_and_wake_those_who_wait() {
    let ((from, fill), (read, to)) =
        (fd::pipe2(O_NONBLOCK).unwrap(), fd::pipe2(O_NONBLOCK).unwrap());
    while fill.write(&[1; 4096]).is_ok() {}
    assert_eq!((poll::ready(&fill, POLLOUT), poll::ready(&read, POLLIN)), (0, 0));
    assert_eq!(splice(&from, &to, 4096, 0), Ok(4096));
    assert_eq!((poll::ready(&fill, POLLOUT), poll::ready(&read, POLLIN)), (POLLOUT, POLLIN));
    let waiter = {
        let read = read.dup().unwrap();
        read.read(8192).unwrap();
        time::soon(move || poll::poll(&mut [poll::entry(read.number(), POLLIN)], 10_000))
    };
    time::settle();
    assert_eq!(splice(&from, &to, 4096, 0), Ok(4096));
    assert_eq!(waiter.join().unwrap(), Ok(1));
}

#[test]
fn a_file_is_read_at_its_offset_or_at_a_given_one() {
    let bytes = pattern(30_000);
    let (_, source) = file("read", &bytes);
    let (read, to) = fd::pipe();
    assert_eq!(splice(&source, &to, 100, 0), Ok(100));
    let mut offset = 20_000_u64;
    assert_eq!(at(&source, &raw mut offset as usize, &to, 0, 5_000, 0), Ok(5_000));
    assert_eq!(offset, 25_000);
    assert_eq!(
        splice(&source, &to, 100, SPLICE_F_MOVE),
        Ok(100),
        "the file's own offset did not move"
    );
    let expected = [&bytes[..100], &bytes[20_000..25_000], &bytes[100..200]].concat();
    assert_eq!(read.read(30_000).unwrap(), expected);
    offset = 29_990;
    assert_eq!(at(&source, &raw mut offset as usize, &to, 0, 5_000, 0), Ok(10));
    assert_eq!(at(&source, &raw mut offset as usize, &to, 0, 5_000, 0), Ok(0));
    assert_eq!(offset, 30_000);
}

#[test]
fn a_file_fills_no_more_than_the_pipe() {
    let bytes = pattern(100_000);
    let (_, source) = file("fill", &bytes);
    let (read, to) = fd::pipe2(O_NONBLOCK).unwrap();
    assert_eq!(splice(&source, &to, 100_000, 0), Ok(65_536));
    assert_eq!(splice(&source, &to, 100_000, 0), Err(Errno::EAGAIN));
    assert_eq!(read.read(100_000).unwrap(), &bytes[..65_536]);
    let mut offset = 100_u64;
    assert_eq!(
        at(&source, &raw mut offset as usize, &to, 0, 100_000, 0),
        Ok(65_436),
        "slots end with pages"
    );
}

#[test]
fn a_file_is_written_at_its_offset_or_at_a_given_one() {
    let (path, target) = file("write", b"0123456789");
    let (from, fill) = fd::pipe();
    fill.write(b"abcdef").unwrap();
    assert_eq!(splice(&from, &target, 2, 0), Ok(2));
    let mut offset = 8_u64;
    assert_eq!(at(&from, 0, &target, &raw mut offset as usize, 3, 0), Ok(3));
    assert_eq!(offset, 11);
    assert_eq!(splice(&from, &target, 10, 0), Ok(1));
    assert_eq!(fs::read(&path).unwrap(), b"abf34567cde");
    let whole = pattern(60_000);
    fill.write(&whole).unwrap();
    offset = 5;
    assert_eq!(at(&from, 0, &target, &raw mut offset as usize, 100_000, 0), Ok(60_000));
    assert_eq!(&fs::read(&path).unwrap()[5..], whole);
}

#[test]
fn tcp_takes_and_gives_what_there_is() {
    let ((from, fill), (read, to)) = (fd::pipe(), fd::pipe());
    let (client, server) = socket::pair();
    fill.write(b"hello").unwrap();
    assert_eq!(splice(&from, &client, 10, NONBLOCK), Ok(5));
    time::spin_until(|| server.unread() == Ok(5));
    assert_eq!(splice(&server, &to, 3, 0), Ok(3));
    assert_eq!(splice(&server, &to, 100, 0), Ok(2));
    assert_eq!(read.read(10).unwrap(), b"hello");
    server.set_flags(O_NONBLOCK).unwrap();
    assert_eq!(splice(&server, &to, 3, 0), Err(Errno::EAGAIN));
    server.set_flags(0).unwrap();
    let sender = time::soon(move || client.write(b"late").map(|_| client));
    assert_eq!(
        splice(&server, &to, 100, NONBLOCK),
        Ok(4),
        "only the socket's O_NONBLOCK counts for the socket"
    );
    drop(sender.join().unwrap().unwrap());
    assert_eq!(splice(&server, &to, 100, 0), Ok(0), "the end");
}

#[test]
fn tcp_carries_more_than_its_buffers() {
    let (client, server) = socket::pair();
    let bytes = pattern(1 << 20);
    let expected = bytes.clone();
    let sender = std::thread::spawn(move || {
        let (from, fill) = fd::pipe();
        for piece in bytes.chunks(60_000) {
            fill.write(piece).unwrap();
            let mut left = piece.len();
            while left > 0 {
                left -= splice(&from, &client, left, SPLICE_F_MORE).unwrap();
            }
        }
    });
    let (read, to) = fd::pipe();
    let mut all = Vec::new();
    loop {
        match splice(&server, &to, 50_000, 0).unwrap() {
            0 => break,
            count => {
                let mut left = count;
                while left > 0 {
                    let part = read.read(left).unwrap();
                    left -= part.len();
                    all.extend(part);
                }
            }
        }
    }
    sender.join().unwrap();
    assert!(all == expected, "{} bytes", all.len());
}

#[test]
fn a_lost_connection_is_epipe_and_keeps_the_bytes() {
    child::run(|| {
        signal::count(SIGPIPE, 0);
        let (one, other) = unix::pair(SOCK_STREAM);
        drop(other);
        let (from, fill) = fd::pipe();
        fill.write(b"abc").unwrap();
        assert_eq!(splice(&from, &one, 3, 0), Err(Errno::EPIPE));
        assert_eq!(signal::seen(SIGPIPE), 1);
        assert_eq!(from.unread(), Ok(3));
    });
}

#[test]
fn datagrams_are_one_message_each() {
    let ((from, fill), (read, to)) = (fd::pipe(), fd::pipe());
    let receiver = socket::udp(0);
    socket::bind(&receiver, &socket::Address::local(0)).unwrap();
    let sender = socket::udp(0);
    socket::connect(&sender, &socket::name(&receiver).unwrap()).unwrap();
    fill.write(b"first").unwrap();
    assert_eq!(splice(&from, &sender, 100, 0), Ok(5));
    fill.write(b"second").unwrap();
    assert_eq!(splice(&from, &sender, 100, 0), Ok(6));
    assert_eq!(splice(&receiver, &to, 100, 0), Ok(5));
    assert_eq!(splice(&receiver, &to, 100, 0), Ok(6));
    assert_eq!(read.read(100).unwrap(), b"firstsecond");
    for kind in [SOCK_DGRAM, SOCK_SEQPACKET] {
        let (one, other) = unix::pair(kind | SOCK_NONBLOCK);
        let (from, fill) = fd::pipe2(O_DIRECT).unwrap();
        fill.write(b"ab").unwrap();
        fill.write(b"cde").unwrap();
        assert_eq!(splice(&from, &one, 100, 0), Ok(5));
        assert_eq!(
            (other.read(10).unwrap(), other.read(10).unwrap()),
            (b"ab".to_vec(), b"cde".to_vec())
        );
        one.write(b"xyz").unwrap();
        assert_eq!(splice(&other, &to, 100, 0), Ok(3));
        assert_eq!(splice(&other, &to, 100, 0), Err(Errno::EAGAIN));
        assert_eq!(read.read(10).unwrap(), b"xyz");
    }
}

#[test]
fn local_streams_heed_the_flag() {
    let (one, other) = unix::pair(SOCK_STREAM);
    let (read, to) = fd::pipe();
    assert_eq!(splice(&other, &to, 100, NONBLOCK), Err(Errno::EAGAIN));
    one.write(b"abc").unwrap();
    assert_eq!(splice(&other, &to, 100, NONBLOCK), Ok(3));
    assert_eq!(read.read(10).unwrap(), b"abc");
    drop(one);
    assert_eq!(splice(&other, &to, 100, 0), Ok(0));
}

#[test]
fn files_without_splicing_are_einval() {
    let (from, fill) = fd::pipe2(O_NONBLOCK).unwrap();
    let (_read, to) = fd::pipe2(O_NONBLOCK).unwrap();
    fill.write(b"12345678").unwrap();
    let event = fd::eventfd(5, 0).unwrap();
    assert_eq!(splice(&from, &event, 8, 0), Err(Errno::EINVAL));
    assert_eq!(splice(&event, &to, 8, 0), Err(Errno::EINVAL));
    let epoll = pollux_tests::epoll::Epoll::new();
    assert_eq!(splice(&epoll.0, &to, 8, 0), Err(Errno::EINVAL));
    for name in ["/dev/null", "/dev/zero", "/proc/self/status", "/"] {
        let file = fd::open(name, O_RDONLY, 0).unwrap();
        assert_eq!(splice(&file, &to, 8, 0), Err(Errno::EINVAL), "{name}");
    }
    for name in ["/dev/urandom", "/proc/version", "/proc/self/mounts"] {
        let file = fd::open(name, O_RDONLY, 0).unwrap();
        assert_eq!(splice(&file, &to, 8, 0), Ok(8), "{name}");
    }
    assert_eq!(from.unread(), Ok(8));
    let null = fd::open("/dev/null", O_WRONLY, 0).unwrap();
    assert_eq!(splice(&from, &null, 8, 0), Ok(8));
    assert_eq!(from.unread(), Ok(0));
}

#[test]
fn wrong_arguments_are_found_in_linux_s_order() {
    let ((from, fill), (_read, to)) = (fd::pipe(), fd::pipe());
    let (path, regular) = file("wrong", b"abc");
    let mut offset = 0_u64;
    let offset = &raw mut offset as usize;
    let none = Fd::from_number(0x1000);
    fill.write(b"x").unwrap();
    assert_eq!(splice(&none, &none, 0, 0xff), Ok(0), "nothing is checked");
    assert_eq!(splice(&none, &to, 1, 0x10), Err(Errno::EINVAL), "flags");
    assert_eq!(splice(&none, &to, 1, 0), Err(Errno::EBADF));
    assert_eq!(splice(&from, &none, 1, 0), Err(Errno::EBADF));
    assert_eq!(splice(&fill, &to, 1, 0), Err(Errno::EBADF), "not for reading");
    assert_eq!(splice(&from, &from, 1, 0), Err(Errno::EBADF), "not for writing");
    assert_eq!(splice(&from, &fill, 1, 0), Err(Errno::EINVAL), "the same pipe");
    assert_eq!(splice(&regular, &regular, 1, 0), Err(Errno::EINVAL), "no pipe");
    assert_eq!(at(&from, offset, &to, 0, 1, 0), Err(Errno::ESPIPE));
    assert_eq!(at(&from, 0, &to, offset, 1, 0), Err(Errno::ESPIPE));
    assert_eq!(at(&fill, offset, &to, 0, 1, 0), Err(Errno::ESPIPE), "even before the access");
    assert_eq!(at(&regular, UNMAPPED, &to, 0, 1, 0), Err(Errno::EFAULT));
    let (one, _other) = unix::pair(SOCK_STREAM);
    assert_eq!(at(&one, offset, &to, 0, 1, 0), Err(Errno::EINVAL), "a stream has no offset");
    assert_eq!(at(&from, 0, &one, offset, 1, 0), Err(Errno::EINVAL));
    let mut negative = -1_i64;
    assert_eq!(at(&regular, &raw mut negative as usize, &to, 0, 1, 0), Err(Errno::EINVAL));
    assert_eq!(at(&from, 0, &regular, &raw mut negative as usize, 1, 0), Err(Errno::EINVAL));
    let appending = fd::open(&path, O_WRONLY | O_APPEND, 0).unwrap();
    assert_eq!(splice(&from, &appending, 1, 0), Err(Errno::EINVAL));
    let reading = fd::open(&path, O_RDONLY, 0).unwrap();
    assert_eq!(splice(&from, &reading, 1, 0), Err(Errno::EBADF));
    let writing = fd::open("/tmp/splice-writing", O_WRONLY | O_CREAT | O_TRUNC, 0o600).unwrap();
    assert_eq!(splice(&writing, &to, 1, 0), Err(Errno::EBADF));
    core::mem::forget(none);
    assert_eq!(from.unread(), Ok(1));
}
