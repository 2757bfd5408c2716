//! eventfd(2): a waitable 64-bit counter.

use std::sync::mpsc;
use std::thread;

use libc::{EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, POLLIN, POLLOUT};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, child, fd, poll, signal, sys};

/// The largest value of the counter.
const MOST: u64 = u64::MAX - 1;

fn nonblocking(initial: u32) -> Fd {
    fd::eventfd(initial, EFD_NONBLOCK).unwrap()
}

#[test]
fn reading_returns_the_sum_of_the_writes_and_resets_it() {
    let event = nonblocking(3);
    event.write_u64(4).unwrap();
    event.write_u64(5).unwrap();
    assert_eq!(event.read_u64(), Ok(12));
    assert_eq!(event.read_u64(), Err(Errno::EAGAIN));
}

#[test]
fn a_semaphore_gives_one_at_a_time() {
    let event = fd::eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE).unwrap();
    event.write_u64(1).unwrap();
    for _ in 0..3 {
        assert_eq!(event.read_u64(), Ok(1));
    }
    assert_eq!(event.read_u64(), Err(Errno::EAGAIN));
}

#[test]
fn the_initial_value_is_an_unsigned_int() {
    assert_eq!(nonblocking(u32::MAX).read_u64(), Ok(u64::from(u32::MAX)));
}

#[test]
fn the_counter_has_all_of_its_64_bits() {
    let event = nonblocking(0);
    event.write_u64(0x0123_4567_89ab_cdef).unwrap();
    assert_eq!(event.read_u64(), Ok(0x0123_4567_89ab_cdef));
}

#[test]
fn flags_are_kept() {
    let event = fd::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK).unwrap();
    assert_eq!(event.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
    let flags = event.fcntl(libc::F_GETFL, 0).unwrap();
    assert_eq!(flags & (libc::O_ACCMODE | libc::O_NONBLOCK), libc::O_RDWR | libc::O_NONBLOCK);
}

#[test]
fn unknown_flags_are_einval() {
    assert_eq!(fd::eventfd(0, 2), Err(Errno::EINVAL));
    assert_eq!(fd::eventfd(0, -1), Err(Errno::EINVAL));
}

#[test]
fn the_old_system_call_has_no_flags() {
    // SAFETY: no memory is involved.
    let number = unsafe { sys::call(libc::SYS_eventfd, [5]) }.unwrap();
    let event = Fd::from_number(number as i32);
    assert_eq!(event.fcntl(libc::F_GETFD, 0), Ok(0));
    assert_eq!(event.read_u64(), Ok(5));
}

#[test]
fn fewer_than_eight_bytes_are_einval() {
    let event = nonblocking(1);
    assert_eq!(event.read(7), Err(Errno::EINVAL));
    assert_eq!(event.write(&[0; 7]), Err(Errno::EINVAL));
    assert_eq!(event.write(b""), Err(Errno::EINVAL));
    assert_eq!(event.read_u64(), Ok(1));
}

#[test]
fn a_read_takes_eight_bytes_of_a_longer_buffer() {
    assert_eq!(nonblocking(1).read(100).unwrap(), 1_u64.to_ne_bytes());
}

/// Newer versions of Linux refuse this.
#[test]
fn a_write_takes_eight_bytes_of_a_longer_buffer() {
    let event = nonblocking(0);
    assert_eq!(event.write(&[1, 0, 0, 0, 0, 0, 0, 0, 9, 9]), Ok(8));
    assert_eq!(event.read_u64(), Ok(1));
}

#[test]
fn the_all_ones_value_cannot_be_written() {
    let event = nonblocking(0);
    assert_eq!(event.write_u64(u64::MAX), Err(Errno::EINVAL));
    assert_eq!(event.read_u64(), Err(Errno::EAGAIN));
}

#[test]
fn a_write_that_would_overflow_is_eagain_and_changes_nothing() {
    let event = nonblocking(0);
    event.write_u64(MOST - 1).unwrap();
    assert_eq!(event.write_u64(2), Err(Errno::EAGAIN));
    assert_eq!(event.write_u64(1), Ok(()));
    assert_eq!(event.write_u64(1), Err(Errno::EAGAIN));
    assert_eq!(event.write_u64(0), Ok(()));
    assert_eq!(event.read_u64(), Ok(MOST));
}

#[test]
fn writing_zero_makes_nothing_readable() {
    let event = nonblocking(0);
    event.write_u64(0).unwrap();
    assert_eq!(poll::ready(&event, POLLIN), 0);
    assert_eq!(event.read_u64(), Err(Errno::EAGAIN));
}

#[test]
fn it_is_readable_above_zero_and_writable_below_the_largest_value() {
    let event = nonblocking(0);
    let both = POLLIN | POLLOUT;
    assert_eq!(poll::ready(&event, both), POLLOUT);
    event.write_u64(1).unwrap();
    assert_eq!(poll::ready(&event, both), both);
    event.write_u64(MOST - 2).unwrap();
    assert_eq!(poll::ready(&event, both), both, "one more fits");
    event.write_u64(1).unwrap();
    assert_eq!(poll::ready(&event, both), POLLIN);
    event.read_u64().unwrap();
    assert_eq!(poll::ready(&event, both), POLLOUT);
}

#[test]
fn a_blocked_read_gets_what_is_written_later() {
    let event = fd::eventfd(0, 0).unwrap();
    let writer = event.dup().unwrap();
    let write = time::soon(move || writer.write_u64(8));
    assert_eq!(time::at_least(time::SETTLE / 2, || event.read_u64()), Ok(8));
    write.join().unwrap().unwrap();
}

#[test]
fn a_blocked_write_goes_on_after_a_read() {
    let event = fd::eventfd(0, 0).unwrap();
    event.write_u64(MOST).unwrap();
    let reader = event.dup().unwrap();
    let read = time::soon(move || reader.read_u64());
    time::at_least(time::SETTLE / 2, || event.write_u64(6)).unwrap();
    assert_eq!(read.join().unwrap(), Ok(MOST));
    assert_eq!(event.read_u64(), Ok(6));
}

#[test]
fn each_unit_of_a_semaphore_releases_one_blocked_reader() {
    let event = fd::eventfd(0, EFD_SEMAPHORE).unwrap();
    let (released, releases) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..3 {
            let released = released.clone();
            let event = &event;
            scope.spawn(move || released.send(event.read_u64()).unwrap());
        }
        time::settle();
        event.write_u64(2).unwrap();
        assert_eq!(releases.recv().unwrap(), Ok(1));
        assert_eq!(releases.recv().unwrap(), Ok(1));
        assert!(releases.recv_timeout(time::SETTLE).is_err());
        event.write_u64(1).unwrap();
        assert_eq!(releases.recv().unwrap(), Ok(1));
    });
}

#[test]
fn a_signal_ends_a_blocked_read_with_eintr() {
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        let event = fd::eventfd(0, 0).unwrap();
        assert_eq!(signal::interrupted(ms(20), || event.read_u64()), Err(Errno::EINTR));
    });
}

#[test]
fn a_read_goes_on_after_a_signal_with_sa_restart() {
    child::run(|| {
        signal::count(libc::SIGALRM, libc::SA_RESTART);
        let event = fd::eventfd(0, 0).unwrap();
        let writer = child::spawn(|| {
            time::settle();
            event.write_u64(1).unwrap();
        });
        assert_eq!(signal::interrupted(ms(5), || event.read_u64()), Ok(1));
        assert!(signal::seen(libc::SIGALRM) >= 1);
        writer.join();
    });
}

#[test]
fn a_forked_child_shares_the_counter() {
    let event = nonblocking(0);
    child::run(|| event.write_u64(9).unwrap());
    assert_eq!(event.read_u64(), Ok(9));
}

#[test]
fn bad_addresses_are_efault() {
    let event = nonblocking(1);
    let number = event.number() as usize;
    // SAFETY: nothing is mapped there.
    let (read, write) = unsafe {
        let write = sys::call(libc::SYS_write, [number, UNMAPPED, 8]);
        (sys::call(libc::SYS_read, [number, UNMAPPED, 8]), write)
    };
    assert_eq!((read, write), (Err(Errno::EFAULT), Err(Errno::EFAULT)));
}

#[test]
fn a_writev_adds_each_buffer_on_its_own() {
    let event = nonblocking(0);
    let (one, two) = (1_u64.to_ne_bytes(), 2_u64.to_ne_bytes());
    let writev = |parts: &[&[u8]]| {
        let parts: Vec<[usize; 2]> =
            parts.iter().map(|part| [part.as_ptr() as usize, part.len()]).collect();
        // SAFETY: the kernel only reads.
        unsafe {
            sys::call(
                libc::SYS_writev,
                [event.number() as usize, parts.as_ptr() as usize, parts.len()],
            )
        }
    };
    assert_eq!(writev(&[&one, &two]), Ok(16));
    assert_eq!(event.read_u64(), Ok(3));
    assert_eq!(writev(&[&one[..4], &one[4..]]), Err(Errno::EINVAL), "no buffer has a value");
    assert_eq!(writev(&[&two, &one[..4]]), Ok(8));
    assert_eq!(
        writev(&[&[1_u64.to_ne_bytes(), [0xff; 8]].concat(), &one]),
        Ok(8),
        "a short write ends it"
    );
    assert_eq!(event.read_u64(), Ok(3));
    assert_eq!(writev(&[&[0xff; 8]]), Err(Errno::EINVAL), "no value");
    assert_eq!(writev(&[]), Ok(0));
    assert_eq!(writev(&[&one, &MOST.to_ne_bytes()]), Ok(8), "the second would block");
    assert_eq!(event.read_u64(), Ok(1));
}
