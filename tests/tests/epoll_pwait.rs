//! epoll_pwait(2), epoll_pwait2(2): waiting with a temporary signal mask, and with nanoseconds.

use std::time::Duration;

use libc::EFD_NONBLOCK;
use pollux_tests::epoll::events::IN;
use pollux_tests::epoll::{self, EVENT_SIZE, Epoll, event};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, child, fd, signal, sys};

fn eventfd(initial: u32) -> Fd {
    fd::eventfd(initial, EFD_NONBLOCK).unwrap()
}

/// Makes an instance with one ready item, whose data are 7.
fn ready() -> (Epoll, Fd) {
    let (epoll, counter) = (Epoll::new(), eventfd(1));
    epoll.add(&counter, IN, 7).unwrap();
    (epoll, counter)
}

#[test]
fn pwait_swaps_the_mask_for_the_wait_only() {
    child::run(|| {
        signal::count(libc::SIGUSR1, 0);
        signal::block(&[libc::SIGUSR1]);
        signal::raise(libc::SIGUSR1);
        let (epoll, counter) = ready();
        let wait = |timeout, mask| epoll::pwait(epoll.number(), 1, timeout, mask);
        assert_eq!(wait(-1, Some(0)), Ok(vec![event(IN, 7)]), "what is ready wins");
        assert_eq!(signal::seen(libc::SIGUSR1), 0);
        counter.read_u64().unwrap();
        assert_eq!(time::at_least(ms(20), || wait(20, None)), Ok(vec![]));
        assert_eq!(wait(-1, Some(0)), Err(Errno::EINTR));
        assert_eq!(signal::seen(libc::SIGUSR1), 1);
        assert!(signal::is_blocked(libc::SIGUSR1));
    });
}

#[test]
fn pwait_refuses_a_bad_mask() {
    let (epoll, _counter) = ready();
    let mut event = [0_u8; EVENT_SIZE];
    let array = event.as_mut_ptr() as usize;
    let mask = 0_u64;
    let mask = &raw const mask as usize;
    let call = |mask, size| {
        let arguments = [epoll.number() as usize, array, 1, 0, mask, size];
        // SAFETY: the array is ours.
        unsafe { sys::call(libc::SYS_epoll_pwait, arguments) }
    };
    assert_eq!(call(mask, 4), Err(Errno::EINVAL));
    assert_eq!(call(UNMAPPED, 8), Err(Errno::EFAULT));
    assert_eq!(call(mask, 8), Ok(1));
    assert_eq!(call(0, 99), Ok(1));
}

#[test]
fn pwait2_has_nanoseconds() {
    let epoll = Epoll::new();
    let timeout = Duration::from_nanos(1_500_001);
    let wait = || epoll::pwait2(epoll.number(), 1, Some(timeout), None);
    assert_eq!(time::at_least(timeout, wait), Ok(vec![]));
    let zero = || epoll::pwait2(epoll.number(), 1, Some(Duration::ZERO), None);
    assert_eq!(time::at_once(zero), Ok(vec![]));
}

#[test]
fn pwait2_without_a_timeout_waits_for_ever() {
    let epoll = Epoll::new();
    let counter = eventfd(0);
    epoll.add(&counter, IN, 1).unwrap();
    let writer = counter.dup().unwrap();
    let write = time::soon(move || writer.write_u64(1));
    assert_eq!(epoll::pwait2(epoll.number(), 1, None, None), Ok(vec![event(IN, 1)]));
    write.join().unwrap().unwrap();
}

#[test]
fn pwait2_takes_a_huge_timeout_and_refuses_a_bad_one() {
    let (epoll, _counter) = ready();
    let huge = Duration::from_secs(i64::MAX as u64);
    assert_eq!(epoll::pwait2(epoll.number(), 1, Some(huge), None), Ok(vec![event(IN, 7)]));
    let mut room = [0_u8; EVENT_SIZE];
    let array = room.as_mut_ptr() as usize;
    let call = |timeout: usize| {
        let arguments = [epoll.number() as usize, array, 1, timeout, 0, 8];
        // SAFETY: the array is ours.
        unsafe { sys::call(libc::SYS_epoll_pwait2, arguments) }
    };
    for (tv_sec, tv_nsec) in [(-1, 0), (0, -1), (0, 1_000_000_000)] {
        let timeout = libc::timespec { tv_sec, tv_nsec };
        assert_eq!(call(&raw const timeout as usize), Err(Errno::EINVAL));
    }
    assert_eq!(call(UNMAPPED), Err(Errno::EFAULT));
}
