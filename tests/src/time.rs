//! Checks elapsed time: lower bounds exactly, upper bounds generously.
//!
//! Under software emulation a program may stall for long: an early return is a defect, a late one is
//! only a slow machine.

use core::hint;
use std::thread;
use std::time::{Duration, Instant};

/// The bound for "did not wait": a machine under emulation is never this slow.
pub const AT_ONCE: Duration = Duration::from_secs(1);

/// A time long enough for another thread to reach the call in which it blocks.
pub const SETTLE: Duration = Duration::from_millis(30);

/// Makes a duration of milliseconds.
pub const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Runs `work` and returns its result with the time it took.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// Runs `work`, which must take at least `least`.
#[track_caller]
pub fn at_least<T>(least: Duration, work: impl FnOnce() -> T) -> T {
    let (result, took) = measure(work);
    assert!(took >= least, "returned after {took:?}, not {least:?}");
    result
}

/// Runs `work`, which must not wait.
#[track_caller]
pub fn at_once<T>(work: impl FnOnce() -> T) -> T {
    let (result, took) = measure(work);
    assert!(took < AT_ONCE, "waited {took:?}");
    result
}

/// Runs `wait`, which may wait for `limit` and returns the remaining time. Checks that it deducts no more
/// than the elapsed time.
#[track_caller]
pub fn remaining<T>(
    limit: Duration,
    wait: impl FnOnce() -> (T, Option<Duration>),
) -> (T, Duration) {
    let ((result, left), took) = measure(wait);
    let left = left.expect("a time limit");
    let microsecond = Duration::from_micros(1);
    assert!(
        left <= limit && limit - left <= took + microsecond,
        "{left:?} of {limit:?} in {took:?}"
    );
    (result, left)
}

/// Sleeps so that another thread or process reaches the call in which it blocks.
pub fn settle() {
    thread::sleep(SETTLE);
}

/// Starts a thread that runs `work` once the caller has had the time to block.
pub fn soon<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(move || {
        settle();
        work()
    })
}

/// Spins without a system call until `done`.
pub fn spin_until(done: impl Fn() -> bool) {
    while !done() {
        hint::spin_loop();
    }
}

/// Makes a `timespec` of this length.
pub fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// Returns the length of a `timespec`, which must not be negative.
pub fn duration(timespec: libc::timespec) -> Duration {
    Duration::new(timespec.tv_sec as u64, timespec.tv_nsec as u32)
}

/// Returns whether guest time is the number of instructions: then a loop always takes the same time.
pub fn is_exact() -> bool {
    let spin = || {
        let start = Instant::now();
        for round in 0..100_000_u64 {
            std::hint::black_box(round);
        }
        start.elapsed()
    };
    let times: Vec<_> = (0..12).map(|_| spin()).collect();
    let mut sorted = times.clone();
    sorted.sort_unstable();
    // A tick or two may be in some of them.
    sorted[8] - sorted[0] < sorted[0] / 200
}
