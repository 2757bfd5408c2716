//! setitimer(2), alarm(2): signals after an interval.

use std::time::Duration;

use libc::SIGALRM;
use pollux_tests::child::{self, Status};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, signal, sys};

#[test]
fn an_alarm_kills_by_default() {
    let status = child::status(|| {
        signal::alarm(ms(10));
        time::spin_until(|| false);
    });
    assert_eq!(status, Status::Killed(SIGALRM));
}

#[test]
fn a_timer_repeats_until_it_is_called_off() {
    child::run(|| {
        signal::count(SIGALRM, 0);
        let wait = || {
            signal::alarm_every(ms(5), ms(5));
            time::spin_until(|| signal::seen(SIGALRM) >= 5);
        };
        time::at_least(ms(25), wait);
        signal::alarm(Duration::ZERO);
        let seen = signal::seen(SIGALRM);
        time::settle();
        assert_eq!(signal::seen(SIGALRM), seen);
    });
}

#[test]
fn a_new_alarm_replaces_the_old_one_and_tells_what_was_left() {
    child::run(|| {
        let alarm = |seconds| {
            // SAFETY: no memory is involved.
            unsafe { libc::alarm(seconds) }
        };
        assert_eq!(alarm(100), 0);
        assert!((99..=100).contains(&alarm(50)));
        let mut timer = libc::itimerval {
            it_interval: libc::timeval { tv_sec: 9, tv_usec: 9 },
            it_value: libc::timeval { tv_sec: 9, tv_usec: 9 },
        };
        // SAFETY: the timer is ours.
        assert_eq!(unsafe { libc::getitimer(libc::ITIMER_REAL, &mut timer) }, 0);
        assert!((48..=50).contains(&timer.it_value.tv_sec));
        assert_eq!((timer.it_interval.tv_sec, timer.it_interval.tv_usec), (0, 0));
        assert!((49..=50).contains(&alarm(0)));
        assert_eq!(alarm(0), 0);
    });
}

#[test]
fn setitimer_checks_its_arguments() {
    let set = |which: i32, value: [i64; 4]| {
        let timer = value.as_ptr() as usize;
        // SAFETY: the kernel only reads.
        unsafe { sys::call(libc::SYS_setitimer, [which as usize, timer, 0]) }
    };
    child::run(|| {
        assert_eq!(set(99, [0; 4]), Err(Errno::EINVAL));
        assert_eq!(set(libc::ITIMER_REAL, [0, 0, 0, 1_000_000]), Err(Errno::EINVAL));
        assert_eq!(set(libc::ITIMER_REAL, [0, 0, -1, 0]), Err(Errno::EINVAL));
        assert_eq!(set(libc::ITIMER_REAL, [0, -1, 0, 0]), Err(Errno::EINVAL));
        // SAFETY: nothing is mapped there.
        let fault = unsafe { sys::call(libc::SYS_setitimer, [0, UNMAPPED, 0]) };
        assert_eq!(fault, Err(Errno::EFAULT));
    });
}
