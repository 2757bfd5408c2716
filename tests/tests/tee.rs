//! tee(2), vmsplice(2): copies between pipes, and between memory and a pipe.

use libc::{O_NONBLOCK, SIGPIPE, SPLICE_F_GIFT, SPLICE_F_NONBLOCK, iovec};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::{self, Result};
use pollux_tests::{Errno, Fd, child, fd, signal, time};

const NONBLOCK: u32 = SPLICE_F_NONBLOCK;

fn tee(from: &Fd, to: &Fd, len: usize, flags: u32) -> Result<usize> {
    let arguments = [from.number() as usize, to.number() as usize, len, flags as usize];
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_tee, arguments) }
}

fn vmsplice(fd: &Fd, buffers: &[iovec], flags: u32) -> Result<usize> {
    let arguments =
        [fd.number() as usize, buffers.as_ptr() as usize, buffers.len(), flags as usize];
    // SAFETY: the buffers are the caller's, or are not there.
    unsafe { sys::call(libc::SYS_vmsplice, arguments) }
}

fn buffer(bytes: &mut [u8]) -> iovec {
    iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
}

#[test]
fn a_tee_copies_and_takes_nothing() {
    let ((from, fill), (read, to)) = (fd::pipe(), fd::pipe2(O_NONBLOCK).unwrap());
    let bytes: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    fill.write(&bytes).unwrap();
    assert_eq!(tee(&from, &to, 5, 0), Ok(5));
    assert_eq!(tee(&from, &to, 100_000, 0), Ok(20_000), "from the start again");
    assert_eq!(read.read(5).unwrap(), &bytes[..5]);
    assert_eq!(read.read(100_000).unwrap(), bytes);
    assert_eq!(from.read(100_000).unwrap(), bytes);
}

#[test]
fn a_tee_copies_no_more_than_there_is_room() {
    let ((from, fill), (read, to)) =
        (fd::pipe2(O_NONBLOCK).unwrap(), fd::pipe2(O_NONBLOCK).unwrap());
    while fill.write(&[1; 4096]).is_ok() {}
    for _ in 0..14 {
        to.write(&[2; 4096]).unwrap();
    }
    assert_eq!(tee(&from, &to, 100_000, 0), Ok(8192));
    assert_eq!(tee(&from, &to, 100_000, 0), Err(Errno::EAGAIN));
    assert_eq!(read.unread(), Ok(65_536));
    assert_eq!(from.unread(), Ok(65_536));
}

#[test]
fn a_tee_waits_and_sees_the_ends() {
    child::run(|| {
        signal::count(SIGPIPE, 0);
        signal::count(libc::SIGALRM, 0);
        let ((from, fill), (read, to)) = (fd::pipe(), fd::pipe());
        assert_eq!(tee(&from, &to, 10, NONBLOCK), Err(Errno::EAGAIN));
        assert_eq!(signal::interrupted(time::SETTLE, || tee(&from, &to, 10, 0)), Err(Errno::EINTR));
        let writer = time::soon(move || fill.write(b"abc").map(|_| fill));
        assert_eq!(time::at_least(time::SETTLE / 2, || tee(&from, &to, 10, 0)), Ok(3));
        drop(writer.join().unwrap().unwrap());
        drop(read);
        assert_eq!(tee(&from, &to, 10, 0), Err(Errno::EPIPE));
        assert_eq!(signal::seen(SIGPIPE), 1);
        let (_read, to) = fd::pipe();
        assert_eq!(from.read(10).unwrap(), b"abc");
        assert_eq!(tee(&from, &to, 10, 0), Ok(0));
    });
}

#[test]
fn a_tee_needs_two_pipes() {
    let (from, fill) = fd::pipe();
    let event = fd::eventfd(0, 0).unwrap();
    assert_eq!(tee(&from, &fill, 0, 0x10), Err(Errno::EINVAL), "flags come before the length");
    assert_eq!(tee(&event, &event, 0, 0), Ok(0));
    assert_eq!(tee(&from, &fill, 1, 0), Err(Errno::EINVAL), "the same");
    assert_eq!(tee(&from, &event, 1, 0), Err(Errno::EINVAL));
    assert_eq!(tee(&event, &fill, 1, 0), Err(Errno::EINVAL));
    assert_eq!(tee(&fill, &fill, 1, 0), Err(Errno::EBADF));
    assert_eq!(tee(&from, &from, 1, 0), Err(Errno::EBADF));
}

#[test]
fn memory_goes_into_a_pipe_as_far_as_there_is_room() {
    let (read, to) = fd::pipe2(O_NONBLOCK).unwrap();
    let (mut one, mut other) = (*b"hello ", *b"world");
    assert_eq!(vmsplice(&to, &[buffer(&mut one), buffer(&mut other)], SPLICE_F_GIFT), Ok(11));
    assert_eq!(read.read(100).unwrap(), b"hello world");
    let mut page = vec![3; 4096];
    while to.write(&page).is_ok() {}
    read.read(4096).unwrap();
    assert_eq!(vmsplice(&to, &[buffer(&mut page[..100])], NONBLOCK), Ok(100));
    assert_eq!(vmsplice(&to, &[buffer(&mut page)], NONBLOCK), Err(Errno::EAGAIN));
}

#[test]
fn a_pipe_goes_into_memory() {
    let (read, to) = fd::pipe();
    let (mut one, mut other) = ([0; 4], [0; 10]);
    to.write(b"abcdefg").unwrap();
    assert_eq!(vmsplice(&read, &[buffer(&mut one), buffer(&mut other)], 0), Ok(7));
    assert_eq!((&one, &other[..3]), (b"abcd", &b"efg"[..]));
    assert_eq!(vmsplice(&read, &[buffer(&mut one)], NONBLOCK), Err(Errno::EAGAIN));
    drop(to);
    assert_eq!(vmsplice(&read, &[buffer(&mut one)], 0), Ok(0));
}

#[test]
fn vmsplice_waits_and_sees_a_lost_reader() {
    child::run(|| {
        signal::count(SIGPIPE, 0);
        let (read, to) = fd::pipe2(O_NONBLOCK).unwrap();
        let mut page = vec![3; 4096];
        while to.write(&page).is_ok() {}
        let reader = time::soon(move || read.read(4096).map(|_| read));
        let spliced = time::at_least(time::SETTLE / 2, || vmsplice(&to, &[buffer(&mut page)], 0));
        let first = 4096 - page.as_ptr().addr() % 4096;
        assert_eq!(
            spliced,
            Ok(first),
            "O_NONBLOCK of the pipe does not count, and a slot is a page of memory"
        );
        drop(reader.join().unwrap().unwrap());
        assert_eq!(vmsplice(&to, &[buffer(&mut page)], 0), Err(Errno::EPIPE));
        assert_eq!(signal::seen(SIGPIPE), 1);
    });
}

#[test]
fn vmsplice_refuses_what_is_no_pipe() {
    let (read, to) = fd::pipe();
    let event = fd::eventfd(0, 0).unwrap();
    let mut byte = [1];
    assert_eq!(vmsplice(&event, &[buffer(&mut byte)], 0), Err(Errno::EBADF));
    assert_eq!(vmsplice(&to, &[buffer(&mut byte)], 0x10), Err(Errno::EINVAL));
    assert_eq!(vmsplice(&event, &[], 0), Ok(0));
    let nowhere = iovec { iov_base: UNMAPPED as *mut libc::c_void, iov_len: 10 };
    assert_eq!(vmsplice(&to, &[nowhere], 0), Err(Errno::EFAULT));
    to.write(b"x").unwrap();
    assert_eq!(vmsplice(&read, &[nowhere], 0), Err(Errno::EFAULT));
    assert_eq!(read.read(1).unwrap(), b"x", "the byte is still there");
}
