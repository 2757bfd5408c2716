//! pipe(7), fcntl(2): the capacity of a pipe in page slots, and packet mode.

use libc::{O_DIRECT, O_NONBLOCK, POLLOUT};
use pollux_tests::memory::PAGE;
use pollux_tests::{Errno, Fd, fd, poll, time};

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
fn it_holds_sixty_four_kibibytes() {
    let (reader, writer) = nonblocking();
    assert_eq!(writer.write(&[1; CAPACITY + 1]), Ok(CAPACITY));
    assert_eq!(writer.write(&[1]), Err(Errno::EAGAIN));
    assert_eq!(poll::ready(&writer, POLLOUT), 0);
    assert_eq!(reader.read(CAPACITY + 1).unwrap().len(), CAPACITY);
    assert_eq!(poll::ready(&writer, POLLOUT), POLLOUT);
}

#[test]
fn small_writes_share_a_page() {
    let (_reader, writer) = nonblocking();
    for _ in 0..CAPACITY / 64 {
        assert_eq!(writer.write(&[1; 64]), Ok(64));
    }
    assert_eq!(writer.write(&[1; 64]), Err(Errno::EAGAIN));
}

#[test]
fn writes_that_do_not_fit_the_last_page_take_a_slot_each() {
    let (reader, writer) = nonblocking();
    for _ in 0..16 {
        assert_eq!(writer.write(&[1; 2500]), Ok(2500));
    }
    assert_eq!(writer.write(&[1; 2500]), Err(Errno::EAGAIN));
    assert_eq!(poll::ready(&writer, POLLOUT), 0, "no slot is free");
    assert_eq!(writer.write(&[1; 1596]), Ok(1596), "the last page has room");
    assert_eq!(writer.write(&[1]), Err(Errno::EAGAIN));
    assert_eq!(reader.unread(), Ok(16 * 2500 + 1596));
}

#[test]
fn the_tail_of_a_large_write_fills_the_last_page_first() {
    let (reader, writer) = nonblocking();
    let mut total = 0;
    while let Ok(written) = writer.write(&[1; 5000]) {
        total += written;
    }
    // Two slots take 4096 + 904; the next 904 join the last page, and 4096 take a slot of their own.
    // So ten writes fill fifteen slots, and the last slot takes one page more.
    assert_eq!(total, 10 * 5000 + PAGE);
    assert_eq!(reader.unread(), Ok(total as i32));
}

#[test]
fn a_partly_read_page_stays_occupied() {
    let (reader, writer) = full();
    assert_eq!(reader.read(PAGE - 1).unwrap().len(), PAGE - 1);
    assert_eq!(writer.write(&[1]), Err(Errno::EAGAIN));
    assert_eq!(poll::ready(&writer, POLLOUT), 0);
    assert_eq!(reader.read(1).unwrap().len(), 1);
    assert_eq!(poll::ready(&writer, POLLOUT), POLLOUT);
    assert_eq!(writer.write(&[1; PAGE]), Ok(PAGE));
}

#[test]
fn a_write_of_pipe_buf_enters_whole_or_not_at_all() {
    let (reader, writer) = full();
    reader.read(PAGE).unwrap();
    assert_eq!(writer.write(&[1; 100]), Ok(100));
    assert_eq!(writer.write(&[1; PAGE]), Err(Errno::EAGAIN));
    assert_eq!(writer.write(&[1; 3997]), Err(Errno::EAGAIN));
    assert_eq!(writer.write(&[1; 3996]), Ok(3996));
}

#[test]
fn a_larger_write_is_partial_when_nonblocking() {
    let (reader, writer) = full();
    reader.read(2 * PAGE).unwrap();
    assert_eq!(writer.write(&[1; 10_000]), Ok(2 * PAGE));
    assert_eq!(writer.write(&[1; 10_000]), Err(Errno::EAGAIN));
}

#[test]
fn a_capacity_is_rounded_up_to_a_power_of_two_pages() {
    let (reader, writer) = nonblocking();
    assert_eq!(reader.fcntl(libc::F_GETPIPE_SZ, 0), Ok(CAPACITY as i32));
    assert_eq!(reader.fcntl(libc::F_SETPIPE_SZ, 1), Ok(PAGE as i32));
    assert_eq!(writer.fcntl(libc::F_GETPIPE_SZ, 0), Ok(PAGE as i32));
    assert_eq!(writer.write(&[1; 5000]), Ok(PAGE));
    assert_eq!(writer.fcntl(libc::F_SETPIPE_SZ, 3 * PAGE), Ok(4 * PAGE as i32));
    assert_eq!(poll::ready(&writer, POLLOUT), POLLOUT);
    assert_eq!(writer.write(&[1; 20_000]), Ok(3 * PAGE));
    assert_eq!(reader.read(CAPACITY).unwrap().len(), 4 * PAGE);
}

#[test]
fn a_capacity_below_the_content_is_ebusy() {
    let (reader, _writer) = full();
    assert_eq!(reader.fcntl(libc::F_SETPIPE_SZ, CAPACITY / 2), Err(Errno::EBUSY));
    assert_eq!(reader.fcntl(libc::F_GETPIPE_SZ, 0), Ok(CAPACITY as i32));
    reader.read(CAPACITY / 2).unwrap();
    assert_eq!(reader.fcntl(libc::F_SETPIPE_SZ, CAPACITY / 2), Ok(CAPACITY as i32 / 2));
    assert_eq!(reader.read(CAPACITY).unwrap(), [7; CAPACITY / 2]);
}

#[test]
fn an_absurd_capacity_is_einval() {
    let (reader, _writer) = fd::pipe();
    assert_eq!(reader.fcntl(libc::F_SETPIPE_SZ, (1 << 31) + 1), Err(Errno::EINVAL));
}

#[test]
fn only_a_pipe_has_a_capacity() {
    let event = fd::eventfd(0, 0).unwrap();
    assert_eq!(event.fcntl(libc::F_GETPIPE_SZ, 0), Err(Errno::EBADF));
    assert_eq!(event.fcntl(libc::F_SETPIPE_SZ, PAGE), Err(Errno::EBADF));
}

#[test]
fn raising_the_capacity_lets_a_blocked_writer_go_on() {
    let (reader, writer) = full();
    writer.set_flags(0).unwrap();
    let grow = time::soon(move || {
        reader.fcntl(libc::F_SETPIPE_SZ, 2 * CAPACITY).unwrap();
        reader
    });
    assert_eq!(writer.write(b"more"), Ok(4));
    grow.join().unwrap();
}

#[test]
fn packets_keep_their_borders() {
    let (reader, writer) = fd::pipe2(O_DIRECT | O_NONBLOCK).unwrap();
    writer.write(b"first").unwrap();
    writer.write(b"second").unwrap();
    assert_eq!(reader.read(100).unwrap(), b"first");
    assert_eq!(reader.read(3).unwrap(), b"sec", "the rest of a packet is lost");
    assert_eq!(reader.read(100), Err(Errno::EAGAIN));
}

#[test]
fn a_packet_larger_than_pipe_buf_becomes_several() {
    let (reader, writer) = fd::pipe2(O_DIRECT | O_NONBLOCK).unwrap();
    assert_eq!(writer.write(&[1; PAGE + 904]), Ok(PAGE + 904));
    assert_eq!(reader.read(10_000).unwrap().len(), PAGE);
    assert_eq!(reader.read(10_000).unwrap().len(), 904);
}

#[test]
fn sixteen_packets_fill_a_pipe() {
    let (_reader, writer) = fd::pipe2(O_DIRECT | O_NONBLOCK).unwrap();
    for _ in 0..16 {
        assert_eq!(writer.write(b"x"), Ok(1));
    }
    assert_eq!(writer.write(b"x"), Err(Errno::EAGAIN));
}
