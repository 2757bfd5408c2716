//! ppoll(2): polling with nanoseconds and a temporary signal mask.

use std::time::Duration;

use libc::{POLLIN, POLLOUT};
use pollux_tests::memory::{Pages, UNMAPPED};
use pollux_tests::poll::{entry, ppoll};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, child, fd, signal, sys};

#[test]
fn ppoll_has_nanoseconds_and_writes_the_remaining_time_back() {
    let (result, left) = time::at_least(Duration::from_micros(1500), || {
        ppoll(&mut [], Some(Duration::from_micros(1500)), None)
    });
    assert_eq!((result, left), (Ok(0), Some(Duration::ZERO)));

    let (_reader, writer) = fd::pipe();
    let mut entries = [entry(writer.number(), POLLOUT)];
    let hundred = Duration::from_secs(100);
    let (result, _) = time::remaining(hundred, || ppoll(&mut entries, Some(hundred), None));
    assert_eq!(result, Ok(1));
}

#[test]
fn ppoll_writes_the_remaining_time_back_after_a_signal() {
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        let hundred = Duration::from_secs(100);
        let wait = || signal::interrupted(ms(20), || ppoll(&mut [], Some(hundred), None));
        let (result, left) = time::remaining(hundred, wait);
        assert_eq!(result, Err(Errno::EINTR));
        assert!(left < hundred);
    });
}

#[test]
fn ppoll_without_a_timeout_waits_for_ever() {
    let (reader, writer) = fd::pipe();
    let write = time::soon(move || writer.write(b"x").map(|_| writer));
    assert_eq!(ppoll(&mut [entry(reader.number(), POLLIN)], None, None), (Ok(1), None));
    write.join().unwrap().unwrap();
}

/// Calls ppoll(2) with these last three arguments and no entries.
fn raw_ppoll(timeout: usize, mask: usize, size: usize) -> sys::Result<usize> {
    // SAFETY: the tests pass addresses that are theirs or nobody's.
    unsafe { sys::call(libc::SYS_ppoll, [0, 0, timeout, mask, size]) }
}

#[test]
fn ppoll_refuses_bad_timeouts_and_masks() {
    for (tv_sec, tv_nsec) in [(-1, 0), (0, -1), (0, 1_000_000_000)] {
        let timeout = libc::timespec { tv_sec, tv_nsec };
        assert_eq!(raw_ppoll(&raw const timeout as usize, 0, 8), Err(Errno::EINVAL));
    }
    let zero = [0_u64; 2].as_ptr() as usize;
    assert_eq!(raw_ppoll(UNMAPPED, 0, 8), Err(Errno::EFAULT));
    assert_eq!(raw_ppoll(zero, UNMAPPED, 8), Err(Errno::EFAULT));
    assert_eq!(raw_ppoll(zero, zero, 4), Err(Errno::EINVAL));
    assert_eq!(raw_ppoll(zero, zero, 128), Err(Errno::EINVAL));
    assert_eq!(raw_ppoll(zero, 0, 99), Ok(0), "the size of no mask does not matter");
}

#[test]
fn a_timeout_in_read_only_memory_is_not_written_back() {
    let pages = Pages::before_hole(1);
    let timeout = pages.place(&[time::timespec(ms(5))], 0);
    pages.protect(0, libc::PROT_READ);
    assert_eq!(time::at_least(ms(5), || raw_ppoll(timeout, 0, 8)), Ok(0));
}

#[test]
fn ppoll_unblocks_a_pending_signal_for_the_wait_only() {
    child::run(|| {
        signal::count(libc::SIGUSR1, 0);
        signal::block(&[libc::SIGUSR1]);
        signal::raise(libc::SIGUSR1);
        let (reader, _writer) = fd::pipe();
        let mut entries = [entry(reader.number(), POLLIN)];
        let (result, _) = ppoll(&mut entries, None, Some(0));
        assert_eq!((result, signal::seen(libc::SIGUSR1)), (Err(Errno::EINTR), 1));
        assert!(signal::is_blocked(libc::SIGUSR1));
    });
}

#[test]
fn ppoll_blocks_a_signal_for_the_wait_only() {
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        let mask = Some(signal::mask(&[libc::SIGALRM]));
        let wait = || ppoll(&mut [], Some(ms(40)), mask);
        let (result, _) = time::at_least(ms(40), || signal::interrupted(ms(10), wait));
        assert_eq!(result, Ok(0));
        assert!(signal::seen(libc::SIGALRM) >= 1);
        assert!(!signal::is_blocked(libc::SIGALRM));
    });
}

#[test]
fn a_ready_descriptor_wins_over_a_signal_that_only_the_mask_lets_in() {
    child::run(|| {
        signal::count(libc::SIGUSR1, 0);
        signal::block(&[libc::SIGUSR1]);
        signal::raise(libc::SIGUSR1);
        let (_reader, writer) = fd::pipe();
        let (result, _) = ppoll(&mut [entry(writer.number(), POLLOUT)], None, Some(0));
        assert_eq!((result, signal::seen(libc::SIGUSR1)), (Ok(1), 0));
        assert!(signal::is_blocked(libc::SIGUSR1) && signal::is_pending(libc::SIGUSR1));
    });
}

#[test]
fn the_mask_is_restored_after_a_fault() {
    child::run(|| {
        signal::block(&[libc::SIGUSR1]);
        let (mask, zero) = (0_u64, [0_u64; 2]);
        let arguments = [UNMAPPED, 1, zero.as_ptr() as usize, &raw const mask as usize, 8];
        // SAFETY: nothing is mapped there.
        assert_eq!(unsafe { sys::call(libc::SYS_ppoll, arguments) }, Err(Errno::EFAULT));
        assert!(signal::is_blocked(libc::SIGUSR1));
    });
}
