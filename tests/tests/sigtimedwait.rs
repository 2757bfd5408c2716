//! sigtimedwait(2), signalfd(2): signals that are ignored, or by default ignored, and awaited. What init may be sent.

use std::thread;
use std::time::Duration;

use libc::{SIG_DFL, SIG_IGN, SIGCHLD, SIGUSR1, SIGUSR2, SIGWINCH};
use pollux_tests::child::{self, Status};
use pollux_tests::fd::Fd;
use pollux_tests::sys::Result;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, poll, signal, sys};

const NOT_YET: Duration = ms(50);

/// Waits for one of `signals`, and returns its number and its code.
fn wait(signals: &[i32], limit: Duration) -> Result<(i32, i32)> {
    let (set, limit) = (signal::mask(signals), time::timespec(limit));
    let mut info = [0_i32; 32];
    let arguments =
        [&raw const set as usize, info.as_mut_ptr() as usize, &raw const limit as usize, 8];
    // SAFETY: the information is ours.
    unsafe { sys::call(libc::SYS_rt_sigtimedwait, arguments)? };
    Ok((info[0], info[2]))
}

/// Waits for `number` while a child sends it, with this disposition.
fn sent_while_waiting(number: i32, handler: usize) -> Result<(i32, i32)> {
    signal::handle(number, 0, handler);
    let parent = sys::getpid();
    let sender = child::spawn(|| {
        time::settle();
        if number != SIGCHLD {
            signal::send(parent, number).unwrap();
        }
    });
    let got = wait(&[number], ms(3000));
    sender.join();
    got
}

#[test]
fn a_blocked_signal_that_is_ignored_ends_the_wait() {
    child::run(|| {
        let realtime = libc::SIGRTMIN();
        let ignored =
            [(SIGUSR1, SIG_IGN), (realtime, SIG_IGN), (SIGWINCH, SIG_DFL), (libc::SIGURG, SIG_DFL)];
        for (number, handler) in ignored {
            signal::block(&[number]);
            assert_eq!(sent_while_waiting(number, handler), Ok((number, libc::SI_USER)));
        }
    });
}

#[test]
fn the_end_of_a_child_ends_the_wait() {
    child::run(|| {
        signal::block(&[SIGCHLD]);
        assert_eq!(sent_while_waiting(SIGCHLD, SIG_DFL), Ok((SIGCHLD, libc::CLD_EXITED)));
    });
}

#[test]
fn an_ignored_signal_that_is_not_blocked_is_lost() {
    child::run(|| {
        signal::handle(SIGUSR1, 0, SIG_IGN);
        let me = sys::getpid();
        let sender = child::spawn(|| {
            time::settle();
            signal::send(me, SIGUSR1).unwrap();
        });
        assert_eq!(wait(&[SIGUSR1], 4 * NOT_YET), Err(Errno::EAGAIN));
        sender.join();
        assert!(!signal::is_pending(SIGUSR1));
    });
}

#[test]
fn an_ignored_signal_to_a_thread_ends_its_wait() {
    child::run(|| {
        signal::handle(SIGUSR1, 0, SIG_IGN);
        let (tell, told) = std::sync::mpsc::channel();
        let waiter = thread::spawn(move || {
            signal::block(&[SIGUSR1]);
            tell.send(sys::gettid()).unwrap();
            wait(&[SIGUSR1], ms(3000))
        });
        let tid = told.recv().unwrap();
        time::settle();
        // SAFETY: no memory is involved.
        unsafe {
            let arguments = [sys::getpid() as usize, tid as usize, SIGUSR1 as usize];
            sys::call(libc::SYS_tgkill, arguments).unwrap();
        }
        assert_eq!(waiter.join().unwrap(), Ok((SIGUSR1, libc::SI_TKILL)));
    });
}

#[test]
fn the_mask_is_whole_again_after_the_wait() {
    child::run(|| {
        signal::count(SIGUSR2, 0);
        signal::block(&[SIGUSR1, SIGUSR2]);
        assert_eq!(wait(&[SIGUSR1], NOT_YET), Err(Errno::EAGAIN));
        assert!(signal::is_blocked(SIGUSR1) && signal::is_blocked(SIGUSR2));
        signal::handle(SIGUSR1, 0, SIG_IGN);
        signal::raise(SIGUSR1);
        assert!(signal::is_pending(SIGUSR1));
        assert_eq!(wait(&[SIGUSR1], ms(0)).map(|got| got.0), Ok(SIGUSR1));
    });
}

#[test]
fn a_child_of_a_parent_that_ignores_children_says_nothing() {
    child::run(|| {
        signal::block(&[SIGCHLD]);
        signal::handle(SIGCHLD, 0, SIG_IGN);
        let ended = child::spawn(|| ());
        let pid = ended.pid();
        assert_eq!(wait(&[SIGCHLD], 4 * NOT_YET), Err(Errno::EAGAIN));
        assert_eq!(signal::send(pid, 0), Err(Errno::ESRCH), "it was reaped");
        std::mem::forget(ended);
        // Without zombies, but with a disposition that lets the signal come.
        signal::handle(SIGCHLD, libc::SA_NOCLDWAIT, SIG_DFL);
        let ended = child::spawn(|| ());
        assert_eq!(wait(&[SIGCHLD], ms(3000)), Ok((SIGCHLD, libc::CLD_EXITED)));
        std::mem::forget(ended);
    });
}

/// Makes a signalfd for `signals`.
fn signal_fd(signals: &[i32]) -> Fd {
    let set = signal::mask(signals);
    // SAFETY: the kernel reads the set.
    let made =
        unsafe { sys::call(libc::SYS_signalfd4, [usize::MAX, &raw const set as usize, 8, 0]) };
    Fd::from_number(made.unwrap() as i32)
}

#[test]
fn a_signalfd_shows_blocked_signals_that_are_ignored() {
    child::run(|| {
        signal::handle(SIGUSR1, 0, SIG_IGN);
        signal::block(&[SIGUSR1, SIGCHLD, SIGWINCH]);
        let signals = signal_fd(&[SIGUSR1, SIGCHLD, SIGWINCH]);
        let me = sys::getpid();
        let sender = child::spawn(|| {
            time::settle();
            signal::send(me, SIGUSR1).unwrap();
            signal::send(me, SIGWINCH).unwrap();
        });
        let mut entries = [poll::entry(signals.number(), libc::POLLIN)];
        assert_eq!((poll::poll(&mut entries, 3000), entries[0].revents), (Ok(1), libc::POLLIN));
        sender.join();
        let mut numbers = Vec::new();
        while poll::ready(&signals, libc::POLLIN) != 0 {
            let record = signals.read(128).unwrap();
            numbers.push(i32::from_ne_bytes(record[..4].try_into().unwrap()));
        }
        assert_eq!(numbers, [SIGUSR1, SIGCHLD, SIGWINCH]);
    });
}

#[test]
fn another_signal_s_handler_interrupts_the_wait_and_an_ignored_one_does_not() {
    child::run(|| {
        signal::block(&[SIGUSR1]);
        signal::count(SIGUSR2, libc::SA_RESTART);
        let me = sys::getpid();
        let sender = child::spawn(|| {
            time::settle();
            signal::send(me, SIGWINCH).unwrap();
            time::settle();
            signal::send(me, SIGUSR2).unwrap();
        });
        let ended = time::at_least(2 * time::SETTLE, || wait(&[SIGUSR1], ms(3000)));
        assert_eq!(ended, Err(Errno::EINTR));
        assert_eq!(signal::seen(SIGUSR2), 1);
        sender.join();
    });
}

#[test]
fn init_gets_no_signal_without_a_handler() {
    for number in
        [libc::SIGKILL, libc::SIGSTOP, libc::SIGTERM, libc::SIGSEGV, SIGUSR1, libc::SIGRTMIN()]
    {
        assert_eq!(signal::send(1, number), Ok(()));
    }
    assert_eq!(child::status(|| signal::raise(libc::SIGTERM)), Status::Killed(libc::SIGTERM));
    assert_eq!(signal::send(1, 0), Ok(()));
}
