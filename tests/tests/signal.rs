//! signal(7), kill(2), sigprocmask(2), sigsuspend(2), setitimer(2): who gets a signal, and when.

use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use libc::{SIGALRM, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{UNMAPPED, last_error};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, fd, limit, signal, sys};

fn kill(pid: i32, signal: i32) -> sys::Result<usize> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_kill, [pid as usize, signal as usize]) }
}

fn spin_until(done: impl Fn() -> bool) {
    while !done() {
        core::hint::spin_loop();
    }
}

#[test]
fn a_fatal_signal_kills() {
    use libc::*;
    let fatal = [
        SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1,
        SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM,
        SIGPROF, SIGIO, SIGPWR, SIGSYS, 34, 64,
    ];
    for number in fatal {
        let status = child::status(|| {
            limit::lower(RLIMIT_CORE, 0);
            if number != SIGKILL {
                signal::default(number);
            }
            signal::raise(number);
        });
        assert_eq!(status, Status::Killed(number));
    }
}

#[test]
fn some_signals_do_nothing_by_default() {
    child::run(|| {
        for number in [SIGCHLD, libc::SIGURG, libc::SIGWINCH, SIGCONT] {
            signal::raise(number);
        }
    });
}

#[test]
fn an_ignored_signal_does_nothing_and_is_not_kept() {
    child::run(|| {
        signal::handle(SIGTERM, 0, libc::SIG_IGN);
        signal::raise(SIGTERM);
        signal::block(&[SIGTERM]);
        signal::raise(SIGTERM);
        assert!(signal::is_pending(SIGTERM), "while blocked it may be handled one day");
        signal::unblock(&[SIGTERM]);
        signal::handle(SIGTERM, 0, libc::SIG_DFL);
    });
}

#[test]
fn ignoring_a_pending_signal_forgets_it() {
    child::run(|| {
        signal::block(&[SIGTERM]);
        signal::raise(SIGTERM);
        signal::handle(SIGTERM, 0, libc::SIG_IGN);
        assert!(!signal::is_pending(SIGTERM));
        signal::default(SIGTERM);
        signal::unblock(&[SIGTERM]);
    });
}

#[test]
fn a_handler_runs_and_the_program_goes_on() {
    child::run(|| {
        signal::count(SIGUSR1, 0);
        for count in 1..=100 {
            signal::raise(SIGUSR1);
            assert_eq!(signal::seen(SIGUSR1), count);
        }
    });
}

#[test]
fn a_blocked_signal_waits_and_counts_once() {
    child::run(|| {
        signal::count(SIGUSR1, 0);
        signal::block(&[SIGUSR1]);
        signal::raise(SIGUSR1);
        kill(sys::getpid(), SIGUSR1).unwrap();
        kill(sys::getpid(), SIGUSR1).unwrap();
        assert_eq!(signal::seen(SIGUSR1), 0);
        assert!(signal::is_pending(SIGUSR1));
        signal::unblock(&[SIGUSR1]);
        // One was sent to the thread, the others to the process.
        assert_eq!(signal::seen(SIGUSR1), 2);
        assert!(!signal::is_pending(SIGUSR1));
    });
}

#[test]
fn real_time_signals_are_queued() {
    child::run(|| {
        let number = libc::SIGRTMIN();
        signal::count(number, 0);
        signal::block(&[number]);
        for _ in 0..5 {
            signal::raise(number);
        }
        signal::unblock(&[number]);
        assert_eq!(signal::seen(number), 5);
    });
}

#[test]
fn a_blocked_fatal_signal_kills_when_it_is_unblocked() {
    let status = child::status(|| {
        signal::block(&[SIGTERM]);
        signal::raise(SIGTERM);
        fd::pipe().1.write(b"still here").unwrap();
        signal::unblock(&[SIGTERM]);
        child::exit(1);
    });
    assert_eq!(status, Status::Killed(SIGTERM));
}

#[test]
fn kill_and_stop_cannot_be_caught_or_blocked() {
    for number in [SIGKILL, SIGSTOP] {
        for action in [libc::SIG_IGN, libc::SIG_DFL] {
            // SAFETY: `signal` refuses these.
            assert_eq!(unsafe { libc::signal(number, action) }, libc::SIG_ERR);
            assert_eq!(last_error(), Errno::EINVAL);
        }
    }
    let status = child::status(|| {
        signal::block(&[SIGKILL, SIGSTOP]);
        assert!(!signal::is_blocked(SIGKILL) && !signal::is_blocked(SIGSTOP));
        signal::raise(SIGKILL);
    });
    assert_eq!(status, Status::Killed(SIGKILL));
}

#[test]
fn kill_checks_its_arguments() {
    let gone = child::spawn(|| {});
    let pid = gone.pid();
    gone.join();
    assert_eq!(kill(pid, 0), Err(Errno::ESRCH));
    assert_eq!(kill(i32::MAX, SIGTERM), Err(Errno::ESRCH));
    assert_eq!(kill(i32::MIN, SIGTERM), Err(Errno::ESRCH));
    assert_eq!(kill(sys::getpid(), 65), Err(Errno::EINVAL));
    assert_eq!(kill(sys::getpid(), -1), Err(Errno::EINVAL));
    assert_eq!(kill(sys::getpid(), 0), Ok(0));
}

#[test]
fn tgkill_wants_the_thread_and_its_process() {
    let tgkill = |group: i32, thread: i32, signal: i32| {
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_tgkill, [group as usize, thread as usize, signal as usize]) }
    };
    assert_eq!(tgkill(sys::getpid(), sys::gettid(), 0), Ok(0));
    assert_eq!(tgkill(1, sys::gettid(), 0), Err(Errno::ESRCH));
    assert_eq!(tgkill(sys::getpid(), 1, 0), Err(Errno::ESRCH));
    assert_eq!(tgkill(0, sys::gettid(), 0), Err(Errno::EINVAL));
    assert_eq!(tgkill(sys::getpid(), -1, 0), Err(Errno::EINVAL));
    assert_eq!(tgkill(sys::getpid(), sys::gettid(), 65), Err(Errno::EINVAL));
}

#[test]
fn an_unprivileged_process_cannot_kill_another_users() {
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(1234) }, 0);
        assert_eq!(kill(1, SIGTERM), Err(Errno::EPERM));
        assert_eq!(kill(sys::getpid(), 0), Ok(0));
    });
}

#[test]
fn a_process_group_gets_a_signal_together() {
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
        signal::handle(SIGUSR1, 0, libc::SIG_IGN);
        let (reader, writer) = fd::pipe();
        let members = [0, 1].map(|_| {
            child::spawn(|| {
                signal::default(SIGUSR1);
                writer.write(b"x").unwrap();
                thread::sleep(Duration::from_secs(100));
            })
        });
        reader.read(1).unwrap();
        reader.read(1).unwrap();
        kill(0, SIGUSR1).unwrap();
        for member in members {
            assert_eq!(member.wait(), Status::Killed(SIGUSR1));
        }
    });
}

#[test]
fn a_process_that_makes_no_system_call_can_be_killed() {
    for number in [SIGKILL, SIGTERM] {
        let child = child::spawn(|| spin_until(|| false));
        time::settle();
        child.kill(number);
        assert_eq!(child.wait(), Status::Killed(number));
    }
}

#[test]
fn a_process_that_sleeps_in_a_system_call_can_be_killed() {
    let (reader, _writer) = fd::pipe();
    let event = fd::eventfd(0, 0).unwrap();
    let sleeps: [&dyn Fn(); 5] = [
        &|| drop(reader.read(1)),
        &|| _ = event.read_u64(),
        &|| thread::sleep(Duration::from_secs(100)),
        &|| _ = pollux_tests::poll::poll(&mut [], -1),
        &|| _ = child::spawn(|| thread::sleep(ms(300))).wait(),
    ];
    for sleep in sleeps {
        let child = child::spawn(|| {
            signal::block(&[SIGTERM]);
            sleep();
        });
        time::settle();
        child.kill(SIGTERM);
        child.kill(SIGKILL);
        assert_eq!(child.wait(), Status::Killed(SIGKILL));
    }
}

#[test]
fn a_fatal_signal_ends_all_threads() {
    let child = child::spawn(|| {
        for _ in 0..3 {
            thread::spawn(|| spin_until(|| false));
            thread::spawn(|| fd::pipe().0.read(1));
        }
        thread::park();
    });
    time::settle();
    child.kill(SIGTERM);
    assert_eq!(child.wait(), Status::Killed(SIGTERM));
}

#[test]
fn a_signal_for_a_thread_runs_in_that_thread() {
    static RAN_IN: AtomicI32 = AtomicI32::new(0);
    extern "C" fn note(_signal: i32) {
        RAN_IN.store(sys::gettid(), Ordering::SeqCst);
    }
    child::run(|| {
        signal::handle(SIGUSR1, 0, note as extern "C" fn(i32) as usize);
        let (ids, id) = mpsc::channel();
        thread::spawn(move || {
            ids.send(sys::gettid()).unwrap();
            spin_until(|| false)
        });
        let thread = id.recv().unwrap();
        let arguments = [sys::getpid() as usize, thread as usize, SIGUSR1 as usize];
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_tgkill, arguments) }.unwrap();
        spin_until(|| RAN_IN.load(Ordering::SeqCst) != 0);
        assert_eq!(RAN_IN.load(Ordering::SeqCst), thread);
    });
}

#[test]
fn a_signal_for_the_process_goes_to_a_thread_that_does_not_block_it() {
    static RAN_IN: AtomicI32 = AtomicI32::new(0);
    extern "C" fn note(_signal: i32) {
        RAN_IN.store(sys::gettid(), Ordering::SeqCst);
    }
    child::run(|| {
        signal::handle(SIGUSR1, 0, note as extern "C" fn(i32) as usize);
        let (ids, id) = mpsc::channel();
        thread::spawn(move || {
            ids.send(sys::gettid()).unwrap();
            // It sleeps: the signal must wake it.
            loop {
                thread::sleep(Duration::from_secs(100));
            }
        });
        let thread = id.recv().unwrap();
        signal::block(&[SIGUSR1]);
        time::settle();
        kill(sys::getpid(), SIGUSR1).unwrap();
        spin_until(|| RAN_IN.load(Ordering::SeqCst) != 0);
        assert_eq!(RAN_IN.load(Ordering::SeqCst), thread);
    });
}

#[test]
fn sigsuspend_lets_a_signal_in_and_restores_the_mask() {
    child::run(|| {
        signal::count(SIGUSR1, 0);
        signal::block(&[SIGUSR1]);
        signal::raise(SIGUSR1);
        // SAFETY: the set is valid.
        assert_eq!(unsafe { libc::sigsuspend(&signal::set(&[])) }, -1);
        assert_eq!(last_error(), Errno::EINTR);
        assert_eq!(signal::seen(SIGUSR1), 1);
        assert!(signal::is_blocked(SIGUSR1));
    });
}

#[test]
fn pause_returns_after_a_handler() {
    child::run(|| {
        signal::count(SIGALRM, libc::SA_RESTART);
        // SAFETY: no memory is involved.
        let result = signal::interrupted(ms(20), || unsafe { sys::call(libc::SYS_pause, []) });
        assert_eq!(result, Err(Errno::EINTR));
        assert!(signal::seen(SIGALRM) >= 1);
    });
}

#[test]
fn a_blocked_signal_may_be_waited_for() {
    child::run(|| {
        signal::block(&[SIGUSR1, SIGALRM]);
        let wait = |length: Duration| {
            let (set, timeout) = (signal::mask(&[SIGUSR1, SIGALRM]), time::timespec(length));
            let arguments = [&raw const set as usize, 0, &raw const timeout as usize, 8];
            // SAFETY: the kernel only reads.
            unsafe { sys::call(libc::SYS_rt_sigtimedwait, arguments) }
        };
        assert_eq!(time::at_least(ms(10), || wait(ms(10))), Err(Errno::EAGAIN));
        signal::raise(SIGUSR1);
        assert_eq!(wait(Duration::ZERO), Ok(SIGUSR1 as usize));
        assert!(!signal::is_pending(SIGUSR1));
        signal::alarm(ms(20));
        assert_eq!(wait(Duration::from_secs(100)), Ok(SIGALRM as usize));
    });
}

#[test]
fn sigprocmask_checks_its_arguments() {
    let change = |how: usize, new: usize, old: usize, size: usize| {
        // SAFETY: nothing of anybody's is written.
        unsafe { sys::call(libc::SYS_rt_sigprocmask, [how, new, old, size]) }
    };
    let set = 0_u64;
    let set = &raw const set as usize;
    assert_eq!(change(99, set, 0, 8), Err(Errno::EINVAL));
    assert_eq!(change(99, 0, 0, 8), Ok(0), "without a set nothing is changed");
    assert_eq!(change(0, set, 0, 4), Err(Errno::EINVAL));
    assert_eq!(change(0, UNMAPPED, 0, 8), Err(Errno::EFAULT));
    assert_eq!(change(0, 0, UNMAPPED, 8), Err(Errno::EFAULT));
}

#[test]
fn an_alarm_kills_by_default() {
    let status = child::status(|| {
        signal::alarm(ms(10));
        spin_until(|| false);
    });
    assert_eq!(status, Status::Killed(SIGALRM));
}

#[test]
fn a_timer_repeats_until_it_is_called_off() {
    child::run(|| {
        signal::count(SIGALRM, 0);
        let wait = || {
            signal::alarm_every(ms(5), ms(5));
            spin_until(|| signal::seen(SIGALRM) >= 5);
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

#[test]
fn the_lowest_number_comes_first_on_top() {
    static ORDER: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn note(signal: i32) {
        ORDER[NEXT.fetch_add(1, Ordering::SeqCst)].store(signal as usize, Ordering::SeqCst);
    }
    child::run(|| {
        for number in [SIGUSR1, SIGUSR2] {
            signal::handle(number, 0, note as extern "C" fn(i32) as usize);
        }
        signal::block(&[SIGUSR1, SIGUSR2]);
        signal::raise(SIGUSR2);
        signal::raise(SIGUSR1);
        // SAFETY: both sets are valid.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &signal::set(&[]), ptr::null_mut()) };
        // Frames are pushed in the order of the numbers, so the last one pushed runs first.
        let order = ORDER.each_ref().map(|number| number.load(Ordering::SeqCst) as i32);
        assert_eq!(order, [SIGUSR2, SIGUSR1]);
    });
}

#[test]
fn a_stopped_process_does_not_run() {
    let (reader, writer) = fd::pipe2(libc::O_NONBLOCK).unwrap();
    let child = child::spawn(|| {
        loop {
            let _ = writer.write(b"x");
            thread::sleep(ms(1));
        }
    });
    time::settle();
    child.kill(SIGSTOP);
    child::wait4(child.pid(), libc::WUNTRACED).unwrap();
    while reader.read(4096).is_ok() {}
    time::settle();
    assert_eq!(reader.read(1), Err(Errno::EAGAIN));
    child.kill(SIGCONT);
    time::settle();
    assert_eq!(reader.read(1).unwrap(), b"x");
}
