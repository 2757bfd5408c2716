//! clock_getcpuclockid(3), pthread_getcpuclockid(3): processor time of others, read, slept for, and measured by timers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libc::{
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, TIMER_ABSTIME,
};
use pollux_tests::child::{self, Child};
use pollux_tests::sys::Result;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, signal, sys};

/// User and system time by ticks, user time by ticks, and all time exactly.
const PROF: i32 = 0;
const VIRT: i32 = 1;
const SCHED: i32 = 2;

const fn of_process(pid: i32, kind: i32) -> i32 {
    !pid << 3 | kind
}

const fn of_thread(tid: i32, kind: i32) -> i32 {
    !tid << 3 | 4 | kind
}

fn ask(number: libc::c_long, clock: i32) -> Result<Duration> {
    let mut told = time::timespec(ms(0));
    // SAFETY: the result is ours.
    unsafe { sys::call(number, [clock as usize, &raw mut told as usize])? };
    Ok(time::duration(told))
}

fn now(clock: i32) -> Result<Duration> {
    ask(libc::SYS_clock_gettime, clock)
}

fn sleep(clock: i32, flags: i32, request: Duration) -> Result<()> {
    let request = time::timespec(request);
    let arguments = [clock as usize, flags as usize, &raw const request as usize, 0];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_clock_nanosleep, arguments) }.map(drop)
}

/// Makes a timer on `clock` that sends `SIGUSR1`.
fn timer(clock: i32) -> Result<usize> {
    let event = [7, 0, SIGUSR1, SIGEV_SIGNAL, 0, 0];
    let mut id = -1_i32;
    let arguments = [clock as usize, event.as_ptr() as usize, &raw mut id as usize];
    // SAFETY: all is ours.
    unsafe { sys::call(libc::SYS_timer_create, arguments)? };
    Ok(id as usize)
}

fn set(id: usize, flags: i32, first: Duration) {
    let new = [time::timespec(ms(0)), time::timespec(first)];
    let arguments = [id, flags as usize, new.as_ptr() as usize, 0];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_timer_settime, arguments) }.unwrap();
}

/// Waits for `SIGUSR1`, which is blocked.
fn take(limit: Duration) -> Result<usize> {
    let (set, limit) = (signal::mask(&[SIGUSR1]), time::timespec(limit));
    let arguments = [&raw const set as usize, 0, &raw const limit as usize, 8];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_rt_sigtimedwait, arguments) }
}

fn work(amount: Duration) {
    let end = Instant::now() + amount;
    time::spin_until(|| Instant::now() >= end);
}

fn busy_child() -> Child {
    child::spawn(|| {
        loop {
            core::hint::spin_loop();
        }
    })
}

fn idle_child() -> Child {
    child::spawn(|| {
        loop {
            thread::park();
        }
    })
}

/// A thread that works until it is told to stop.
struct Worker {
    tid: i32,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Worker {
    fn start() -> Self {
        let (tell, told) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            tell.send(sys::gettid()).unwrap();
            time::spin_until(|| until.load(Ordering::Relaxed));
        });
        Self { tid: told.recv().unwrap(), stop, thread }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

#[test]
fn the_clock_of_another_process_counts_its_work() {
    let busy = busy_child();
    let idle = idle_child();
    let clock = of_process(busy.pid(), SCHED);
    time::spin_until(|| now(clock).unwrap() > ms(30));
    time::settle();
    let before = now(of_process(idle.pid(), SCHED)).unwrap();
    thread::sleep(ms(50));
    assert_eq!(now(of_process(idle.pid(), SCHED)), Ok(before));
    assert!(
        now(of_process(busy.pid(), VIRT)).unwrap() <= now(of_process(busy.pid(), PROF)).unwrap()
    );
}

#[test]
fn clocks_by_ticks_are_coarser() {
    let me = sys::getpid();
    assert_eq!(ask(libc::SYS_clock_getres, of_process(me, SCHED)), Ok(Duration::from_nanos(1)));
    assert_eq!(ask(libc::SYS_clock_getres, of_process(me, PROF)), Ok(ms(4)));
    assert_eq!(ask(libc::SYS_clock_getres, of_process(0, VIRT)), Ok(ms(4)));
}

#[test]
fn only_threads_of_the_caller_have_a_clock() {
    let other = idle_child();
    assert_eq!(now(of_thread(other.pid(), SCHED)), Err(Errno::EINVAL));
    let worker = Worker::start();
    time::spin_until(|| now(of_thread(worker.tid, SCHED)).unwrap() > ms(20));
    // A thread's ID stands for no process.
    assert_eq!(now(of_process(worker.tid, SCHED)), Err(Errno::EINVAL));
    let tid = worker.tid;
    worker.end();
    // It is joined a little before it is gone.
    time::spin_until(|| now(of_thread(tid, SCHED)) == Err(Errno::EINVAL));
    assert_eq!(now(of_process(i32::MAX >> 4, SCHED)), Err(Errno::EINVAL));
    assert_eq!(now(of_process(0, 3)), Err(Errno::EINVAL));
    assert_eq!(now(of_thread(0, 3)), Err(Errno::EINVAL));
    // The caller's own ID, though it is not the first thread's.
    let own = thread::spawn(|| now(of_process(sys::gettid(), SCHED)).is_ok());
    assert!(own.join().unwrap());
}

#[test]
fn a_timer_measures_another_process() {
    child::run(|| {
        signal::block(&[SIGUSR1]);
        let (busy, idle) = (busy_child(), idle_child());
        let id = timer(of_process(idle.pid(), SCHED)).unwrap();
        set(id, 0, ms(10));
        let clock = of_process(busy.pid(), SCHED);
        let id = timer(clock).unwrap();
        let start = now(clock).unwrap();
        set(id, 0, ms(50));
        assert_eq!(take(Duration::from_secs(20)), Ok(SIGUSR1 as usize));
        assert!(now(clock).unwrap() - start >= ms(50));
        assert_eq!(take(ms(100)), Err(Errno::EAGAIN), "the other does not work");
        set(id, TIMER_ABSTIME, now(clock).unwrap() + ms(30));
        assert_eq!(take(Duration::from_secs(20)), Ok(SIGUSR1 as usize));
        set(id, TIMER_ABSTIME, ms(1));
        assert_eq!(take(Duration::from_secs(20)), Ok(SIGUSR1 as usize), "long ago");
    });
}

#[test]
fn a_timer_measures_a_thread() {
    child::run(|| {
        signal::block(&[SIGUSR1]);
        let own = timer(CLOCK_THREAD_CPUTIME_ID).unwrap();
        set(own, 0, ms(30));
        let worker = Worker::start();
        assert_eq!(take(ms(100)), Err(Errno::EAGAIN), "this thread sleeps");
        let other = timer(of_thread(worker.tid, SCHED)).unwrap();
        set(other, 0, ms(30));
        assert_eq!(take(Duration::from_secs(20)), Ok(SIGUSR1 as usize));
        worker.end();
        work(ms(60));
        assert_eq!(take(Duration::from_secs(20)), Ok(SIGUSR1 as usize));
        let stranger = idle_child();
        assert_eq!(timer(of_thread(stranger.pid(), SCHED)), Err(Errno::EINVAL));
    });
}

#[test]
fn a_sleep_lasts_until_another_has_worked() {
    let busy = busy_child();
    let clock = of_process(busy.pid(), SCHED);
    let start = now(clock).unwrap();
    assert_eq!(sleep(clock, 0, ms(50)), Ok(()));
    assert!(now(clock).unwrap() - start >= ms(50));
    assert_eq!(sleep(clock, TIMER_ABSTIME, now(clock).unwrap() + ms(20)), Ok(()));
    assert_eq!(time::at_once(|| sleep(clock, TIMER_ABSTIME, ms(1))), Ok(()));
    child::run(move || {
        signal::count(libc::SIGALRM, 0);
        let idle = idle_child();
        time::settle();
        let asleep =
            signal::interrupted(ms(50), || sleep(of_process(idle.pid(), SCHED), 0, ms(100)));
        assert_eq!(asleep, Err(Errno::EINTR));
    });
}

#[test]
fn a_sleep_lasts_until_the_process_or_a_thread_has_worked() {
    child::run(|| {
        let worker = Worker::start();
        let start = now(CLOCK_PROCESS_CPUTIME_ID).unwrap();
        assert_eq!(sleep(CLOCK_PROCESS_CPUTIME_ID, 0, ms(30)), Ok(()));
        assert!(now(CLOCK_PROCESS_CPUTIME_ID).unwrap() - start >= ms(30));
        assert_eq!(sleep(of_thread(worker.tid, SCHED), 0, ms(30)), Ok(()));
        worker.end();
        // Nobody can sleep until it has worked itself.
        assert_eq!(sleep(CLOCK_THREAD_CPUTIME_ID, 0, ms(1)), Err(Errno::EOPNOTSUPP));
        assert_eq!(sleep(of_thread(sys::gettid(), SCHED), 0, ms(1)), Err(Errno::EINVAL));
        assert_eq!(sleep(of_thread(0, SCHED), 0, ms(1)), Err(Errno::EINVAL));
    });
}

#[test]
fn clocks_that_are_only_read_have_no_timers() {
    for clock in
        [libc::CLOCK_MONOTONIC_RAW, libc::CLOCK_REALTIME_COARSE, libc::CLOCK_MONOTONIC_COARSE]
    {
        assert_eq!(timer(clock), Err(Errno::EOPNOTSUPP));
        assert_eq!(sleep(clock, 0, ms(1)), Err(Errno::EOPNOTSUPP));
    }
}
