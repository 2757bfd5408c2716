//! kill(2), tgkill(2): which process, group or thread a signal reaches.

use core::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use libc::{SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1};
use pollux_tests::child::{self, Status};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, fd, signal, sys};

#[test]
fn kill_checks_its_arguments() {
    let gone = child::spawn(|| {});
    let pid = gone.pid();
    gone.join();
    assert_eq!(signal::send(pid, 0), Err(Errno::ESRCH));
    assert_eq!(signal::send(i32::MAX, SIGTERM), Err(Errno::ESRCH));
    assert_eq!(signal::send(i32::MIN, SIGTERM), Err(Errno::ESRCH));
    assert_eq!(signal::send(sys::getpid(), 65), Err(Errno::EINVAL));
    assert_eq!(signal::send(sys::getpid(), -1), Err(Errno::EINVAL));
    assert_eq!(signal::send(sys::getpid(), 0), Ok(()));
    assert_eq!(signal::send(i32::MAX, 65), Err(Errno::ESRCH), "who is not there comes first");
    assert_eq!(signal::send(0, 65), Err(Errno::EINVAL));
    assert_eq!(signal::send(-i32::MAX, 65), Err(Errno::ESRCH));
}

#[test]
fn any_thread_stands_for_its_process() {
    let (sender, receiver) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let other = thread::spawn(move || {
        sender.send(sys::gettid()).unwrap();
        let _ = stopped.recv();
    });
    let tid = receiver.recv().unwrap();
    assert_ne!(tid, sys::getpid());
    assert_eq!(signal::send(tid, 0), Ok(()));
    // SAFETY: no memory is involved.
    unsafe {
        assert_eq!(libc::getpgid(tid), libc::getpgrp());
        assert_eq!(libc::getsid(tid), libc::getsid(0));
        let set = sys::call(libc::SYS_setpgid, [tid as usize, 0]);
        assert_eq!(set, Err(Errno::EINVAL));
    }
    drop(stop);
    other.join().unwrap();
}

#[test]
fn to_all_others_it_is_no_error_that_none_may_be_signalled() {
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(1234) }, 0);
        assert_eq!(signal::send(-1, SIGTERM), Ok(()));
        assert_eq!(signal::send(-1, 65), Err(Errno::EINVAL));
    });
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
        assert_eq!(signal::send(1, SIGTERM), Err(Errno::EPERM));
        assert_eq!(signal::send(sys::getpid(), 0), Ok(()));
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
        signal::send(0, SIGUSR1).unwrap();
        for member in members {
            assert_eq!(member.wait(), Status::Killed(SIGUSR1));
        }
    });
}

#[test]
fn a_process_that_makes_no_system_call_can_be_killed() {
    for number in [SIGKILL, SIGTERM] {
        let child = child::spawn(|| time::spin_until(|| false));
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
            thread::spawn(|| time::spin_until(|| false));
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
            time::spin_until(|| false)
        });
        let thread = id.recv().unwrap();
        let arguments = [sys::getpid() as usize, thread as usize, SIGUSR1 as usize];
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_tgkill, arguments) }.unwrap();
        time::spin_until(|| RAN_IN.load(Ordering::SeqCst) != 0);
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
        signal::send(sys::getpid(), SIGUSR1).unwrap();
        time::spin_until(|| RAN_IN.load(Ordering::SeqCst) != 0);
        assert_eq!(RAN_IN.load(Ordering::SeqCst), thread);
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

#[test]
fn a_full_queue_holds_other_signals_still() {
    child::run(|| {
        let repeated = libc::SIGRTMIN();
        signal::block(&[repeated, repeated + 1, libc::SIGUSR1]);
        // SAFETY: neither call involves memory.
        let fill = || unsafe {
            libc::sigqueue(
                libc::getpid(),
                repeated,
                libc::sigval { sival_ptr: std::ptr::null_mut() },
            )
        };
        while fill() == 0 {}
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EAGAIN));
        for other in [libc::SIGUSR1, repeated + 1] {
            // SAFETY: no memory is involved.
            signal::send(unsafe { libc::getpid() }, other).unwrap();
            assert!(signal::is_pending(other), "{other}");
        }
    });
}
