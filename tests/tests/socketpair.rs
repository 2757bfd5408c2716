//! socketpair(2): making two connected sockets.

use libc::{
    AF_UNIX, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, SOCK_CLOEXEC, SOCK_NONBLOCK,
    SOCK_SEQPACKET, SOCK_STREAM,
};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::{self, Result};
use pollux_tests::time;
use pollux_tests::{Errno, Fd, poll};

fn pair(kind: i32) -> (Fd, Fd) {
    let mut numbers = [0_i32; 2];
    raw(AF_UNIX, kind, 0, &raw mut numbers as usize).unwrap();
    (Fd::from_number(numbers[0]), Fd::from_number(numbers[1]))
}

fn raw(family: i32, kind: i32, protocol: i32, to: usize) -> Result<usize> {
    // SAFETY: the kernel writes to the numbers of the caller, or nowhere.
    unsafe {
        sys::call(libc::SYS_socketpair, [family as usize, kind as usize, protocol as usize, to])
    }
}

#[test]
fn bytes_go_both_ways() {
    let (one, other) = pair(SOCK_STREAM);
    assert_eq!(one.write(b"there"), Ok(5));
    assert_eq!(other.write(b"and back"), Ok(8));
    assert_eq!(other.read(3).unwrap(), b"the");
    assert_eq!(other.read(100).unwrap(), b"re");
    assert_eq!(one.unread(), Ok(8));
    assert_eq!(one.read(100).unwrap(), b"and back");
}

#[test]
fn a_stream_joins_what_was_written_and_messages_stay_apart() {
    let (one, other) = pair(SOCK_STREAM);
    one.write(b"ab").unwrap();
    one.write(b"cd").unwrap();
    assert_eq!(other.read(100).unwrap(), b"abcd");
    let (one, other) = pair(SOCK_SEQPACKET);
    one.write(b"ab").unwrap();
    one.write(b"cdefg").unwrap();
    one.write(b"h").unwrap();
    assert_eq!(other.unread(), Ok(8), "all of them");
    assert_eq!(other.read(100).unwrap(), b"ab");
    assert_eq!(other.read(2).unwrap(), b"cd", "the rest of the message is lost");
    assert_eq!(other.read(100).unwrap(), b"h");
}

#[test]
fn readiness_follows_the_bytes() {
    let (one, other) = pair(SOCK_STREAM | SOCK_NONBLOCK);
    assert_eq!(poll::ready(&one, POLLIN | POLLOUT), POLLOUT);
    assert_eq!(one.read(1), Err(Errno::EAGAIN));
    other.write(b"x").unwrap();
    assert_eq!(poll::ready(&one, POLLIN | POLLOUT), POLLIN | POLLOUT);
    one.read(1).unwrap();
    assert_eq!(poll::ready(&one, POLLIN | POLLOUT), POLLOUT);
    let mut sent = 0;
    while let Ok(count) = one.write(&[7; 1000]) {
        sent += count;
    }
    assert!(sent >= 50_000, "{sent}");
    assert_eq!(poll::ready(&one, POLLOUT), 0);
    let mut received = 0;
    while let Ok(bytes) = other.read(4096) {
        received += bytes.len();
    }
    assert_eq!(received, sent);
    assert_eq!(poll::ready(&one, POLLOUT), POLLOUT);
}

#[test]
fn the_end_of_one_is_told_to_the_other() {
    for kind in [SOCK_STREAM, SOCK_SEQPACKET] {
        let (one, other) = pair(kind);
        other.write(b"last").unwrap();
        other.close().unwrap();
        assert_eq!(one.read(100).unwrap(), b"last");
        assert_eq!(one.read(100).unwrap(), b"");
        assert_eq!(one.write(b"x"), Err(Errno::EPIPE));
        let all = POLLIN | POLLOUT | POLLRDHUP;
        assert_eq!(poll::ready(&one, all) & !POLLERR, all | POLLHUP);
    }
}

#[test]
fn a_blocked_reader_and_a_blocked_writer_are_woken() {
    let (one, other) = pair(SOCK_STREAM);
    let writer = one.dup().unwrap();
    let writing = time::soon(move || writer.write(&[1; 1_000_000]));
    let mut received = 0;
    while received < 1_000_000 {
        received += other.read(10_000).unwrap().len();
    }
    assert_eq!(writing.join().unwrap(), Ok(1_000_000));
}

#[test]
fn bad_arguments_are_refused() {
    let mut numbers = [0_i32; 2];
    let to = &raw mut numbers as usize;
    assert_eq!(raw(AF_UNIX, SOCK_STREAM, 0, UNMAPPED), Err(Errno::EFAULT));
    assert_eq!(raw(AF_UNIX, SOCK_STREAM | 1 << 20, 0, to), Err(Errno::EINVAL));
    assert_eq!(raw(AF_UNIX, SOCK_STREAM, 99, to), Err(Errno::EPROTONOSUPPORT));
    assert_eq!(raw(AF_UNIX, 7, 0, to), Err(Errno::ESOCKTNOSUPPORT));
    assert_eq!(raw(libc::AF_INET, SOCK_STREAM, 0, to), Err(Errno::EOPNOTSUPP));
    assert_eq!(raw(99, SOCK_STREAM, 0, to), Err(Errno::EAFNOSUPPORT));
    let (one, _other) = pair(SOCK_STREAM | SOCK_CLOEXEC);
    assert_eq!(one.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
}
