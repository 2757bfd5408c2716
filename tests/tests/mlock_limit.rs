//! getrlimit(2), `RLIMIT_MEMLOCK`: how much memory a process without `CAP_IPC_LOCK` may lock.

use pollux_tests::memory::{self, PAGE};
use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, limit, sys};

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: the calls used here write no memory.
    unsafe { sys::call(number, arguments) }
}

fn mlock(start: usize, pages: usize) -> Result<usize> {
    call(libc::SYS_mlock, [start, pages * PAGE])
}

fn mmap(pages: usize, flags: i32) -> Result<usize> {
    let flags = (flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    let prot = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    call(libc::SYS_mmap, [0, pages * PAGE, prot, flags, usize::MAX, 0])
}

/// Runs `work` as an ordinary user who may lock so many pages.
#[track_caller]
fn limited(pages: usize, work: impl FnOnce()) {
    child::run(|| {
        limit::set(libc::RLIMIT_MEMLOCK, (pages * PAGE) as u64, (pages * PAGE) as u64).unwrap();
        assert_eq!(call(libc::SYS_setresuid, [1000; 3]), Ok(0));
        work();
    });
}

#[test]
fn the_default_is_8_mib() {
    assert_eq!(limit::get(libc::RLIMIT_MEMLOCK), Ok((8 << 20, 8 << 20)));
}

#[test]
fn pages_count_once_and_until_they_are_unlocked() {
    limited(8, || {
        let start = memory::map(32).unwrap();
        assert_eq!(mlock(start, 9), Err(Errno::ENOMEM));
        assert_eq!(mlock(start, 6), Ok(0));
        assert_eq!(mlock(start + 8 * PAGE, 3), Err(Errno::ENOMEM));
        assert_eq!(mlock(start + 2 * PAGE, 6), Ok(0));
        assert_eq!(mlock(start + 8 * PAGE, 1), Err(Errno::ENOMEM));
        assert_eq!(call(libc::SYS_munlock, [start, 4 * PAGE]), Ok(0));
        assert_eq!(mlock(start + 8 * PAGE, 4), Ok(0));
        memory::unmap(start + 8 * PAGE, 4);
        assert_eq!(call(libc::SYS_mlock2, [start, 4 * PAGE, 1]), Ok(0));
    });
}

#[test]
fn mappings_that_are_locked_count() {
    limited(8, || {
        assert_eq!(mmap(9, libc::MAP_LOCKED), Err(Errno::EAGAIN));
        let start = mmap(6, libc::MAP_LOCKED).unwrap();
        assert_eq!(mmap(3, libc::MAP_LOCKED), Err(Errno::EAGAIN));
        let grown =
            call(libc::SYS_mremap, [start, 6 * PAGE, 9 * PAGE, libc::MREMAP_MAYMOVE as usize]);
        assert_eq!(grown, Err(Errno::EAGAIN));
        let grown =
            call(libc::SYS_mremap, [start, 6 * PAGE, 8 * PAGE, libc::MREMAP_MAYMOVE as usize]);
        assert!(grown.is_ok(), "{grown:?}");
        assert_eq!(call(libc::SYS_mlockall, [libc::MCL_CURRENT as usize]), Err(Errno::ENOMEM));
        assert_eq!(call(libc::SYS_mlockall, [libc::MCL_FUTURE as usize]), Ok(0));
        assert_eq!(mmap(1, 0), Err(Errno::EAGAIN));
        assert_eq!(call(libc::SYS_munlockall, [0; 0]), Ok(0));
        assert!(mmap(1, 0).is_ok());
    });
}

#[test]
fn who_may_lock_nothing_learns_that() {
    limited(0, || {
        let start = memory::map(1).unwrap();
        assert_eq!(mlock(start, 1), Err(Errno::EPERM));
        assert_eq!(mmap(1, libc::MAP_LOCKED), Err(Errno::EPERM));
        assert_eq!(call(libc::SYS_mlockall, [libc::MCL_FUTURE as usize]), Err(Errno::EPERM));
        assert_eq!(call(libc::SYS_munlock, [start, PAGE]), Ok(0));
    });
}

#[test]
fn the_privileged_have_no_limit() {
    child::run(|| {
        limit::set(libc::RLIMIT_MEMLOCK, 0, 0).unwrap();
        let start = memory::map(4).unwrap();
        assert_eq!(mlock(start, 4), Ok(0));
        assert!(mmap(4, libc::MAP_LOCKED).is_ok());
    });
}
