//! clock_gettime(2), nanosleep(2), clock_nanosleep(2): reading clocks and sleeping.

use std::time::{Duration, Instant};

use libc::{CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, TIMER_ABSTIME};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::Result;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, child, signal, sys};

const CLOCKS: [i32; 8] = [
    CLOCK_REALTIME,
    CLOCK_MONOTONIC,
    libc::CLOCK_PROCESS_CPUTIME_ID,
    libc::CLOCK_THREAD_CPUTIME_ID,
    libc::CLOCK_MONOTONIC_RAW,
    libc::CLOCK_REALTIME_COARSE,
    libc::CLOCK_MONOTONIC_COARSE,
    CLOCK_BOOTTIME,
];

/// Makes a call that fills a `timespec`.
fn ask(number: libc::c_long, clock: i32) -> Result<Duration> {
    let mut now = libc::timespec { tv_sec: -1, tv_nsec: -1 };
    // SAFETY: the `timespec` is ours.
    unsafe { sys::call(number, [clock as usize, &raw mut now as usize])? };
    assert!((0..1_000_000_000).contains(&now.tv_nsec) && now.tv_sec >= 0);
    Ok(time::duration(now))
}

fn now(clock: i32) -> Duration {
    ask(libc::SYS_clock_gettime, clock).unwrap()
}

fn nanosleep(request: libc::timespec) -> (Result<usize>, Duration) {
    let mut left = time::timespec(Duration::ZERO);
    let arguments = [&raw const request as usize, &raw mut left as usize];
    // SAFETY: both are ours.
    (unsafe { sys::call(libc::SYS_nanosleep, arguments) }, time::duration(left))
}

fn clock_nanosleep(clock: i32, flags: i32, request: Duration) -> Result<usize> {
    let request = time::timespec(request);
    let arguments = [clock as usize, flags as usize, &raw const request as usize, 0];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_clock_nanosleep, arguments) }
}

#[test]
fn every_clock_goes_forward() {
    for clock in CLOCKS {
        let mut last = now(clock);
        for _ in 0..1000 {
            let next = now(clock);
            assert!(next >= last, "clock {clock}: {next:?} after {last:?}");
            last = next;
        }
    }
}

#[test]
fn the_monotonic_clock_is_finer_than_ten_microseconds() {
    let finest = (0..1000)
        .filter_map(|_| {
            let first = now(CLOCK_MONOTONIC);
            let step = now(CLOCK_MONOTONIC) - first;
            (!step.is_zero()).then_some(step)
        })
        .min();
    assert!(finest.unwrap() < Duration::from_micros(10), "{finest:?}");
}

#[test]
fn all_clocks_that_count_time_count_the_same() {
    let clocks = [CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, libc::CLOCK_MONOTONIC_RAW];
    let before = clocks.map(now);
    let rust = Instant::now();
    std::thread::sleep(ms(100));
    let rust = rust.elapsed();
    for (clock, before) in clocks.into_iter().zip(before) {
        let passed = now(clock) - before;
        assert!(passed >= rust - ms(10), "clock {clock}: {passed:?} of {rust:?}");
    }
}

#[test]
fn every_clock_has_a_resolution() {
    for clock in CLOCKS {
        let resolution = ask(libc::SYS_clock_getres, clock).unwrap();
        assert!(resolution > Duration::ZERO && resolution <= ms(10), "clock {clock}");
    }
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { sys::call(libc::SYS_clock_getres, [CLOCK_MONOTONIC as usize, 0]) }, Ok(0));
}

#[test]
fn unknown_clocks_are_einval() {
    for clock in [99, 15, i32::MAX] {
        assert_eq!(ask(libc::SYS_clock_gettime, clock), Err(Errno::EINVAL));
        assert_eq!(ask(libc::SYS_clock_getres, clock), Err(Errno::EINVAL));
        assert_eq!(clock_nanosleep(clock, 0, ms(1)), Err(Errno::EINVAL));
    }
}

#[test]
fn a_time_that_cannot_be_written_is_efault() {
    for number in [libc::SYS_clock_gettime, libc::SYS_clock_getres] {
        // SAFETY: nothing is mapped there.
        let result = unsafe { sys::call(number, [CLOCK_MONOTONIC as usize, UNMAPPED]) };
        assert_eq!(result, Err(Errno::EFAULT));
    }
}

#[test]
fn the_older_calls_tell_the_same_time() {
    let mut timeval = [0_i64; 2];
    let mut seconds = 0_i64;
    // SAFETY: both are ours.
    unsafe {
        sys::call(libc::SYS_gettimeofday, [timeval.as_mut_ptr() as usize, 0]).unwrap();
        let returned = sys::call(libc::SYS_time, [&raw mut seconds as usize]).unwrap();
        assert_eq!(returned as i64, seconds);
    }
    let now = now(CLOCK_REALTIME).as_secs() as i64;
    assert!((now - timeval[0]).abs() <= 2 && (now - seconds).abs() <= 2);
    assert!((0..1_000_000).contains(&timeval[1]));
}

#[test]
fn the_time_of_day_is_plausible() {
    assert!(now(CLOCK_REALTIME) > Duration::from_secs(1_600_000_000), "after September 2020");
}

#[test]
fn processor_time_passes_while_working_and_not_while_sleeping() {
    let clock = libc::CLOCK_THREAD_CPUTIME_ID;
    let before = now(clock);
    let until = Instant::now() + ms(50);
    while Instant::now() < until {}
    let worked = now(clock) - before;
    assert!(worked > ms(1), "{worked:?}");
    let before = now(clock);
    std::thread::sleep(ms(100));
    let slept = now(clock) - before;
    assert!(slept < ms(90), "{slept:?}");
}

#[test]
fn a_sleep_is_never_too_short() {
    for micros in [0, 1, 50, 700, 3000, 20_000] {
        let length = Duration::from_micros(micros);
        let (result, _) = time::at_least(length, || nanosleep(time::timespec(length)));
        assert_eq!(result, Ok(0));
    }
}

#[test]
fn a_short_sleep_can_take_less_than_a_millisecond() {
    let sleep = || time::measure(|| nanosleep(time::timespec(Duration::from_micros(100)))).1;
    let best = (0..200).map(|_| sleep()).min().unwrap();
    assert!(best < ms(1), "the best of 200 sleeps of 100 µs took {best:?}");
}

#[test]
fn bad_lengths_are_einval() {
    for (tv_sec, tv_nsec) in [(-1, 0), (0, -1), (0, 1_000_000_000)] {
        assert_eq!(nanosleep(libc::timespec { tv_sec, tv_nsec }).0, Err(Errno::EINVAL));
    }
    // SAFETY: the kernel only reads.
    assert_eq!(unsafe { sys::call(libc::SYS_nanosleep, [UNMAPPED, 0]) }, Err(Errno::EFAULT));
}

#[test]
fn a_signal_ends_the_sleep_and_the_rest_is_written() {
    child::run(|| {
        signal::count(libc::SIGALRM, libc::SA_RESTART);
        let hundred = Duration::from_secs(100);
        let sleep = || signal::interrupted(ms(20), || nanosleep(time::timespec(hundred)));
        let (result, left) = time::remaining(hundred, || {
            let (result, left) = sleep();
            (result, Some(left))
        });
        assert_eq!(result, Err(Errno::EINTR));
        assert!(left < hundred);
    });
}

#[test]
fn a_stopped_sleep_goes_on_to_its_end() {
    let child = child::spawn(|| {
        assert_eq!(time::at_least(ms(150), || nanosleep(time::timespec(ms(150)))).0, Ok(0));
    });
    time::settle();
    child.kill(libc::SIGSTOP);
    time::settle();
    child.kill(libc::SIGCONT);
    child.join();
}

#[test]
fn a_sleep_until_a_time_ends_no_earlier() {
    for clock in [CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME] {
        let until = now(clock) + ms(20);
        assert_eq!(clock_nanosleep(clock, TIMER_ABSTIME, until), Ok(0));
        assert!(now(clock) >= until);
    }
}

#[test]
fn a_time_in_the_past_is_no_sleep() {
    let past = now(CLOCK_MONOTONIC) / 2;
    let sleep = || clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, past);
    assert_eq!(time::at_once(sleep), Ok(0));
    let sleep = || clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, Duration::ZERO);
    assert_eq!(time::at_once(sleep), Ok(0));
}

#[test]
fn a_relative_sleep_may_name_its_clock() {
    for clock in [CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME] {
        assert_eq!(time::at_least(ms(5), || clock_nanosleep(clock, 0, ms(5))), Ok(0));
    }
}

#[test]
fn huge_sleeps_do_not_wrap() {
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        let huge = libc::timespec { tv_sec: i64::MAX, tv_nsec: 999_999_999 };
        assert_eq!(signal::interrupted(ms(20), || nanosleep(huge)).0, Err(Errno::EINTR));
        let until = Duration::from_secs(i64::MAX as u64);
        let sleep = || clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, until);
        assert_eq!(signal::interrupted(ms(20), sleep), Err(Errno::EINTR));
    });
}
