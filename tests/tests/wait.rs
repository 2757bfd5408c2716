//! wait(2), waitpid(2), wait4(2), waitid(2): waiting for a child, and its status.

use std::thread;

use libc::{WCONTINUED, WNOHANG, WUNTRACED};
use pollux_tests::child::{self, Status, wait4};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, fd, signal, sys};

/// Makes a child that reads until the write end is closed, and then exits with `code`.
fn held(code: i32) -> (i32, Fd) {
    let (reader, writer) = fd::pipe();
    let flags = libc::SIGCHLD as usize;
    // SAFETY: the child has a copy of all memory.
    let pid = unsafe { sys::call(libc::SYS_clone, [flags]) }.unwrap() as i32;
    if pid == 0 {
        fd::close(writer.number()).unwrap();
        let _ = reader.read(1);
        child::exit(code);
    }
    (pid, writer)
}

/// Makes a child that exits with `code` at once.
fn ended(code: i32) -> i32 {
    held(code).0
}

fn kill(pid: i32, signal: i32) {
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

#[test]
fn a_child_is_reported_once() {
    child::run(|| {
        let pid = ended(7);
        assert_eq!(wait4(pid, 0), Ok(Some((pid, 7 << 8))));
        assert_eq!(wait4(pid, 0), Err(Errno::ECHILD));
        assert_eq!(wait4(-1, WNOHANG), Err(Errno::ECHILD));
    });
}

#[test]
fn an_exit_code_has_eight_bits() {
    child::run(|| {
        for (code, seen) in [(0, 0), (255, 255), (256, 0), (-1, 255), (0x1234, 0x34)] {
            let pid = ended(code);
            assert_eq!(wait4(pid, 0), Ok(Some((pid, seen << 8))));
        }
    });
}

#[test]
fn a_killed_child_shows_its_signal() {
    for signal in [libc::SIGKILL, libc::SIGTERM, libc::SIGUSR1, libc::SIGALRM, libc::SIGRTMAX()] {
        child::run(|| {
            let (pid, _held) = held(0);
            kill(pid, signal);
            assert_eq!(wait4(pid, 0), Ok(Some((pid, signal))));
        });
    }
}

#[test]
fn a_core_dumping_signal_is_told_apart_by_its_number() {
    let status = child::status(|| kill(sys::getpid(), libc::SIGABRT));
    assert_eq!(status, Status::Killed(libc::SIGABRT));
}

#[test]
fn nohang_returns_zero_while_the_child_runs() {
    child::run(|| {
        let (pid, held) = held(3);
        assert_eq!(wait4(pid, WNOHANG), Ok(None));
        drop(held);
        assert_eq!(wait4(pid, 0), Ok(Some((pid, 3 << 8))));
    });
}

#[test]
fn waiting_blocks_until_the_child_ends() {
    child::run(|| {
        let (pid, held) = held(0);
        let close = time::soon(move || held.close());
        assert_eq!(time::at_least(time::SETTLE / 2, || wait4(-1, 0)), Ok(Some((pid, 0))));
        close.join().unwrap().unwrap();
    });
}

#[test]
fn one_child_may_be_asked_for_among_several() {
    child::run(|| {
        let (first, second) = (ended(1), ended(2));
        assert_eq!(wait4(second, 0), Ok(Some((second, 2 << 8))));
        assert_eq!(wait4(-1, 0), Ok(Some((first, 1 << 8))));
    });
}

#[test]
fn a_process_group_may_be_asked_for() {
    child::run(|| {
        let (pid, held) = held(0);
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setpgid(pid, pid) }, 0);
        assert_eq!(wait4(0, WNOHANG), Err(Errno::ECHILD), "no child is in our group");
        assert_eq!(wait4(-pid, WNOHANG), Ok(None));
        drop(held);
        assert_eq!(wait4(-pid, 0), Ok(Some((pid, 0))));
    });
}

#[test]
fn strangers_are_echild() {
    child::run(|| {
        assert_eq!(wait4(sys::getpid(), 0), Err(Errno::ECHILD));
        assert_eq!(wait4(1, 0), Err(Errno::ECHILD));
        assert_eq!(wait4(i32::MAX, 0), Err(Errno::ECHILD));
        assert_eq!(wait4(i32::MIN, 0), Err(Errno::ESRCH));
    });
}

#[test]
fn a_grandchild_is_not_ours() {
    child::run(|| {
        let (reader, writer) = fd::pipe();
        let child = child::spawn(|| {
            let (pid, held) = held(0);
            writer.write(&pid.to_ne_bytes()).unwrap();
            drop(held);
            wait4(pid, 0).unwrap();
        });
        let grandchild = i32::from_ne_bytes(reader.read(4).unwrap().try_into().unwrap());
        assert_eq!(wait4(grandchild, 0), Err(Errno::ECHILD));
        child.join();
    });
}

#[test]
fn unknown_options_are_einval() {
    assert_eq!(wait4(-1, 0x10), Err(Errno::EINVAL));
    assert_eq!(wait4(-1, 1 << 20), Err(Errno::EINVAL));
}

#[test]
fn a_status_or_usage_that_cannot_be_written_is_efault() {
    child::run(|| {
        for arguments in [[UNMAPPED, 0], [0, UNMAPPED]] {
            let pid = ended(0) as usize;
            let arguments = [pid, arguments[0], 0, arguments[1]];
            // SAFETY: nothing is mapped there.
            assert_eq!(unsafe { sys::call(libc::SYS_wait4, arguments) }, Err(Errno::EFAULT));
        }
    });
}

#[test]
fn the_usage_of_a_child_is_written() {
    child::run(|| {
        let pid = ended(0);
        let mut usage = [u64::MAX; 18];
        let arguments = [pid as usize, 0, 0, usage.as_mut_ptr() as usize];
        // SAFETY: the array is as large as `struct rusage`.
        assert_eq!(unsafe { sys::call(libc::SYS_wait4, arguments) }, Ok(pid as usize));
        assert!(usage.iter().all(|value| *value != u64::MAX));
    });
}

#[test]
fn any_thread_of_the_parent_may_wait() {
    child::run(|| {
        let pid = ended(5);
        let waited = thread::spawn(move || wait4(pid, 0)).join().unwrap();
        assert_eq!(waited, Ok(Some((pid, 5 << 8))));
    });
}

#[test]
fn of_two_waiting_threads_one_gets_the_child() {
    child::run(|| {
        let (pid, held) = held(5);
        let waiters = [0, 1].map(|_| thread::spawn(move || wait4(-1, 0)));
        time::settle();
        drop(held);
        let mut results = waiters.map(|waiter| waiter.join().unwrap());
        results.sort_by_key(Result::is_err);
        assert_eq!(results, [Ok(Some((pid, 5 << 8))), Err(Errno::ECHILD)]);
    });
}

#[test]
fn a_child_whose_parent_ignores_sigchld_is_not_kept() {
    child::run(|| {
        signal::handle(libc::SIGCHLD, 0, libc::SIG_IGN);
        let (_pid, held) = held(0);
        let close = time::soon(move || held.close());
        assert_eq!(wait4(-1, 0), Err(Errno::ECHILD), "it waits until the last one is gone");
        close.join().unwrap().unwrap();
    });
}

#[test]
fn sigchld_tells_of_the_end_of_a_child() {
    child::run(|| {
        signal::count(libc::SIGCHLD, 0);
        let (pid, held) = held(0);
        assert_eq!(signal::seen(libc::SIGCHLD), 0);
        drop(held);
        while signal::seen(libc::SIGCHLD) == 0 {
            thread::sleep(ms(1));
        }
        assert_eq!(wait4(-1, WNOHANG), Ok(Some((pid, 0))));
    });
}

#[test]
fn a_signal_ends_the_wait_with_eintr() {
    child::run(|| {
        let (pid, held) = held(0);
        signal::count(libc::SIGALRM, 0);
        assert_eq!(signal::interrupted(ms(10), || wait4(pid, 0)), Err(Errno::EINTR));
        signal::count(libc::SIGALRM, libc::SA_RESTART);
        let close = time::soon(move || held.close());
        assert_eq!(signal::interrupted(ms(10), || wait4(pid, 0)), Ok(Some((pid, 0))));
        assert!(signal::seen(libc::SIGALRM) >= 2);
        close.join().unwrap().unwrap();
    });
}

#[test]
fn stopping_and_going_on_are_reported_when_asked_for() {
    child::run(|| {
        let (pid, held) = held(0);
        kill(pid, libc::SIGSTOP);
        assert_eq!(wait4(pid, WUNTRACED), Ok(Some((pid, libc::SIGSTOP << 8 | 0x7f))));
        assert_eq!(wait4(pid, WUNTRACED | WNOHANG), Ok(None), "once");
        kill(pid, libc::SIGCONT);
        assert_eq!(wait4(pid, WCONTINUED), Ok(Some((pid, 0xffff))));
        kill(pid, libc::SIGSTOP);
        time::settle();
        assert_eq!(wait4(pid, WNOHANG), Ok(None), "nobody asked");
        kill(pid, libc::SIGCONT);
        drop(held);
        assert_eq!(wait4(pid, 0), Ok(Some((pid, 0))));
    });
}

#[test]
fn a_stopped_child_can_be_killed() {
    child::run(|| {
        let (pid, _held) = held(0);
        kill(pid, libc::SIGSTOP);
        wait4(pid, WUNTRACED).unwrap();
        kill(pid, libc::SIGKILL);
        assert_eq!(wait4(pid, 0), Ok(Some((pid, libc::SIGKILL))));
    });
}

#[test]
fn waitid_tells_more_and_may_leave_the_child() {
    child::run(|| {
        let pid = ended(9);
        let waitid = |options: i32| {
            let mut info = [0_i32; 32];
            let address = info.as_mut_ptr() as usize;
            let arguments = [libc::P_PID as usize, pid as usize, address, options as usize, 0];
            // SAFETY: the array is as large as `siginfo_t`.
            let result = unsafe { sys::call(libc::SYS_waitid, arguments) };
            // si_signo, si_code, si_pid, si_status
            result.map(|_| [info[0], info[2], info[4], info[6]])
        };
        let expected = [libc::SIGCHLD, libc::CLD_EXITED, pid, 9];
        assert_eq!(waitid(libc::WEXITED | libc::WNOWAIT), Ok(expected));
        assert_eq!(waitid(libc::WEXITED), Ok(expected));
        assert_eq!(waitid(libc::WEXITED), Err(Errno::ECHILD));
        assert_eq!(waitid(0), Err(Errno::EINVAL));
    });
}

/// Makes a child whose end sends `signal`, and which ends soon.
fn ending_with(signal: i32) -> i32 {
    // SAFETY: the child has a copy of all memory.
    let pid = unsafe { sys::call(libc::SYS_clone, [signal as usize]) }.unwrap() as i32;
    if pid == 0 {
        child::exit(3);
    }
    pid
}

#[test]
fn children_of_clone_are_waited_for_apart() {
    child::run(|| {
        signal::count(libc::SIGUSR1, 0);
        for signal in [0, libc::SIGUSR1] {
            let pid = ending_with(signal);
            assert_eq!(wait4(pid, 0), Err(Errno::ECHILD));
            assert_eq!(wait4(-1, WNOHANG), Err(Errno::ECHILD));
            while wait4(pid, libc::__WCLONE | WNOHANG) == Ok(None) {
                thread::yield_now();
            }
            assert_eq!(wait4(pid, libc::__WALL), Err(Errno::ECHILD));
            let pid = ending_with(signal);
            while !matches!(wait4(pid, libc::__WALL), Ok(Some(_)) | Err(Errno::ECHILD)) {}
            assert_eq!(wait4(-1, libc::__WALL), Err(Errno::ECHILD));
        }
        assert_eq!(signal::seen(libc::SIGUSR1), 2);
        let pid = ending_with(libc::SIGCHLD);
        assert_eq!(wait4(pid, libc::__WCLONE), Err(Errno::ECHILD));
        assert_eq!(wait4(pid, 0), Ok(Some((pid, 3 << 8))));
    });
}

#[test]
fn waitid_writes_what_it_has_to_say_and_no_more() {
    child::run(|| {
        let waitid = |pid: i32, info: &mut [i32; 32], options: i32| {
            let arguments =
                [libc::P_PID as usize, pid as usize, info.as_mut_ptr().addr(), options as usize, 0];
            // SAFETY: the information is ours.
            unsafe { sys::call(libc::SYS_waitid, arguments) }
        };
        let (pid, held) = held(7);
        let mut info = [-1; 32];
        assert_eq!(waitid(pid, &mut info, libc::WEXITED | WNOHANG), Ok(0));
        assert_eq!(info[..3], [0, 0, 0]);
        assert_eq!(info[4..9], [0, 0, 0, -1, -1]);
        drop(held);
        assert_eq!(waitid(pid, &mut info, libc::WEXITED), Ok(0));
        assert_eq!(info[..3], [libc::SIGCHLD, 0, libc::CLD_EXITED]);
        assert_eq!(info[4..9], [pid, 0, 7, -1, -1]);
    });
}

#[test]
fn a_descriptor_that_does_not_block_does_not_wait() {
    child::run(|| {
        let (pid, held) = held(0);
        // SAFETY: no memory is involved.
        let open =
            |flags: i32| unsafe { sys::call(libc::SYS_pidfd_open, [pid as usize, flags as usize]) };
        let fd = open(libc::O_NONBLOCK).unwrap();
        let waitid = |options: i32| {
            // SAFETY: nothing is written.
            unsafe {
                sys::call(libc::SYS_waitid, [libc::P_PIDFD as usize, fd, 0, options as usize, 0])
            }
        };
        assert_eq!(waitid(libc::WEXITED), Err(Errno::EAGAIN));
        assert_eq!(waitid(libc::WEXITED | WNOHANG), Ok(0));
        drop(held);
        while waitid(libc::WEXITED) == Err(Errno::EAGAIN) {
            thread::yield_now();
        }
        assert_eq!(waitid(libc::WEXITED), Err(Errno::ECHILD));
    });
}
