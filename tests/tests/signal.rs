//! signal(7), sigprocmask(2), sigsuspend(2), sigwait(3): the effect of a signal, and its time.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libc::{SIGALRM, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{UNMAPPED, last_error};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, fd, limit, signal, sys};

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
        signal::send(sys::getpid(), SIGUSR1).unwrap();
        signal::send(sys::getpid(), SIGUSR1).unwrap();
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
fn a_stop_does_not_end_pause_or_sigsuspend() {
    let empty = 0_u64;
    let (number, argument) = (libc::SYS_rt_sigsuspend, (&raw const empty).addr());
    for (number, arguments) in [(libc::SYS_pause, [0, 0]), (number, [argument, 8])] {
        child::run(|| {
            let (reader, writer) = pollux_tests::fd::pipe();
            let child = child::spawn(|| {
                signal::count(SIGUSR1, libc::SA_RESTART);
                // SAFETY: the set is ours.
                let result = unsafe { sys::call(number, arguments) };
                assert_eq!((result, signal::seen(SIGUSR1)), (Err(Errno::EINTR), 1));
                writer.write(b"x").unwrap();
            });
            std::thread::sleep(std::time::Duration::from_millis(50));
            for _ in 0..2 {
                child.kill(libc::SIGSTOP);
                child::wait4(child.pid(), libc::WUNTRACED).unwrap();
                child.kill(libc::SIGCONT);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
            reader.set_flags(libc::O_NONBLOCK).unwrap();
            assert_eq!(reader.read(1), Err(Errno::EAGAIN));
            child.kill(SIGUSR1);
            child.join();
        });
    }
}
