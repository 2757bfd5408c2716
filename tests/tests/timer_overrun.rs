//! timer_create(2), timer_getoverrun(2), setitimer(2): timers whose signal has to wait, and timers of one thread.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use libc::{CLOCK_MONOTONIC, SIGALRM, SIGEV_SIGNAL, SIGEV_THREAD_ID, SIGRTMIN, SIGUSR1};
use pollux_tests::sys::Result;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, child, signal, sys};

const SI_TIMER: i32 = -2;

/// What a signal said: its number, its code, the overruns (or the sender), the value.
type Told = (i32, i32, i32, i32);

/// Takes one of `signals`, which are blocked.
fn take(signals: &[i32], limit: Duration) -> Result<Told> {
    let (set, limit) = (signal::mask(signals), time::timespec(limit));
    let mut info = [0_i32; 32];
    let arguments =
        [&raw const set as usize, info.as_mut_ptr() as usize, &raw const limit as usize, 8];
    // SAFETY: the information is ours.
    unsafe { sys::call(libc::SYS_rt_sigtimedwait, arguments)? };
    Ok((info[0], info[2], info[5], info[6]))
}

/// Makes a timer that sends `signal` with `value`, to the process or to the thread `tid`.
fn create(way: i32, signal: i32, value: i32, tid: i32) -> Result<usize> {
    let event = [value, 0, signal, way, tid, 0];
    let mut id = -1_i32;
    let arguments = [CLOCK_MONOTONIC as usize, event.as_ptr() as usize, &raw mut id as usize];
    // SAFETY: all is ours.
    unsafe { sys::call(libc::SYS_timer_create, arguments)? };
    Ok(id as usize)
}

fn timer(signal: i32, value: i32) -> usize {
    create(SIGEV_SIGNAL, signal, value, 0).unwrap()
}

fn set(id: usize, first: Duration, interval: Duration) {
    let new = [time::timespec(interval), time::timespec(first)];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_timer_settime, [id, 0, new.as_ptr() as usize, 0]) }.unwrap();
}

fn left(id: usize) -> Duration {
    let mut now = [time::timespec(ms(0)); 2];
    // SAFETY: the result is ours.
    unsafe { sys::call(libc::SYS_timer_gettime, [id, now.as_mut_ptr() as usize]) }.unwrap();
    time::duration(now[1])
}

fn overrun(id: usize) -> i32 {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_timer_getoverrun, [id]) }.unwrap() as i32
}

fn delete(id: usize) {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_timer_delete, [id]) }.unwrap();
}

#[test]
fn a_timer_s_signal_queues_behind_a_pending_one() {
    child::run(|| {
        signal::block(&[SIGUSR1]);
        signal::raise(SIGUSR1);
        set(timer(SIGUSR1, 7), ms(5), ms(0));
        thread::sleep(ms(50));
        let first = take(&[SIGUSR1], ms(0)).unwrap();
        assert_eq!((first.0, first.1), (SIGUSR1, libc::SI_TKILL));
        assert_eq!(take(&[SIGUSR1], ms(0)), Ok((SIGUSR1, SI_TIMER, 0, 7)));
        assert_eq!(take(&[SIGUSR1], ms(0)), Err(Errno::EAGAIN));
    });
}

#[test]
fn two_timers_queue_two_signals() {
    child::run(|| {
        signal::block(&[SIGUSR1]);
        set(timer(SIGUSR1, 1), ms(5), ms(0));
        set(timer(SIGUSR1, 2), ms(10), ms(0));
        thread::sleep(ms(60));
        // A signal of kill(2) is not kept beside a pending one.
        signal::send(sys::getpid(), SIGUSR1).unwrap();
        assert_eq!(take(&[SIGUSR1], ms(0)), Ok((SIGUSR1, SI_TIMER, 0, 1)));
        assert_eq!(take(&[SIGUSR1], ms(0)), Ok((SIGUSR1, SI_TIMER, 0, 2)));
        assert_eq!(take(&[SIGUSR1], ms(0)), Err(Errno::EAGAIN));
    });
}

#[test]
fn overruns_are_counted_until_the_signal_is_taken() {
    child::run(|| {
        signal::block(&[SIGUSR1]);
        signal::raise(SIGUSR1);
        let id = timer(SIGUSR1, 0);
        set(id, ms(40), ms(40));
        thread::sleep(ms(220));
        assert_eq!(overrun(id), 0, "nothing was taken yet");
        take(&[SIGUSR1], ms(0)).unwrap();
        let (_, code, missed, _) = take(&[SIGUSR1], ms(0)).unwrap();
        assert_eq!(code, SI_TIMER);
        assert!((3..=6).contains(&missed), "{missed}");
        assert_eq!(overrun(id), missed);
        // The next one is in time.
        assert_eq!(take(&[SIGUSR1], ms(3000)).map(|told| told.1), Ok(SI_TIMER));
    });
}

#[test]
fn a_timer_goes_on_while_its_signal_waits() {
    child::run(|| {
        signal::block(&[SIGRTMIN()]);
        let id = timer(SIGRTMIN(), 0);
        set(id, ms(5), Duration::from_secs(5));
        thread::sleep(ms(50));
        let left = left(id);
        assert!(left > Duration::from_secs(4) && left < Duration::from_secs(5), "{left:?}");
        assert_eq!(take(&[SIGRTMIN()], ms(0)), Ok((SIGRTMIN(), SI_TIMER, 0, 0)));
    });
}

#[test]
fn setting_the_timer_forgets_the_overruns_and_keeps_the_signal() {
    child::run(|| {
        signal::block(&[SIGUSR1]);
        let id = timer(SIGUSR1, 9);
        set(id, ms(5), ms(5));
        thread::sleep(ms(100));
        set(id, Duration::from_secs(100), Duration::from_secs(100));
        assert_eq!(take(&[SIGUSR1], ms(0)), Ok((SIGUSR1, SI_TIMER, 0, 9)));
        assert_eq!(overrun(id), 0);
        assert!(left(id) > Duration::from_secs(90));
    });
}

#[test]
fn a_deleted_timer_leaves_its_signal() {
    child::run(|| {
        signal::block(&[SIGUSR1]);
        let id = timer(SIGUSR1, 1);
        set(id, ms(5), ms(0));
        thread::sleep(ms(50));
        delete(id);
        let next = timer(SIGUSR1, 2);
        set(next, ms(5), ms(0));
        thread::sleep(ms(50));
        assert_eq!(take(&[SIGUSR1], ms(0)), Ok((SIGUSR1, SI_TIMER, 0, 1)));
        assert_eq!(take(&[SIGUSR1], ms(0)), Ok((SIGUSR1, SI_TIMER, 0, 2)));
    });
}

#[test]
fn an_ignored_timer_goes_on() {
    child::run(|| {
        signal::handle(SIGUSR1, 0, libc::SIG_IGN);
        let id = timer(SIGUSR1, 3);
        set(id, ms(10), ms(10));
        thread::sleep(ms(100));
        signal::block(&[SIGUSR1]);
        assert_eq!(take(&[SIGUSR1], ms(3000)).map(|told| (told.1, told.3)), Ok((SI_TIMER, 3)));
    });
}

#[test]
fn a_timer_can_signal_one_thread() {
    child::run(|| {
        signal::block(&[SIGUSR1]);
        let (tell, told) = mpsc::channel();
        let waiter = thread::spawn(move || {
            tell.send(sys::gettid()).unwrap();
            take(&[SIGUSR1], ms(3000))
        });
        let tid = told.recv().unwrap();
        let id = create(SIGEV_THREAD_ID, SIGUSR1, 5, tid).unwrap();
        set(id, ms(50), ms(50));
        assert_eq!(take(&[SIGUSR1], ms(200)), Err(Errno::EAGAIN), "it is not for this thread");
        assert_eq!(waiter.join().unwrap(), Ok((SIGUSR1, SI_TIMER, 0, 5)));
        // The thread is gone: nobody gets the signal, and the timer stays.
        assert_eq!(take(&[SIGUSR1], ms(200)), Err(Errno::EAGAIN));
        assert!(left(id) <= ms(50));
        delete(id);
        assert_eq!(create(SIGEV_THREAD_ID, SIGUSR1, 5, tid), Err(Errno::EINVAL));
        // SAFETY: no memory is involved.
        let parent = unsafe { libc::getppid() };
        assert_eq!(create(SIGEV_THREAD_ID, SIGUSR1, 5, parent), Err(Errno::EINVAL));
        assert_eq!(create(SIGEV_THREAD_ID, 0, 5, sys::gettid()), Err(Errno::EINVAL));
    });
}

/// Returns what getitimer(2) says: the rest and the interval of `ITIMER_REAL`.
fn real() -> (Duration, Duration) {
    let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let mut now = libc::itimerval { it_interval: zero, it_value: zero };
    // SAFETY: the result is ours.
    assert_eq!(unsafe { libc::getitimer(libc::ITIMER_REAL, &mut now) }, 0);
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    (time(now.it_value), time(now.it_interval))
}

#[test]
fn the_real_interval_timer_stands_still_behind_its_signal() {
    child::run(|| {
        signal::block(&[SIGALRM]);
        signal::alarm_every(ms(10), Duration::from_secs(5));
        thread::sleep(ms(100));
        assert_eq!(real(), (ms(0), Duration::from_secs(5)));
        assert_eq!(take(&[SIGALRM], ms(0)).map(|told| told.0), Ok(SIGALRM));
        let (left, _) = real();
        assert!(left > Duration::from_secs(4) && left < Duration::from_secs(5), "{left:?}");
    });
}

#[test]
fn the_real_interval_timer_stands_still_if_its_signal_is_ignored() {
    child::run(|| {
        signal::handle(SIGALRM, 0, libc::SIG_IGN);
        signal::alarm_every(ms(10), ms(10));
        thread::sleep(ms(100));
        assert_eq!(real(), (ms(0), ms(10)));
        // Any such signal that is taken starts it again.
        signal::block(&[SIGALRM]);
        signal::send(sys::getpid(), SIGALRM).unwrap();
        take(&[SIGALRM], ms(0)).unwrap();
        assert_eq!(take(&[SIGALRM], ms(3000)).map(|told| told.1), Ok(0x80));
    });
}
