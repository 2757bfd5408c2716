//! cmsg(3): passing descriptors in messages.

use libc::{MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_DONTWAIT, MSG_PEEK, SOCK_SEQPACKET, SOCK_STREAM};
use pollux_tests::unix::{control, pair, receive, send_fds, send_with};
use pollux_tests::{Errno, child, fd, limit, poll, socket};

/// Room for eight descriptors.
const ROOM: usize = 16 + 32;

#[test]
fn a_descriptor_arrives_as_another_number_of_the_same_file() {
    for kind in [SOCK_STREAM, SOCK_SEQPACKET] {
        let (one, other) = pair(kind);
        let (reader, writer) = fd::pipe();
        assert_eq!(send_fds(&one, b"x", &[writer.number(), reader.number()], 0), Ok(1));
        drop(writer);
        let message = receive(&other, 9, ROOM, 0).unwrap();
        assert_eq!((&message.bytes[..], message.fds.len(), message.flags), (&b"x"[..], 2, 0));
        assert_eq!(message.control_len, 24);
        message.fds[0].write(b"through the pipe").unwrap();
        assert_eq!(message.fds[1].read(99).unwrap(), b"through the pipe");
        drop(message);
        assert_eq!(reader.read(9).unwrap(), b"", "no writer is left");
    }
}

#[test]
fn on_its_way_a_descriptor_keeps_its_file_open() {
    let (one, other) = pair(SOCK_STREAM);
    let (reader, writer) = fd::pipe();
    send_fds(&one, b"x", &[writer.number()], 0).unwrap();
    drop(writer);
    assert_eq!(poll::ready(&reader, libc::POLLIN), 0);
    drop(one);
    assert_eq!(poll::ready(&reader, libc::POLLIN), 0);
    drop(other);
    assert_eq!(poll::ready(&reader, libc::POLLIN), libc::POLLHUP);
}

#[test]
fn plain_reads_close_what_came() {
    let (one, other) = pair(SOCK_STREAM);
    let (reader, writer) = fd::pipe();
    send_fds(&one, b"x", &[writer.number()], 0).unwrap();
    drop(writer);
    assert_eq!(other.read(9).unwrap(), b"x");
    assert_eq!(reader.read(9).unwrap(), b"");
}

#[test]
fn a_stream_is_read_up_to_the_bytes_that_came_with_descriptors() {
    let (one, other) = pair(SOCK_STREAM);
    let (reader, _writer) = fd::pipe();
    one.write(b"ab").unwrap();
    send_fds(&one, b"cd", &[reader.number()], 0).unwrap();
    one.write(b"ef").unwrap();
    let message = receive(&other, 9, ROOM, 0).unwrap();
    assert_eq!((&message.bytes[..], message.fds.len()), (&b"abcd"[..], 1));
    let message = receive(&other, 9, ROOM, 0).unwrap();
    assert_eq!((&message.bytes[..], message.fds.len()), (&b"ef"[..], 0));
    assert_eq!(message.control_len, 0);
}

#[test]
fn peeking_copies_descriptors() {
    let (one, other) = pair(SOCK_STREAM);
    let (reader, _writer) = fd::pipe();
    send_fds(&one, b"x", &[reader.number()], 0).unwrap();
    assert_eq!(receive(&other, 9, ROOM, MSG_PEEK).unwrap().fds.len(), 1);
    assert_eq!(receive(&other, 9, ROOM, 0).unwrap().fds.len(), 1);
}

#[test]
fn without_room_descriptors_are_lost_and_that_is_told() {
    let (one, other) = pair(SOCK_STREAM);
    let (reader, writer) = fd::pipe();
    let both = [reader.number(), writer.number()];
    send_fds(&one, b"x", &both, 0).unwrap();
    let message = receive(&other, 9, 16 + 4, 0).unwrap();
    assert_eq!((message.fds.len(), message.flags), (1, MSG_CTRUNC));
    assert_eq!(message.control_len, 20);
    send_fds(&one, b"x", &both, 0).unwrap();
    let message = receive(&other, 9, 0, 0).unwrap();
    assert_eq!((message.fds.len(), message.flags), (0, MSG_CTRUNC));
}

#[test]
fn without_numbers_descriptors_are_lost_and_that_is_told() {
    child::run(|| {
        let (one, other) = pair(SOCK_STREAM);
        let (reader, writer) = fd::pipe();
        send_fds(&one, b"x", &[reader.number(), writer.number()], 0).unwrap();
        let free = reader.dup().unwrap().number();
        limit::lower(libc::RLIMIT_NOFILE, free as u64 + 1);
        let message = receive(&other, 9, ROOM, 0).unwrap();
        assert_eq!((message.fds.len(), message.flags), (1, MSG_CTRUNC));
    });
}

#[test]
fn descriptors_may_be_closed_by_exec() {
    let (one, other) = pair(SOCK_STREAM);
    let (reader, _writer) = fd::pipe();
    send_fds(&one, b"x", &[reader.number()], 0).unwrap();
    let message = receive(&other, 9, ROOM, MSG_CMSG_CLOEXEC).unwrap();
    assert_eq!(message.fds[0].fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
    assert_eq!(message.flags, MSG_CMSG_CLOEXEC);
}

#[test]
fn bad_ancillary_data_is_refused() {
    let (one, other) = pair(SOCK_STREAM);
    assert_eq!(send_fds(&one, b"x", &[1000], 0), Err(Errno::EBADF));
    assert_eq!(send_fds(&one, b"x", &[-1], 0), Err(Errno::EBADF));
    let (reader, _writer) = fd::pipe();
    assert_eq!(send_fds(&one, b"x", &[reader.number(); 254], 0), Err(Errno::EINVAL));
    let mut short = control(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[]);
    short[0] = 15;
    assert_eq!(send_with(&one, b"x", &short, 0), Err(Errno::EINVAL));
    let mut long = control(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[0; 4]);
    long[0] = 100;
    assert_eq!(send_with(&one, b"x", &long, 0), Err(Errno::EINVAL));
    assert_eq!(send_with(&one, b"x", &control(libc::SOL_SOCKET, 99, &[]), 0), Err(Errno::EINVAL));
    assert_eq!(send_with(&one, b"x", &vec![0; 30_000], 0), Err(Errno::ENOBUFS));
    assert_eq!(socket::recv(&other, 9, MSG_DONTWAIT), Err(Errno::EAGAIN), "nothing was sent");
    assert_eq!(send_with(&one, b"x", &control(99, 99, &[]), 0), Ok(1), "of no concern");
    let (client, _server) = socket::pair();
    assert_eq!(send_fds(&client, b"x", &[reader.number()], 0), Ok(1), "not looked at");
}
