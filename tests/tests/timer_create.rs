//! timer_create(2), timer_settime(2), timer_gettime(2), timer_delete(2): POSIX timers.

use std::ptr;
use std::time::Duration;

use libc::{
    CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, SIGRTMIN, SIGUSR1, itimerspec, sigevent, timer_t,
    timespec,
};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, child, signal, sys};

fn spec(duration: Duration) -> timespec {
    timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() }
}

/// Makes a timer that sends `signal` with `value`.
fn create(clock: i32, way: i32, signal: i32, value: usize) -> Result<usize, Errno> {
    // SAFETY: zeroes are a valid event, and both are ours.
    unsafe {
        let mut event: sigevent = std::mem::zeroed();
        event.sigev_notify = way;
        event.sigev_signo = signal;
        event.sigev_value.sival_ptr = ptr::without_provenance_mut(value);
        let mut id: timer_t = ptr::null_mut();
        let event = &raw const event as usize;
        sys::call(libc::SYS_timer_create, [clock as usize, event, &raw mut id as usize])?;
        // The kernel's number is an int.
        Ok((&raw const id).cast::<i32>().read() as usize)
    }
}

fn set(id: usize, first: Duration, interval: Duration) -> Result<usize, Errno> {
    let new = itimerspec { it_interval: spec(interval), it_value: spec(first) };
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_timer_settime, [id, 0, &raw const new as usize, 0]) }
}

fn left(id: usize) -> Result<Duration, Errno> {
    let mut now = itimerspec { it_interval: spec(ms(0)), it_value: spec(ms(0)) };
    // SAFETY: the result is ours.
    unsafe { sys::call(libc::SYS_timer_gettime, [id, &raw mut now as usize])? };
    Ok(Duration::new(now.it_value.tv_sec as u64, now.it_value.tv_nsec as u32))
}

fn overrun(id: usize) -> usize {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_timer_getoverrun, [id]) }.unwrap()
}

#[test]
fn a_timer_sends_its_signal_with_its_value() {
    child::run(|| {
        signal::block(&[SIGRTMIN()]);
        let id = create(CLOCK_MONOTONIC, libc::SIGEV_SIGNAL, SIGRTMIN(), 0x1234_5678).unwrap();
        // SAFETY: zeroes are valid, and all is ours.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let mut wanted: libc::sigset_t = std::mem::zeroed();
            libc::sigaddset(&mut wanted, SIGRTMIN());
            time::at_least(ms(5), || {
                set(id, ms(5), ms(0)).unwrap();
                assert_eq!(libc::sigwaitinfo(&wanted, &mut info), SIGRTMIN());
            });
            assert_eq!(info.si_code, libc::SI_TIMER);
            assert_eq!(info.si_value().sival_ptr.addr(), 0x1234_5678);
        }
        assert_eq!(left(id), Ok(ms(0)));
    });
}

#[test]
fn what_expires_while_the_signal_waits_is_counted() {
    child::run(|| {
        signal::count(SIGUSR1, 0);
        signal::block(&[SIGUSR1]);
        let id = create(CLOCK_MONOTONIC, libc::SIGEV_SIGNAL, SIGUSR1, 0).unwrap();
        set(id, ms(40), ms(40)).unwrap();
        std::thread::sleep(ms(220));
        signal::unblock(&[SIGUSR1]);
        assert_eq!(signal::seen(SIGUSR1), 1);
        let missed = overrun(id);
        assert!((3..=6).contains(&missed), "{missed}");
    });
}

#[test]
fn a_timer_that_tells_nobody_can_be_asked() {
    child::run(|| {
        let id = create(CLOCK_MONOTONIC, libc::SIGEV_NONE, 0, 0).unwrap();
        set(id, Duration::from_secs(100), ms(0)).unwrap();
        let left = left(id).unwrap();
        assert!(left > Duration::from_secs(90) && left <= Duration::from_secs(100), "{left:?}");
    });
}

#[test]
fn processor_time_moves_its_timer() {
    child::run(|| {
        signal::count(SIGUSR1, 0);
        let id = create(CLOCK_PROCESS_CPUTIME_ID, libc::SIGEV_SIGNAL, SIGUSR1, 0).unwrap();
        set(id, ms(20), ms(0)).unwrap();
        std::thread::sleep(ms(40));
        assert_eq!(signal::seen(SIGUSR1), 0, "sleeping is no work");
        time::spin_until(|| signal::seen(SIGUSR1) == 1);
    });
}

#[test]
fn children_and_new_programs_have_no_timers() {
    child::run(|| {
        let id = create(CLOCK_MONOTONIC, libc::SIGEV_NONE, 0, 0).unwrap();
        child::run(|| assert_eq!(left(id), Err(Errno::EINVAL)));
        assert_eq!(left(id), Ok(ms(0)));
    });
}

#[test]
fn wrong_arguments_are_refused() {
    child::run(|| {
        assert_eq!(create(77, libc::SIGEV_SIGNAL, SIGUSR1, 0), Err(Errno::EINVAL));
        assert_eq!(create(CLOCK_MONOTONIC, 99, SIGUSR1, 0), Err(Errno::EINVAL));
        assert_eq!(create(CLOCK_MONOTONIC, libc::SIGEV_SIGNAL, 65, 0), Err(Errno::EINVAL));
        assert_eq!(left(55), Err(Errno::EINVAL));
        // SAFETY: nothing is mapped there, and there is no such timer.
        unsafe {
            let create = sys::call(libc::SYS_timer_create, [CLOCK_MONOTONIC as usize, 0, UNMAPPED]);
            assert_eq!(create, Err(Errno::EFAULT));
            assert_eq!(sys::call(libc::SYS_timer_delete, [55]), Err(Errno::EINVAL));
        }
    });
}
