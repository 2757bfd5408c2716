//! getpriority(2), setpriority(2): nice values.

use std::thread;

use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, limit, sys};

const PROCESS: usize = 0;
const GROUP: usize = 1;
const USER: usize = 2;

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(number, arguments) }
}

fn set(which: usize, who: i32, nice: i32) -> Result<usize> {
    call(libc::SYS_setpriority, [which, who as usize, nice as usize])
}

/// Returns the nice value: the system call returns 20 less that.
fn get(which: usize, who: i32) -> Result<i32> {
    call(libc::SYS_getpriority, [which, who as usize]).map(|value| 20 - value as i32)
}

fn sleeper() -> child::Child {
    child::spawn(|| {
        loop {
            thread::park();
        }
    })
}

#[test]
fn nice_values_are_kept_cut_and_inherited() {
    child::run(|| {
        assert_eq!(get(PROCESS, 0), Ok(0));
        for (wanted, got) in [(5, 5), (100, 19), (-100, -20), (0, 0), (-3, -3)] {
            assert_eq!(set(PROCESS, 0, wanted), Ok(0));
            assert_eq!(get(PROCESS, 0), Ok(got));
            child::run(|| assert_eq!(get(PROCESS, 0), Ok(got)));
        }
        // A new thread has its creator's, and then its own.
        thread::spawn(|| {
            assert_eq!(get(PROCESS, 0), Ok(-3));
            assert_eq!(set(PROCESS, 0, 7), Ok(0));
        })
        .join()
        .unwrap();
        assert_eq!(get(PROCESS, 0), Ok(-3));
    });
}

#[test]
fn a_group_and_a_user_are_many() {
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
        let (first, second) = (sleeper(), sleeper());
        assert_eq!(set(PROCESS, first.pid(), 4), Ok(0));
        assert_eq!(get(GROUP, 0), Ok(0));
        assert_eq!(set(GROUP, 0, 9), Ok(0));
        assert_eq!([first.pid(), second.pid(), 0].map(|pid| get(PROCESS, pid)), [Ok(9); 3]);
        child::run(|| {
            // SAFETY: no memory is involved.
            assert_eq!(unsafe { libc::setuid(4321) }, 0);
            let third = sleeper();
            assert_eq!(set(USER, 4321, 11), Ok(0));
            assert_eq!([third.pid(), 0].map(|pid| get(PROCESS, pid)), [Ok(11); 2]);
            assert_eq!(get(USER, 0), Ok(11));
        });
        assert_eq!(get(PROCESS, first.pid()), Ok(9));
    });
}

#[test]
fn users_may_raise_and_not_lower() {
    child::run(|| {
        limit::set(libc::RLIMIT_NICE, 15, 20).unwrap();
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(1234) }, 0);
        assert_eq!(set(PROCESS, 1, 10), Err(Errno::EPERM));
        assert_eq!(set(PROCESS, 0, 10), Ok(0));
        assert_eq!(set(PROCESS, 0, 4), Err(Errno::EACCES));
        assert_eq!(set(PROCESS, 0, 5), Ok(0));
        limit::set(libc::RLIMIT_NICE, 20, 20).unwrap();
        assert_eq!(set(PROCESS, 0, 0), Ok(0));
        assert_eq!(set(PROCESS, 0, -1), Err(Errno::EACCES));
    });
}

#[test]
fn wrong_arguments_are_refused() {
    assert_eq!(set(3, 0, 0), Err(Errno::EINVAL));
    assert_eq!(set(usize::MAX, 0, 0), Err(Errno::EINVAL));
    assert_eq!(get(3, 0), Err(Errno::EINVAL));
    for which in [PROCESS, GROUP, USER] {
        assert_eq!(set(which, i32::MAX, 0), Err(Errno::ESRCH), "{which}");
        assert_eq!(get(which, i32::MAX), Err(Errno::ESRCH), "{which}");
        assert_eq!(get(which, -1), Err(Errno::ESRCH), "{which}");
    }
}
