//! pipe(2), pipe(7): a byte queue of page slots between readers and writers.

use std::thread;

use libc::{O_CLOEXEC, O_NONBLOCK, POLLERR, POLLHUP, POLLIN, POLLOUT};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{PAGE, Pages, UNMAPPED};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, fd, poll, signal, sys};

const CAPACITY: usize = 16 * PAGE;

fn nonblocking() -> (Fd, Fd) {
    fd::pipe2(O_NONBLOCK).unwrap()
}

fn full() -> (Fd, Fd) {
    let (reader, writer) = nonblocking();
    assert_eq!(writer.write(&[7; CAPACITY]), Ok(CAPACITY));
    (reader, writer)
}

#[test]
fn bytes_come_out_in_the_order_they_went_in() {
    let (reader, writer) = fd::pipe();
    assert_eq!(writer.write(b"one "), Ok(4));
    assert_eq!(writer.write(b"two"), Ok(3));
    assert_eq!(reader.read(5).unwrap(), b"one t");
    assert_eq!(reader.read(5).unwrap(), b"wo");
}

#[test]
fn each_end_has_one_direction() {
    let (reader, writer) = fd::pipe();
    assert_eq!(reader.write(b"x"), Err(Errno::EBADF));
    assert_eq!(writer.read(1), Err(Errno::EBADF));
    assert_eq!(reader.fcntl(libc::F_GETFL, 0).unwrap() & libc::O_ACCMODE, libc::O_RDONLY);
    assert_eq!(writer.fcntl(libc::F_GETFL, 0).unwrap() & libc::O_ACCMODE, libc::O_WRONLY);
}

#[test]
fn flags_of_pipe2_hold_for_both_ends() {
    let (reader, writer) = fd::pipe2(O_NONBLOCK | O_CLOEXEC).unwrap();
    for end in [&reader, &writer] {
        assert_eq!(end.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
        assert_eq!(end.fcntl(libc::F_GETFL, 0).unwrap() & O_NONBLOCK, O_NONBLOCK);
    }
    let (reader, writer) = fd::pipe();
    for end in [&reader, &writer] {
        assert_eq!(end.fcntl(libc::F_GETFD, 0), Ok(0));
        assert_eq!(end.fcntl(libc::F_GETFL, 0).unwrap() & O_NONBLOCK, 0);
    }
}

#[test]
fn pipe2_refuses_unknown_flags() {
    assert_eq!(fd::pipe2(libc::O_APPEND), Err(Errno::EINVAL));
    assert_eq!(fd::pipe2(-1), Err(Errno::EINVAL));
}

#[test]
fn pipe2_takes_the_two_lowest_free_numbers() {
    let (reader, writer) = fd::pipe();
    let (low, high) = (reader.number(), writer.number());
    drop((reader, writer));
    let (reader, writer) = fd::pipe();
    assert_eq!((reader.number(), writer.number()), (low, high));
}

#[test]
fn pipe2_into_a_bad_address_leaves_no_descriptor_open() {
    let lowest = fd::eventfd(0, 0).unwrap().number();
    let pages = Pages::before_hole(1);
    for address in [UNMAPPED, pages.end() - 4] {
        // SAFETY: the kernel finds nothing to write to that belongs to anybody.
        let result = unsafe { sys::call(libc::SYS_pipe2, [address, 0]) };
        assert_eq!(result, Err(Errno::EFAULT));
    }
    assert_eq!(fd::eventfd(0, 0).unwrap().number(), lowest);
}

#[test]
fn reading_an_empty_pipe_without_blocking_is_eagain() {
    let (reader, _writer) = nonblocking();
    assert_eq!(reader.read(1), Err(Errno::EAGAIN));
}

#[test]
fn reading_and_writing_nothing_succeeds_at_once() {
    let (reader, writer) = fd::pipe();
    assert_eq!(reader.read(0).unwrap(), b"");
    assert_eq!(writer.write(b""), Ok(0));
    drop(reader);
    assert_eq!(writer.write(b""), Ok(0));
}

#[test]
fn a_blocked_read_gets_what_is_written_later() {
    let (reader, writer) = fd::pipe();
    let write = time::soon(move || writer.write(b"late"));
    assert_eq!(time::at_least(time::SETTLE / 2, || reader.read(10)).unwrap(), b"late");
    assert_eq!(write.join().unwrap(), Ok(4));
}

#[test]
fn a_read_returns_what_is_there_and_does_not_wait_for_more() {
    let (reader, writer) = fd::pipe();
    writer.write(b"abc").unwrap();
    assert_eq!(reader.read(100).unwrap(), b"abc");
}

#[test]
fn end_of_file_comes_after_the_last_byte_and_the_last_writer() {
    let (reader, writer) = fd::pipe();
    let second = writer.dup().unwrap();
    writer.write(b"rest").unwrap();
    drop(writer);
    assert_eq!(poll::ready(&reader, POLLIN), POLLIN);
    drop(second);
    assert_eq!(poll::ready(&reader, POLLIN), POLLIN | POLLHUP);
    assert_eq!(reader.read(10).unwrap(), b"rest");
    assert_eq!(reader.read(10).unwrap(), b"");
    assert_eq!(poll::ready(&reader, POLLIN), POLLHUP);
}

#[test]
fn closing_the_last_writer_ends_a_blocked_read() {
    let (reader, writer) = fd::pipe();
    let close = time::soon(move || writer.close());
    assert_eq!(reader.read(1).unwrap(), b"");
    close.join().unwrap().unwrap();
}

#[test]
fn writing_without_a_reader_is_epipe() {
    let (reader, writer) = fd::pipe();
    writer.write(b"unread").unwrap();
    drop(reader);
    assert_eq!(writer.write(b"x"), Err(Errno::EPIPE));
    assert_eq!(poll::ready(&writer, POLLOUT), POLLOUT | POLLERR);
}

#[test]
fn writing_without_a_reader_kills_with_sigpipe() {
    let status = child::status(|| {
        signal::default(libc::SIGPIPE);
        let (reader, writer) = fd::pipe();
        drop(reader);
        let _ = writer.write(b"x");
    });
    assert_eq!(status, Status::Killed(libc::SIGPIPE));
}

#[test]
fn closing_the_last_reader_ends_a_blocked_write_with_epipe() {
    let (reader, writer) = full();
    writer.set_flags(0).unwrap();
    let close = time::soon(move || reader.close());
    assert_eq!(writer.write(b"x"), Err(Errno::EPIPE));
    close.join().unwrap().unwrap();
}

#[test]
fn writes_of_pipe_buf_by_several_writers_do_not_mix() {
    let (reader, writer) = fd::pipe();
    thread::scope(|scope| {
        for letter in 1..=4_u8 {
            let writer = writer.dup().unwrap();
            scope.spawn(move || {
                for _ in 0..50 {
                    assert_eq!(writer.write(&[letter; PAGE]), Ok(PAGE));
                }
            });
        }
        drop(writer);
        let mut bytes = Vec::new();
        loop {
            match reader.read(10_000).unwrap() {
                some if some.is_empty() => break,
                some => bytes.extend(some),
            }
        }
        assert_eq!(bytes.len(), 4 * 50 * PAGE);
        assert!(bytes.chunks(PAGE).all(|block| block.iter().all(|byte| *byte == block[0])));
    });
}

#[test]
fn a_blocking_write_writes_everything() {
    let (reader, writer) = fd::pipe();
    let sum = thread::spawn(move || {
        let mut bytes = Vec::new();
        loop {
            match reader.read(3000).unwrap() {
                some if some.is_empty() => return bytes,
                some => bytes.extend(some),
            }
        }
    });
    let data: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    assert_eq!(writer.write(&data), Ok(data.len()));
    drop(writer);
    assert!(sum.join().unwrap() == data);
}

#[test]
fn fionread_counts_the_unread_bytes_at_both_ends() {
    let (reader, writer) = fd::pipe();
    assert_eq!(reader.unread(), Ok(0));
    writer.write(&[1; 5000]).unwrap();
    reader.read(1000).unwrap();
    assert_eq!(reader.unread(), Ok(4000));
    assert_eq!(writer.unread(), Ok(4000));
}

#[test]
fn a_pipe_has_no_position() {
    let (reader, _writer) = fd::pipe();
    // SAFETY: no memory is involved.
    let seek = unsafe { sys::call(libc::SYS_lseek, [reader.number() as usize, 0, 0]) };
    assert_eq!(seek, Err(Errno::ESPIPE));
    let mut byte = 0_u8;
    let arguments = [reader.number() as usize, &raw mut byte as usize, 1, 0];
    // SAFETY: the byte is ours.
    assert_eq!(unsafe { sys::call(libc::SYS_pread64, arguments) }, Err(Errno::ESPIPE));
}

#[test]
fn a_read_into_a_bad_address_loses_no_byte() {
    let (reader, writer) = nonblocking();
    writer.write(b"kept").unwrap();
    let pages = Pages::before_hole(1);
    for address in [UNMAPPED, pages.end() - 2] {
        // SAFETY: what is mapped there is ours.
        let result = unsafe { sys::call(libc::SYS_read, [reader.number() as usize, address, 4]) };
        assert_eq!(result, Err(Errno::EFAULT));
    }
    assert_eq!(reader.read(10).unwrap(), b"kept");
}

#[test]
fn a_write_from_a_bad_address_is_efault() {
    let (reader, writer) = nonblocking();
    // SAFETY: the kernel only reads.
    let result = unsafe { sys::call(libc::SYS_write, [writer.number() as usize, UNMAPPED, 4]) };
    assert_eq!(result, Err(Errno::EFAULT));
    assert_eq!(reader.read(10), Err(Errno::EAGAIN));
}

#[test]
fn a_signal_ends_a_blocked_read_with_eintr() {
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        let (reader, _writer) = fd::pipe();
        assert_eq!(signal::interrupted(ms(20), || reader.read(1)), Err(Errno::EINTR));
        assert!(signal::seen(libc::SIGALRM) >= 1);
    });
}

#[test]
fn a_read_goes_on_after_a_signal_with_sa_restart() {
    child::run(|| {
        signal::count(libc::SIGALRM, libc::SA_RESTART);
        let (reader, writer) = fd::pipe();
        let writing = child::spawn(|| {
            time::settle();
            time::settle();
            writer.write(b"x").unwrap();
        });
        assert_eq!(signal::interrupted(ms(10), || reader.read(1)).unwrap(), b"x");
        assert!(signal::seen(libc::SIGALRM) >= 1);
        writing.join();
    });
}

#[test]
fn a_signal_ends_a_blocked_write_with_a_short_count() {
    child::run(|| {
        signal::count(libc::SIGALRM, libc::SA_RESTART);
        let (_reader, writer) = fd::pipe();
        let write = |len| signal::interrupted(ms(20), || writer.write(&vec![1; len]));
        assert_eq!(write(CAPACITY + 1), Ok(CAPACITY));
        signal::count(libc::SIGALRM, 0);
        assert_eq!(write(1), Err(Errno::EINTR));
    });
}

#[test]
fn both_ends_survive_the_fork_that_shares_them() {
    let (reader, writer) = fd::pipe();
    let child = child::spawn(|| {
        writer.write(b"from the child").unwrap();
    });
    drop(writer.dup().unwrap());
    assert_eq!(reader.read(100).unwrap(), b"from the child");
    child.join();
    drop(writer);
    assert_eq!(reader.read(100).unwrap(), b"");
}
