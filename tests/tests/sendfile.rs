//! sendfile(2): copying from a file to a descriptor without a buffer in the program.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use libc::{O_APPEND, O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{PAGE, UNMAPPED};
use pollux_tests::{Errno, Fd, fd, poll, signal, socket, sys, unix};

/// Makes a file in `/tmp` with this many bytes, each unlike its neighbours.
fn file(name: &str, len: usize) -> (String, Vec<u8>) {
    let path = format!("/tmp/sendfile-{name}");
    let mut content = (0..251).collect::<Vec<u8>>().repeat(len.div_ceil(251));
    content.truncate(len);
    fs::write(&path, &content).unwrap();
    (path, content)
}

fn sendfile(to: &Fd, from: &Fd, offset: usize, count: usize) -> sys::Result<usize> {
    let arguments = [to.number() as usize, from.number() as usize, offset, count];
    // SAFETY: an offset is the caller's, or is not there.
    unsafe { sys::call(libc::SYS_sendfile, arguments) }
}

#[test]
fn it_copies_from_the_offset_of_the_file_and_moves_it() {
    let (path, content) = file("offset", 40_000);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    let (reader, writer) = fd::pipe();
    assert_eq!(sendfile(&writer, &from, 0, 100), Ok(100));
    assert_eq!(sendfile(&writer, &from, 0, 30_000), Ok(30_000));
    assert_eq!(reader.read(50_000).unwrap(), &content[..30_100]);
    assert_eq!(sendfile(&writer, &from, 0, 30_000), Ok(9_900));
    assert_eq!(sendfile(&writer, &from, 0, 30_000), Ok(0));
    assert_eq!(sendfile(&writer, &from, 0, 0), Ok(0));
}

#[test]
fn an_offset_of_its_own_leaves_the_file_alone() {
    let (path, content) = file("own", 1000);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    let (reader, writer) = fd::pipe();
    let mut offset = 10_u64;
    assert_eq!(sendfile(&writer, &from, &raw mut offset as usize, 20), Ok(20));
    assert_eq!(offset, 30);
    assert_eq!(reader.read(100).unwrap(), &content[10..30]);
    assert_eq!(from.read(5).unwrap(), &content[..5]);
}

#[test]
fn a_file_can_be_copied_to_a_file() {
    let (path, content) = file("whole", 300_000);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    let to = fd::open("/tmp/sendfile-copy", O_RDWR | O_CREAT | O_TRUNC, 0o644).unwrap();
    let mut total = 0;
    while total < content.len() {
        total += sendfile(&to, &from, 0, content.len() - total).unwrap();
    }
    assert!(fs::read("/tmp/sendfile-copy").unwrap() == content);
}

#[test]
fn a_full_pipe_ends_it_when_nonblocking() {
    let (path, _) = file("full", 30 * PAGE);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    let (_reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
    let sent = sendfile(&writer, &from, 0, 30 * PAGE).unwrap();
    assert!(sent > 0 && sent <= 16 * PAGE, "{sent}");
    assert_eq!(sendfile(&writer, &from, 0, 1), Err(Errno::EAGAIN));
    let mut here = 0_u64;
    // SAFETY: no memory is involved.
    here += unsafe { sys::call(libc::SYS_lseek, [from.number() as usize, 0, 1]) }.unwrap() as u64;
    assert_eq!(here, sent as u64, "what was not sent can be sent later");
}

#[test]
fn it_needs_a_file_to_read_from() {
    let (reader, writer) = fd::pipe();
    let (_other, target) = fd::pipe();
    let (path, _) = file("errors", 10);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    let append = fd::open(&path, O_WRONLY | O_APPEND, 0).unwrap();
    writer.write(b"x").unwrap();
    assert_eq!(sendfile(&append, &from, 0, 1), Err(Errno::EINVAL));
    assert_eq!(sendfile(&from, &from, 0, 1), Err(Errno::EBADF), "not open for writing");
    assert_eq!(sendfile(&target, &append, 0, 1), Err(Errno::EBADF), "not open for reading");
    let mut offset = 0_u64;
    assert_eq!(sendfile(&target, &reader, &raw mut offset as usize, 1), Err(Errno::ESPIPE));
    assert_eq!(sendfile(&target, &from, UNMAPPED, 1), Err(Errno::EFAULT));
    offset = u64::MAX;
    assert_eq!(sendfile(&target, &from, &raw mut offset as usize, 1), Err(Errno::EINVAL));
    assert_eq!(target.unread(), Ok(0));
}

#[test]
fn a_process_that_copies_gigabytes_can_be_killed() {
    let path = "/tmp/sendfile-huge";
    let from = fd::open(path, O_CREAT | O_RDWR, 0o644).unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 40).unwrap();
    let null = fd::open("/dev/null", O_WRONLY, 0).unwrap();
    let child = child::spawn(|| {
        // For ever, in pieces of two gigabytes.
        while sendfile(&null, &from, 0, usize::MAX >> 1).is_ok() {}
    });
    thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    child.kill(libc::SIGKILL);
    assert_eq!(child.wait(), Status::Killed(libc::SIGKILL));
    assert!(start.elapsed() < Duration::from_millis(700), "it took {:?}", start.elapsed());
    fs::remove_file(path).unwrap();
}

/// Reads everything until the end of the file.
fn read_all(fd: &Fd) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let bytes = fd.read(1 << 20).unwrap();
        if bytes.is_empty() {
            return all;
        }
        all.extend(bytes);
    }
}

#[test]
fn a_connection_gets_the_whole_of_a_file() {
    let (path, content) = file("tcp", 3_000_001);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    let (client, server) = socket::pair();
    let reading = thread::spawn(move || read_all(&client));
    assert_eq!(
        sendfile(&server, &from, 0, 4_000_000),
        Ok(content.len()),
        "a blocking one waits for room"
    );
    assert_eq!(sendfile(&server, &from, 0, 1), Ok(0));
    let mut offset = 2_999_991_u64;
    assert_eq!(sendfile(&server, &from, &raw mut offset as usize, 99), Ok(10));
    assert_eq!(offset, 3_000_001);
    drop(server);
    let received = reading.join().unwrap();
    assert!(received == [&content[..], &content[2_999_991..]].concat());
}

#[test]
fn a_full_connection_takes_a_part_and_then_nothing() {
    let (path, content) = file("tcp-full", 8_000_000);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    for has_offset in [false, true] {
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_lseek, [from.number() as usize, 0, 0]) }.unwrap();
        let (client, server) = socket::pair();
        server.set_flags(O_NONBLOCK).unwrap();
        let mut offset = 0_u64;
        let place = if has_offset { &raw mut offset as usize } else { 0 };
        let mut sent = sendfile(&server, &from, place, content.len()).unwrap();
        assert!(sent > 0 && sent < content.len(), "{sent}");
        // What travels makes room for a while.
        loop {
            match sendfile(&server, &from, place, content.len() - sent) {
                Ok(more) => sent += more,
                Err(error) => {
                    assert_eq!(error, Errno::EAGAIN);
                    thread::sleep(Duration::from_millis(10));
                    if poll::ready(&server, libc::POLLOUT) == 0 {
                        break;
                    }
                }
            }
        }
        assert!(sent < content.len());
        // SAFETY: no memory is involved.
        let here = unsafe { sys::call(libc::SYS_lseek, [from.number() as usize, 0, 1]) }.unwrap();
        assert_eq!((here, offset), if has_offset { (0, sent as u64) } else { (sent, 0) });
        let reading = thread::spawn(move || read_all(&client));
        while sent < content.len() {
            let mut entries = [poll::entry(server.number(), libc::POLLOUT)];
            assert_eq!(poll::poll(&mut entries, 10_000), Ok(1));
            match sendfile(&server, &from, place, content.len() - sent) {
                Ok(more) => sent += more,
                Err(error) => assert_eq!(error, Errno::EAGAIN),
            }
        }
        drop(server);
        assert!(reading.join().unwrap() == content);
    }
}

#[test]
fn time_to_send_ends_a_wait_for_room() {
    let (path, content) = file("tcp-time", 8_000_000);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    let (_client, server) = socket::pair();
    let limit = libc::timeval { tv_sec: 0, tv_usec: 50_000 };
    socket::set_value(&server, libc::SOL_SOCKET, libc::SO_SNDTIMEO, &limit).unwrap();
    let sent = sendfile(&server, &from, 0, content.len()).unwrap();
    assert!(sent > 0 && sent < content.len(), "{sent}");
    // What was on its way may have made room once more.
    let mut results = (0..20).map(|_| sendfile(&server, &from, 0, content.len()));
    assert!(results.any(|result| result == Err(Errno::EAGAIN)));
}

#[test]
fn a_connection_that_is_gone_is_an_error_once_and_then_a_broken_pipe() {
    let (path, _) = file("tcp-gone", 100);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    let (client, server) = socket::pair();
    server.write(b"unread").unwrap();
    poll::poll(&mut [poll::entry(client.number(), libc::POLLIN)], 1000).unwrap();
    drop(client);
    poll::poll(&mut [poll::entry(server.number(), 0)], 1000).unwrap();
    let mut offset = 7_u64;
    let place = &raw mut offset as usize;
    assert_eq!(sendfile(&server, &from, place, 9), Err(Errno::ECONNRESET));
    assert_eq!(sendfile(&server, &from, place, 9), Err(Errno::EPIPE));
    assert_eq!(offset, 7);
    let (_client, server) = socket::pair();
    socket::shutdown(&server, libc::SHUT_WR).unwrap();
    assert_eq!(sendfile(&server, &from, place, 9), Err(Errno::EPIPE));
    assert_eq!(
        sendfile(&socket::tcp(0), &from, place, 9),
        Err(Errno::EPIPE),
        "no connection at all"
    );
    let child = child::spawn(|| {
        signal::default(libc::SIGPIPE);
        let _ = sendfile(&server, &from, 0, 9);
    });
    assert_eq!(child.wait(), Status::Killed(libc::SIGPIPE));
}

#[test]
fn local_sockets_and_datagrams_take_files_too() {
    let (path, content) = file("local", 70_000);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    let (one, other) = unix::pair(libc::SOCK_STREAM);
    let reading = thread::spawn(move || read_all(&other));
    assert_eq!(sendfile(&one, &from, 0, content.len()), Ok(content.len()));
    drop(one);
    assert!(reading.join().unwrap() == content);
    assert_eq!(
        sendfile(&socket::tcp(0), &socket::tcp(0), 0, 1),
        Err(Errno::EINVAL),
        "a socket is no file"
    );
}

#[test]
fn an_eventfd_takes_no_bytes() {
    let (path, _) = file("eventfd", 64);
    let from = fd::open(&path, O_RDONLY, 0).unwrap();
    let event = fd::eventfd(0, libc::EFD_NONBLOCK).unwrap();
    assert_eq!(sendfile(&event, &from, 0, 8), Err(Errno::EINVAL));
    assert_eq!(sendfile(&event, &from, 0, 0), Ok(0));
    assert_eq!(event.read_u64(), Err(Errno::EAGAIN));
    assert_eq!(from.read(1).map(|bytes| bytes.len()), Ok(1), "the offset did not move");
    let null = fd::open("/dev/null", O_WRONLY, 0).unwrap();
    assert_eq!(sendfile(&null, &from, 0, 8), Ok(8));
}
