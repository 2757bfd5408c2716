//! intro(2): a bad address or garbage in a register harms only the program itself.

use libc::*;

use pollux_tests::memory::{KERNEL, NON_CANONICAL, Pages, UNMAPPED};
use pollux_tests::{Errno, fd, sys};

/// The placeholder for the bad address in the tables.
const BAD: usize = 0xbad0_bad0_bad0_bad0;

fn call(number: c_long, arguments: [usize; 6]) -> sys::Result<usize> {
    // SAFETY: the tests pass addresses that are theirs or nobody's.
    unsafe { sys::call(number, arguments) }
}

/// Addresses at which nothing can be read or written.
fn bad_addresses(pages: &Pages) -> [usize; 6] {
    [1, UNMAPPED, pages.end(), KERNEL, NON_CANONICAL, usize::MAX - 7]
}

#[test]
fn a_bad_address_is_efault_in_every_place() {
    let (reader, writer) = fd::pipe();
    writer.write(b"abc").unwrap();
    let event = fd::eventfd(1, 0).unwrap();
    let epoll = pollux_tests::epoll::create1(0).unwrap();
    let directory = fd::open("/tmp", O_RDONLY | O_DIRECTORY, 0).unwrap();
    let zeros = [0_u64; 32];
    let zero = zeros.as_ptr() as usize;
    let [reader, writer, event, epoll, directory] =
        [&reader, &writer, &event, &epoll, &directory].map(|fd| fd.number() as usize);
    let at = AT_FDCWD as usize;
    let table: &[(c_long, [usize; 6])] = &[
        (SYS_read, [reader, BAD, 1, 0, 0, 0]),
        (SYS_write, [writer, BAD, 1, 0, 0, 0]),
        (SYS_readv, [reader, BAD, 1, 0, 0, 0]),
        (SYS_writev, [writer, BAD, 1, 0, 0, 0]),
        (SYS_write, [event, BAD, 8, 0, 0, 0]),
        (SYS_pipe, [BAD, 0, 0, 0, 0, 0]),
        (SYS_pipe2, [BAD, 0, 0, 0, 0, 0]),
        (SYS_poll, [BAD, 1, 0, 0, 0, 0]),
        (SYS_ppoll, [BAD, 1, zero, 0, 0, 0]),
        (SYS_ppoll, [zero, 0, BAD, 0, 0, 0]),
        (SYS_ppoll, [zero, 0, zero, BAD, 8, 0]),
        (SYS_select, [1, BAD, 0, 0, zero, 0]),
        (SYS_select, [1, 0, BAD, 0, zero, 0]),
        (SYS_select, [1, 0, 0, BAD, zero, 0]),
        (SYS_select, [0, 0, 0, 0, BAD, 0]),
        (SYS_pselect6, [0, 0, 0, 0, BAD, 0]),
        (SYS_pselect6, [0, 0, 0, 0, zero, BAD]),
        (SYS_epoll_ctl, [epoll, EPOLL_CTL_ADD as usize, reader, BAD, 0, 0]),
        (SYS_epoll_pwait, [epoll, zero, 1, 0, BAD, 8]),
        (SYS_epoll_pwait2, [epoll, zero, 1, BAD, 0, 8]),
        (SYS_open, [BAD, 0, 0, 0, 0, 0]),
        (SYS_openat, [at, BAD, 0, 0, 0, 0]),
        (SYS_stat, [BAD, zero, 0, 0, 0, 0]),
        (SYS_lstat, [BAD, zero, 0, 0, 0, 0]),
        (SYS_fstat, [reader, BAD, 0, 0, 0, 0]),
        (SYS_newfstatat, [at, BAD, zero, 0, 0, 0]),
        (SYS_access, [BAD, 0, 0, 0, 0, 0]),
        (SYS_readlink, [BAD, zero, 9, 0, 0, 0]),
        (SYS_getcwd, [BAD, 4096, 0, 0, 0, 0]),
        (SYS_chdir, [BAD, 0, 0, 0, 0, 0]),
        (SYS_mkdir, [BAD, 0, 0, 0, 0, 0]),
        (SYS_rmdir, [BAD, 0, 0, 0, 0, 0]),
        (SYS_unlink, [BAD, 0, 0, 0, 0, 0]),
        (SYS_rename, [BAD, BAD, 0, 0, 0, 0]),
        (SYS_getdents64, [directory, BAD, 4096, 0, 0, 0]),
        (SYS_ioctl, [reader, FIONREAD as usize, BAD, 0, 0, 0]),
        (SYS_clock_gettime, [1, BAD, 0, 0, 0, 0]),
        (SYS_clock_nanosleep, [1, 0, BAD, 0, 0, 0]),
        (SYS_nanosleep, [BAD, 0, 0, 0, 0, 0]),
        (SYS_gettimeofday, [BAD, 0, 0, 0, 0, 0]),
        (SYS_setitimer, [0, BAD, 0, 0, 0, 0]),
        (SYS_getitimer, [0, BAD, 0, 0, 0, 0]),
        (SYS_rt_sigaction, [10, BAD, 0, 8, 0, 0]),
        (SYS_rt_sigaction, [10, 0, BAD, 8, 0, 0]),
        (SYS_rt_sigprocmask, [0, BAD, 0, 8, 0, 0]),
        (SYS_rt_sigprocmask, [0, 0, BAD, 8, 0, 0]),
        (SYS_rt_sigpending, [BAD, 8, 0, 0, 0, 0]),
        (SYS_rt_sigsuspend, [BAD, 8, 0, 0, 0, 0]),
        (SYS_rt_sigtimedwait, [BAD, 0, zero, 8, 0, 0]),
        (SYS_sigaltstack, [BAD, 0, 0, 0, 0, 0]),
        (SYS_sigaltstack, [0, BAD, 0, 0, 0, 0]),
        (SYS_getrlimit, [RLIMIT_NOFILE as usize, BAD, 0, 0, 0, 0]),
        (SYS_setrlimit, [RLIMIT_NOFILE as usize, BAD, 0, 0, 0, 0]),
        (SYS_prlimit64, [0, RLIMIT_NOFILE as usize, BAD, 0, 0, 0]),
        (SYS_prlimit64, [0, RLIMIT_NOFILE as usize, 0, BAD, 0, 0]),
        (SYS_getrandom, [BAD, 8, 0, 0, 0, 0]),
        (SYS_uname, [BAD, 0, 0, 0, 0, 0]),
        (SYS_execve, [BAD, 0, 0, 0, 0, 0]),
        (SYS_clone3, [BAD, 64, 0, 0, 0, 0]),
        (SYS_sched_getaffinity, [0, 128, BAD, 0, 0, 0]),
    ];
    let pages = Pages::before_hole(1);
    for (number, arguments) in table {
        for bad in bad_addresses(&pages) {
            let arguments = arguments.map(|argument| if argument == BAD { bad } else { argument });
            assert_eq!(call(*number, arguments), Err(Errno::EFAULT), "call {number}, {bad:#x}");
        }
    }
}

#[test]
fn a_structure_across_the_end_of_the_mapping_is_efault() {
    let event = fd::eventfd(1, 0).unwrap().into_number() as usize;
    let table: &[(c_long, [usize; 6], usize)] = &[
        (SYS_clock_gettime, [1, BAD, 0, 0, 0, 0], 16),
        (SYS_nanosleep, [BAD, 0, 0, 0, 0, 0], 16),
        (SYS_getitimer, [0, BAD, 0, 0, 0, 0], 32),
        (SYS_getrlimit, [RLIMIT_NOFILE as usize, BAD, 0, 0, 0, 0], 16),
        (SYS_rt_sigprocmask, [0, 0, BAD, 8, 0, 0], 8),
        (SYS_pipe2, [BAD, 0, 0, 0, 0, 0], 8),
        (SYS_fstat, [event, BAD, 0, 0, 0, 0], 144),
        (SYS_uname, [BAD, 0, 0, 0, 0, 0], 390),
    ];
    for (number, arguments, size) in table {
        let pages = Pages::before_hole(1);
        for missing in [1, size / 2, size - 1] {
            let address = pages.end() - (size - missing);
            let arguments =
                arguments.map(|argument| if argument == BAD { address } else { argument });
            assert_eq!(call(*number, arguments), Err(Errno::EFAULT), "call {number}, {missing}");
        }
        let address = pages.end() - size;
        let arguments = arguments.map(|argument| if argument == BAD { address } else { argument });
        assert!(call(*number, arguments).is_ok(), "call {number}");
    }
}

#[test]
fn a_length_that_wraps_is_refused() {
    let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
    let byte = b'x';
    let address = &raw const byte as usize;
    let arguments = [writer.number() as usize, address, usize::MAX, 0, 0, 0];
    assert_eq!(call(SYS_write, arguments), Err(Errno::EFAULT));
    let arguments = [reader.number() as usize, address, usize::MAX, 0, 0, 0];
    assert_eq!(call(SYS_read, arguments), Err(Errno::EFAULT));
    assert_eq!(reader.read(1), Err(Errno::EAGAIN));
}

#[test]
fn unknown_calls_are_enosys() {
    for number in [1000, 335, 0x4000_0000, -1, i32::MAX as c_long] {
        assert_eq!(call(number, [0; 6]), Err(Errno::ENOSYS), "call {number}");
    }
}
