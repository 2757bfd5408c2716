//! timerfd_create(2): timers as waitable descriptors.

use std::time::Duration;

use libc::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, POLLIN, POLLOUT, TFD_CLOEXEC, TFD_NONBLOCK,
    TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET,
};
use pollux_tests::epoll::events::{ET, IN};
use pollux_tests::epoll::{Epoll, event};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::{self, Result};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, child, fd, poll, signal};

const ZERO: Duration = Duration::ZERO;

fn create(clock: i32, flags: i32) -> Result<Fd> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_timerfd_create, [clock as usize, flags as usize]) }
        .map(|number| Fd::from_number(number as i32))
}

fn timer() -> Fd {
    create(CLOCK_MONOTONIC, TFD_NONBLOCK).unwrap()
}

/// Sets a timer; returns the remaining time and the interval that it had.
fn set(timer: &Fd, flags: i32, value: Duration, interval: Duration) -> Result<[Duration; 2]> {
    let new = [time::timespec(interval), time::timespec(value)];
    let mut old = [time::timespec(ZERO); 2];
    let (new, old_at) = (new.as_ptr() as usize, old.as_mut_ptr() as usize);
    let arguments = [timer.number() as usize, flags as usize, new, old_at];
    // SAFETY: all that the kernel writes is ours.
    unsafe { sys::call(libc::SYS_timerfd_settime, arguments)? };
    Ok([time::duration(old[1]), time::duration(old[0])])
}

fn get(timer: &Fd) -> Result<[Duration; 2]> {
    let mut now = [time::timespec(ZERO); 2];
    let arguments = [timer.number() as usize, now.as_mut_ptr() as usize];
    // SAFETY: all that the kernel writes is ours.
    unsafe { sys::call(libc::SYS_timerfd_gettime, arguments)? };
    Ok([time::duration(now[1]), time::duration(now[0])])
}

fn now(clock: i32) -> Duration {
    let mut now = time::timespec(ZERO);
    // SAFETY: the time is ours.
    assert_eq!(unsafe { libc::clock_gettime(clock, &mut now) }, 0);
    time::duration(now)
}

#[test]
fn a_timer_expires_once_and_no_earlier() {
    for clock in [CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME] {
        let timer = create(clock, 0).unwrap();
        let wait = || {
            set(&timer, 0, ms(20), ZERO).unwrap();
            timer.read_u64()
        };
        assert_eq!(time::at_least(ms(20), wait), Ok(1));
        timer.set_flags(libc::O_NONBLOCK).unwrap();
        assert_eq!(timer.read_u64(), Err(Errno::EAGAIN));
        assert_eq!(get(&timer), Ok([ZERO; 2]));
    }
}

#[test]
fn an_interval_counts_what_was_not_read() {
    let timer = timer();
    let wait = || {
        set(&timer, 0, ms(5), ms(5)).unwrap();
        std::thread::sleep(ms(32));
        timer.read_u64().unwrap()
    };
    let (count, took) = time::measure(wait);
    assert!(count >= 6, "{count}");
    assert!(u128::from(count) <= took.as_millis() / 5, "{count} in {took:?}");
    assert_eq!(get(&timer).unwrap()[1], ms(5));
}

#[test]
fn nanoseconds_count() {
    let timer = create(CLOCK_MONOTONIC, 0).unwrap();
    let length = Duration::from_nanos(1_500_001);
    let wait = || {
        set(&timer, 0, length, ZERO).unwrap();
        timer.read_u64()
    };
    assert_eq!(time::at_least(length, wait), Ok(1));
}

#[test]
fn an_absolute_time_is_one_of_its_clock() {
    for clock in [CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME] {
        let timer = create(clock, 0).unwrap();
        let until = now(clock) + ms(20);
        set(&timer, TFD_TIMER_ABSTIME, until, ZERO).unwrap();
        assert_eq!(timer.read_u64(), Ok(1));
        assert!(now(clock) >= until);
    }
}

#[test]
fn a_time_in_the_past_has_expired() {
    let timer = timer();
    set(&timer, TFD_TIMER_ABSTIME, Duration::from_nanos(1), ZERO).unwrap();
    let mut entries = [poll::entry(timer.number(), POLLIN)];
    assert_eq!(time::at_once(|| poll::poll(&mut entries, -1)), Ok(1));
    assert_eq!(timer.read_u64(), Ok(1));
    let ten_ago = now(CLOCK_MONOTONIC).saturating_sub(ms(100));
    set(&timer, TFD_TIMER_ABSTIME, ten_ago, ms(10)).unwrap();
    poll::poll(&mut entries, -1).unwrap();
    assert!(timer.read_u64().unwrap() >= 10);
}

#[test]
fn setting_returns_what_was_set_and_getting_what_is_left() {
    let timer = timer();
    let hundred = Duration::from_secs(100);
    assert_eq!(set(&timer, 0, hundred, ms(7)), Ok([ZERO; 2]));
    let [left, interval] = get(&timer).unwrap();
    assert!(left <= hundred && left > hundred - Duration::from_secs(10));
    assert_eq!(interval, ms(7));
    let [left, interval] = set(&timer, 0, ZERO, ms(9)).unwrap();
    assert!(left <= hundred && left > hundred - Duration::from_secs(10));
    assert_eq!(interval, ms(7));
    assert_eq!(get(&timer).unwrap()[0], ZERO, "zero disarms");
}

#[test]
fn setting_forgets_what_was_not_read() {
    let timer = timer();
    set(&timer, 0, Duration::from_nanos(1), ZERO).unwrap();
    poll::poll(&mut [poll::entry(timer.number(), POLLIN)], -1).unwrap();
    set(&timer, 0, Duration::from_secs(100), ZERO).unwrap();
    assert_eq!(timer.read_u64(), Err(Errno::EAGAIN));
    assert_eq!(poll::ready(&timer, POLLIN), 0);
}

#[test]
fn it_is_readable_when_expired_and_never_writable() {
    let timer = timer();
    assert_eq!(poll::ready(&timer, POLLIN | POLLOUT), 0);
    set(&timer, 0, ms(200), ZERO).unwrap();
    assert_eq!(poll::ready(&timer, POLLIN | POLLOUT), 0);
    let mut entries = [poll::entry(timer.number(), POLLIN | POLLOUT)];
    assert_eq!(poll::poll(&mut entries, -1), Ok(1));
    assert_eq!(entries[0].revents, POLLIN);
    assert_eq!(timer.read_u64(), Ok(1));
    assert_eq!(poll::ready(&timer, POLLIN | POLLOUT), 0);
    assert_eq!(timer.write_u64(1), Err(Errno::EINVAL));
}

#[test]
fn each_expiration_is_an_edge() {
    let timer = timer();
    let epoll = Epoll::new();
    epoll.add(&timer, IN | ET, 7).unwrap();
    for _ in 0..3 {
        set(&timer, 0, ms(200), ZERO).unwrap();
        assert_eq!(epoll.now(), []);
        assert_eq!(epoll.wait(8, -1), Ok(vec![event(IN, 7)]));
        assert_eq!(epoll.now(), []);
    }
}

#[test]
fn a_disarmed_timer_does_not_expire() {
    let timer = timer();
    set(&timer, 0, ms(10), ms(10)).unwrap();
    set(&timer, 0, ZERO, ZERO).unwrap();
    assert_eq!(poll::poll(&mut [poll::entry(timer.number(), POLLIN)], 40), Ok(0));
}

#[test]
fn a_short_buffer_is_einval() {
    let timer = timer();
    assert_eq!(timer.read(7), Err(Errno::EINVAL));
    set(&timer, 0, Duration::from_nanos(1), ZERO).unwrap();
    poll::poll(&mut [poll::entry(timer.number(), POLLIN)], -1).unwrap();
    assert_eq!(timer.read(7), Err(Errno::EINVAL));
    assert_eq!(timer.read(100).unwrap(), 1_u64.to_ne_bytes());
}

#[test]
fn bad_arguments_are_refused() {
    assert_eq!(create(99, 0), Err(Errno::EINVAL));
    assert_eq!(create(libc::CLOCK_PROCESS_CPUTIME_ID, 0), Err(Errno::EINVAL));
    assert_eq!(create(CLOCK_MONOTONIC, 1), Err(Errno::EINVAL));
    let timer = timer();
    assert_eq!(set(&timer, 1 << 5, ms(1), ZERO), Err(Errno::EINVAL));
    let event = fd::eventfd(0, 0).unwrap();
    assert_eq!(set(&event, 0, ms(1), ZERO), Err(Errno::EINVAL));
    assert_eq!(get(&event), Err(Errno::EINVAL));
    let number = timer.number() as usize;
    let raw = |number, arguments: [usize; 4]| {
        // SAFETY: nothing is mapped where the kernel is told to write.
        unsafe { sys::call(number, arguments) }
    };
    let bad: [[i64; 4]; 4] =
        [[0, 0, -1, 0], [0, 0, 0, -1], [0, 0, 0, 1_000_000_000], [0, 1_000_000_000, 0, 1]];
    for value in bad {
        let arguments = [number, 0, value.as_ptr() as usize, 0];
        assert_eq!(raw(libc::SYS_timerfd_settime, arguments), Err(Errno::EINVAL));
    }
    assert_eq!(raw(libc::SYS_timerfd_settime, [number, 0, UNMAPPED, 0]), Err(Errno::EFAULT));
    assert_eq!(raw(libc::SYS_timerfd_gettime, [number, UNMAPPED, 0, 0]), Err(Errno::EFAULT));
    assert_eq!(raw(libc::SYS_timerfd_gettime, [999, UNMAPPED, 0, 0]), Err(Errno::EBADF));
}

#[test]
fn flags_are_kept_and_cancel_on_set_is_accepted() {
    let timer = create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK).unwrap();
    assert_eq!(timer.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
    assert_eq!(timer.read_u64(), Err(Errno::EAGAIN));
    let flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
    set(&timer, flags, now(CLOCK_REALTIME) + ms(5), ZERO).unwrap();
    assert_eq!(poll::poll(&mut [poll::entry(timer.number(), POLLIN)], -1), Ok(1));
    assert_eq!(timer.read_u64(), Ok(1));
}

#[test]
fn a_signal_ends_a_blocked_read_with_eintr() {
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        let timer = create(CLOCK_MONOTONIC, 0).unwrap();
        assert_eq!(signal::interrupted(ms(20), || timer.read_u64()), Err(Errno::EINTR));
    });
}

#[test]
fn a_child_shares_the_timer() {
    let timer = create(CLOCK_MONOTONIC, 0).unwrap();
    child::run(|| {
        set(&timer, 0, ms(20), ZERO).unwrap();
    });
    assert_eq!(timer.read_u64(), Ok(1));
}

#[test]
fn a_hundred_timers_expire_in_order() {
    let epoll = Epoll::new();
    let timers: Vec<_> = (0..100).map(|_| timer()).collect();
    let start = now(CLOCK_MONOTONIC) + ms(50);
    for (index, timer) in timers.iter().enumerate().rev() {
        epoll.add(timer, IN | ET, index as u64).unwrap();
        let until = start + Duration::from_micros(500) * index as u32;
        set(timer, TFD_TIMER_ABSTIME, until, ZERO).unwrap();
    }
    let mut order = Vec::new();
    while order.len() < 100 {
        order.extend(epoll.wait(100, -1).unwrap().iter().map(|event| event.data));
    }
    assert!(order.is_sorted(), "{order:?}");
}
