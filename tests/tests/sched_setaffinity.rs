//! sched_setaffinity(2), sched_getaffinity(2), getcpu(2), membarrier(2): processors; and the calls of glibc's start-up.

use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, sys};

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: what the kernel writes is the caller's.
    unsafe { sys::call(number, arguments) }
}

fn set(tid: i32, set: &[u64]) -> Result<usize> {
    let arguments = [tid as usize, size_of_val(set), set.as_ptr().addr()];
    call(libc::SYS_sched_setaffinity, arguments)
}

/// Returns the first 64 processors.
fn get(tid: i32) -> Result<u64> {
    let mut set = [0_u64; 16];
    call(libc::SYS_sched_getaffinity, [tid as usize, 128, set.as_mut_ptr().addr()])?;
    Ok(set[0])
}

/// Returns the processor this runs on.
fn cpu() -> u32 {
    let mut cpu = u32::MAX;
    call(libc::SYS_getcpu, [(&raw mut cpu).addr(), 0, 0]).unwrap();
    cpu
}

#[test]
fn a_thread_runs_where_it_may() {
    child::run(|| {
        let all = get(0).unwrap();
        assert!(all != 0 && all.trailing_ones() == all.count_ones());
        for number in 0..all.count_ones() {
            assert_eq!(set(0, &[1 << number]), Ok(0));
            assert_eq!(get(0), Ok(1 << number));
            assert_eq!(cpu(), number);
            child::run(|| assert_eq!((get(0), cpu()), (Ok(1 << number), number)));
        }
        // What there is no processor for is left out.
        assert_eq!(set(0, &[u64::MAX, u64::MAX]), Ok(0));
        assert_eq!(get(0), Ok(all));
    });
}

#[test]
fn another_thread_may_be_moved() {
    child::run(|| {
        let child = child::spawn(|| {
            loop {
                std::thread::park();
            }
        });
        assert_eq!(set(child.pid(), &[1]), Ok(0));
        assert_eq!(get(child.pid()), Ok(1));
        child::run(|| {
            // SAFETY: no memory is involved.
            assert_eq!(unsafe { libc::setuid(1234) }, 0);
            assert_eq!(set(child.pid(), &[1]), Err(Errno::EPERM));
            assert_eq!(get(child.pid()), Ok(1));
        });
    });
}

#[test]
fn wrong_arguments_are_refused() {
    assert_eq!(set(0, &[0]), Err(Errno::EINVAL));
    assert_eq!(set(0, &[]), Err(Errno::EINVAL));
    assert_eq!(set(0, &[1 << 63]), Err(Errno::EINVAL));
    assert_eq!(set(i32::MAX, &[1]), Err(Errno::ESRCH));
    assert_eq!(get(i32::MAX), Err(Errno::ESRCH));
    assert_eq!(get(-1), Err(Errno::ESRCH));
    assert_eq!(set(-1, &[1]), Err(Errno::ESRCH));
    let get = |size: usize, at: usize| call(libc::SYS_sched_getaffinity, [0, size, at]);
    assert_eq!(get(7, UNMAPPED), Err(Errno::EINVAL));
    assert_eq!(get(0, UNMAPPED), Err(Errno::EINVAL));
    assert_eq!(get(8, UNMAPPED), Err(Errno::EFAULT));
    assert_eq!(call(libc::SYS_sched_setaffinity, [0, 8, UNMAPPED]), Err(Errno::EFAULT));
}

#[test]
fn memory_barriers_are_where_they_say() {
    let membarrier = |command: usize, flags: usize| call(libc::SYS_membarrier, [command, flags, 0]);
    let known = membarrier(0, 0).unwrap();
    for command in [1, 2, 4, 8, 16] {
        assert_eq!(known & command, command, "{known:#x}");
    }
    child::run(|| {
        assert_eq!(membarrier(1, 0), Ok(0));
        assert_eq!(membarrier(8, 0), Err(Errno::EPERM), "nobody has registered");
        assert_eq!(membarrier(16, 0), Ok(0));
        assert_eq!(membarrier(8, 0), Ok(0));
        assert_eq!(membarrier(4, 0), Ok(0));
        assert_eq!(membarrier(2, 0), Ok(0));
        child::run(|| assert_eq!(membarrier(8, 0), Ok(0), "a child is as its parent"));
    });
    assert_eq!(membarrier(3, 0), Err(Errno::EINVAL));
    assert_eq!(membarrier(1 << 20, 0), Err(Errno::EINVAL));
    assert_eq!(membarrier(0, 4), Err(Errno::EINVAL));
}
