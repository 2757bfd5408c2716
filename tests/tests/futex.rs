//! futex(2): sleeping on a word of memory, and waking the sleepers.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use libc::{FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET};
use pollux_tests::memory::{self, Pages, UNMAPPED};
use pollux_tests::sys::{self, Result};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, child, signal};

/// Calls futex(2) with raw arguments.
fn raw(
    word: usize,
    operation: i32,
    value: u32,
    timeout: usize,
    second: usize,
    third: u32,
) -> Result<usize> {
    let arguments = [word, operation as usize, value as usize, timeout, second, third as usize];
    // SAFETY: the words are the tests' or nobody's.
    unsafe { sys::call(libc::SYS_futex, arguments) }
}

fn address(word: &AtomicU32) -> usize {
    word.as_ptr() as usize
}

fn wait(word: &AtomicU32, value: u32, timeout: Option<Duration>) -> Result<usize> {
    let timeout = timeout.map(time::timespec);
    let timeout = timeout.as_ref().map_or(0, |timeout| &raw const *timeout as usize);
    raw(address(word), FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value, timeout, 0, 0)
}

fn wake(word: &AtomicU32, count: u32) -> usize {
    raw(address(word), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, 0, 0, 0).unwrap()
}

/// Wakes `count` waiters in total, retrying until they wait.
fn wake_all(word: &AtomicU32, count: usize) {
    let mut woken = 0;
    while woken < count {
        woken += wake(word, 1);
        thread::yield_now();
    }
}

#[test]
fn another_value_than_expected_is_eagain_at_once() {
    let word = AtomicU32::new(5);
    assert_eq!(time::at_once(|| wait(&word, 4, None)), Err(Errno::EAGAIN));
}

#[test]
fn a_timeout_is_etimedout_and_no_earlier() {
    let word = AtomicU32::new(0);
    for length in [Duration::ZERO, Duration::from_micros(1500), ms(20)] {
        let result = time::at_least(length, || wait(&word, 0, Some(length)));
        assert_eq!(result, Err(Errno::ETIMEDOUT));
    }
}

#[test]
fn waking_nobody_returns_zero() {
    let word = AtomicU32::new(0);
    assert_eq!(wake(&word, 1), 0);
    assert_eq!(wake(&word, i32::MAX as u32), 0);
}

#[test]
fn a_waiter_is_woken() {
    let word = Arc::new(AtomicU32::new(0));
    let waker = word.clone();
    let waking = time::soon(move || wake_all(&waker, 1));
    assert_eq!(wait(&word, 0, None), Ok(0));
    waking.join().unwrap();
}

#[test]
fn as_many_are_woken_as_asked_for() {
    let word = AtomicU32::new(0);
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..5).map(|_| scope.spawn(|| wait(&word, 0, None))).collect();
        time::settle();
        assert_eq!(wake(&word, 2), 2);
        assert_eq!(wake(&word, 10), 3);
        assert_eq!(wake(&word, 10), 0);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(0));
        }
    });
}

#[test]
fn waiters_of_other_words_sleep_on() {
    let words = [const { AtomicU32::new(0) }; 2];
    thread::scope(|scope| {
        let waiter = scope.spawn(|| wait(&words[0], 0, None));
        time::settle();
        assert_eq!(wake(&words[1], 10), 0);
        assert_eq!(wake(&words[0], 10), 1);
        waiter.join().unwrap().unwrap();
    });
}

#[test]
fn a_bitset_chooses_whom_to_wake() {
    let word = AtomicU32::new(0);
    let wait = |bits| raw(address(&word), FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, 0, 0, bits);
    let wake = |bits| raw(address(&word), FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 10, 0, 0, bits);
    thread::scope(|scope| {
        let odd = scope.spawn(|| wait(1));
        let even = scope.spawn(|| wait(2));
        time::settle();
        assert_eq!(wake(4), Ok(0));
        assert_eq!(wake(2), Ok(1));
        assert_eq!(even.join().unwrap(), Ok(0));
        assert_eq!(wake(3), Ok(1));
        assert_eq!(odd.join().unwrap(), Ok(0));
    });
    assert_eq!(wait(0), Err(Errno::EINVAL));
    assert_eq!(wake(0), Err(Errno::EINVAL));
}

#[test]
fn the_timeout_of_a_bitset_wait_is_a_time_of_a_clock() {
    let word = AtomicU32::new(0);
    for (flag, clock) in
        [(0, libc::CLOCK_MONOTONIC), (libc::FUTEX_CLOCK_REALTIME, libc::CLOCK_REALTIME)]
    {
        let mut now = time::timespec(Duration::ZERO);
        // SAFETY: the time is ours.
        unsafe { libc::clock_gettime(clock, &mut now) };
        let until = time::timespec(time::duration(now) + ms(20));
        let operation = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | flag;
        let until = &raw const until as usize;
        let wait = || raw(address(&word), operation, 0, until, 0, u32::MAX);
        assert_eq!(time::at_least(ms(19), wait), Err(Errno::ETIMEDOUT));
        assert_eq!(time::at_once(wait), Err(Errno::ETIMEDOUT), "the time has passed");
    }
}

#[test]
fn waiters_move_to_another_word_when_requeued() {
    let words = [const { AtomicU32::new(0) }; 2];
    let requeue = |value: u32| {
        let operation = libc::FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG;
        raw(address(&words[0]), operation, 1, 10, address(&words[1]), value)
    };
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..3).map(|_| scope.spawn(|| wait(&words[0], 0, None))).collect();
        time::settle();
        assert_eq!(requeue(7), Err(Errno::EAGAIN));
        assert_eq!(requeue(0), Ok(3), "one woken, two moved");
        assert_eq!(wake(&words[0], 10), 0);
        assert_eq!(wake(&words[1], 10), 2);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(0));
        }
    });
}

#[test]
fn a_signal_ends_a_wait_with_eintr() {
    child::run(|| {
        let word = AtomicU32::new(0);
        signal::count(libc::SIGALRM, 0);
        assert_eq!(signal::interrupted(ms(20), || wait(&word, 0, None)), Err(Errno::EINTR));
    });
}

#[test]
fn sa_restart_lets_only_a_wait_without_a_timeout_go_on() {
    child::run(|| {
        let word = Arc::new(AtomicU32::new(0));
        signal::count(libc::SIGALRM, libc::SA_RESTART);
        let hundred = Some(Duration::from_secs(100));
        assert_eq!(signal::interrupted(ms(10), || wait(&word, 0, hundred)), Err(Errno::EINTR));
        signal::block(&[libc::SIGALRM]);
        let waker = word.clone();
        let waking = time::soon(move || wake_all(&waker, 1));
        signal::unblock(&[libc::SIGALRM]);
        assert_eq!(signal::interrupted(ms(5), || wait(&word, 0, None)), Ok(0));
        assert!(signal::seen(libc::SIGALRM) >= 2);
        waking.join().unwrap();
    });
}

#[test]
fn bad_addresses_are_refused() {
    let private_wait = FUTEX_WAIT | FUTEX_PRIVATE_FLAG;
    for operation in [private_wait, FUTEX_WAIT] {
        assert_eq!(raw(UNMAPPED, operation, 0, 0, 0, 0), Err(Errno::EFAULT));
        assert_eq!(raw(0, operation, 0, 0, 0, 0), Err(Errno::EFAULT));
        assert_eq!(raw(memory::KERNEL, operation, 0, 0, 0, 0), Err(Errno::EFAULT));
    }
    let word = AtomicU32::new(0);
    assert_eq!(raw(address(&word) + 1, private_wait, 0, 0, 0, 0), Err(Errno::EINVAL));
    assert_eq!(raw(address(&word), private_wait, 0, UNMAPPED, 0, 0), Err(Errno::EFAULT));
    assert_eq!(raw(UNMAPPED, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0), Ok(0), "never read");
}

#[test]
fn bad_timeouts_and_operations_are_refused() {
    let word = AtomicU32::new(0);
    for (tv_sec, tv_nsec) in [(-1, 0), (0, -1), (0, 1_000_000_000)] {
        let timeout = libc::timespec { tv_sec, tv_nsec };
        let timeout = &raw const timeout as usize;
        assert_eq!(raw(address(&word), FUTEX_WAIT, 0, timeout, 0, 0), Err(Errno::EINVAL));
    }
    assert_eq!(raw(address(&word), 99, 0, 0, 0, 0), Err(Errno::ENOSYS));
}

#[test]
fn a_shared_word_works_between_processes() {
    let page = memory::map_shared(1).unwrap();
    // SAFETY: the page is ours and lives as long as the test.
    let word = unsafe { &*(page as *const AtomicU32) };
    let child = child::spawn(|| {
        while word.load(Ordering::SeqCst) == 0 {
            let result = raw(address(word), FUTEX_WAIT, 0, 0, 0, 0);
            assert!(matches!(result, Ok(0) | Err(Errno::EAGAIN)), "{result:?}");
        }
    });
    time::settle();
    word.store(1, Ordering::SeqCst);
    raw(address(word), FUTEX_WAKE, 1, 0, 0, 0).unwrap();
    child.join();
    memory::unmap(page, 1);
}

#[test]
fn a_private_word_is_not_the_childs() {
    let word = AtomicU32::new(0);
    let child = child::spawn(|| {
        assert_eq!(wait(&word, 0, Some(ms(100))), Err(Errno::ETIMEDOUT));
    });
    time::settle();
    assert_eq!(wake(&word, 10), 0);
    child.join();
}

#[test]
fn a_word_in_a_page_that_was_never_touched_is_zero() {
    let pages = Pages::before_hole(1);
    let result = raw(pages.start(), FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
    assert_eq!(result, Err(Errno::EAGAIN));
}

#[test]
fn no_wake_is_lost_between_two_threads() {
    let word = AtomicU32::new(0);
    let turn = |mine: u32, rounds: u32| {
        for round in 0..rounds {
            let until = 2 * round + mine;
            loop {
                let now = word.load(Ordering::SeqCst);
                if now == until {
                    break;
                }
                let _ = wait(&word, now, None);
            }
            word.store(until + 1, Ordering::SeqCst);
            wake(&word, 1);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| turn(0, 2000));
        scope.spawn(|| turn(1, 2000));
    });
    assert_eq!(word.load(Ordering::SeqCst), 4000);
}

#[test]
fn a_thread_that_ends_clears_its_word_and_wakes_who_joins_it() {
    for length in [Duration::ZERO, ms(20)] {
        let thread = thread::spawn(move || thread::sleep(length));
        time::at_least(length, || thread.join()).unwrap();
    }
}
