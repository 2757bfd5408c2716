//! intro(2): random arguments for every system call, except those that could end the machine or mount on it.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use libc::*;
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{self, KERNEL, NON_CANONICAL, PAGE, Pages, UNMAPPED};
use pollux_tests::random::Random;
use pollux_tests::{fd, limit, signal, sys};

fn call(number: c_long, arguments: [usize; 6]) -> sys::Result<usize> {
    // SAFETY: a child calls, whose memory nobody else has.
    unsafe { sys::call(number, arguments) }
}

/// The calls of the random tests. All other calls could reach beyond the child: other processes,
/// mounts, the clock, modules, power-off.
const CALLS: &[c_long] = &[
    SYS_read,
    SYS_write,
    SYS_open,
    SYS_close,
    SYS_stat,
    SYS_fstat,
    SYS_lstat,
    SYS_poll,
    SYS_lseek,
    SYS_mmap,
    SYS_mprotect,
    SYS_munmap,
    SYS_brk,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_ioctl,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_access,
    SYS_pipe,
    SYS_select,
    SYS_sched_yield,
    SYS_mremap,
    SYS_mincore,
    SYS_madvise,
    SYS_dup,
    SYS_dup2,
    SYS_pause,
    SYS_nanosleep,
    SYS_getitimer,
    SYS_getpid,
    SYS_sendfile,
    SYS_socket,
    SYS_exit,
    SYS_wait4,
    SYS_uname,
    SYS_fcntl,
    SYS_fsync,
    SYS_ftruncate,
    SYS_getdents,
    SYS_getcwd,
    SYS_fchdir,
    SYS_readlink,
    SYS_umask,
    SYS_gettimeofday,
    SYS_getrlimit,
    SYS_getrusage,
    SYS_sysinfo,
    SYS_times,
    SYS_getuid,
    SYS_getgid,
    SYS_geteuid,
    SYS_getppid,
    SYS_getpgrp,
    SYS_setsid,
    SYS_getgroups,
    SYS_rt_sigpending,
    SYS_rt_sigtimedwait,
    SYS_rt_sigsuspend,
    SYS_sigaltstack,
    SYS_statfs,
    SYS_fstatfs,
    SYS_arch_prctl,
    SYS_gettid,
    SYS_futex,
    SYS_sched_setaffinity,
    SYS_sched_getaffinity,
    SYS_getdents64,
    SYS_set_tid_address,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_epoll_ctl,
    SYS_waitid,
    SYS_openat,
    SYS_newfstatat,
    SYS_readlinkat,
    SYS_faccessat,
    SYS_pselect6,
    SYS_ppoll,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_splice,
    SYS_tee,
    SYS_vmsplice,
    SYS_epoll_pwait,
    SYS_signalfd,
    SYS_timerfd_create,
    SYS_eventfd,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_signalfd4,
    SYS_eventfd2,
    SYS_epoll_create1,
    SYS_dup3,
    SYS_pipe2,
    SYS_preadv,
    SYS_pwritev,
    SYS_prlimit64,
    SYS_getrandom,
    SYS_memfd_create,
    SYS_statx,
    SYS_rseq,
    SYS_close_range,
    SYS_faccessat2,
    SYS_epoll_pwait2,
    SYS_membarrier,
];

/// Chooses an argument of a kind that programs pass by mistake or malice.
fn argument(random: &mut Random, pages: &Pages) -> usize {
    let page = pages.start();
    let interesting = [
        0,
        1,
        2,
        3,
        4,
        5,
        7,
        8,
        16,
        63,
        64,
        255,
        1024,
        4095,
        4096,
        65536,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        1 << 32,
        1 << 47,
        KERNEL,
        NON_CANONICAL,
        usize::MAX,
        usize::MAX - 1,
        usize::MAX - 4095,
        UNMAPPED,
        page,
        page + 1,
        pages.end() - 1,
        pages.end() - 8,
        pages.end() - 100,
        pages.end(),
        isize::MAX as usize,
        isize::MIN as usize,
    ];
    match random.below(10) {
        0..=4 => random.pick(&interesting),
        5..=6 => random.below(40),
        7 => page + random.below(2 * PAGE),
        8 => 1 << random.below(64),
        _ => random.next_u64() as usize,
    }
}

/// Takes away what random calls could do harm with: the standard descriptors of the parent, and the
/// rights of root.
fn isolate() {
    let null = fd::open("/dev/null", O_RDWR, 0).unwrap();
    for number in 0..3 {
        fd::dup2(null.number(), number).unwrap();
    }
    limit::lower(RLIMIT_CORE, 0);
    limit::lower(RLIMIT_AS, 256 << 20);
    limit::lower(RLIMIT_FSIZE, 1 << 20);
    // SAFETY: no memory is involved.
    unsafe {
        assert!(setsid() > 0);
        assert_eq!(setgid(54322), 0);
        assert_eq!(setuid(54322), 0);
    }
}

/// Makes random calls until one of them ends the process or all are made.
fn make_random_calls(seed: u64, count: usize, made: &AtomicUsize) {
    let mut random = Random::new(seed);
    signal::count(SIGALRM, 0);
    signal::alarm_every(Duration::from_micros(300), Duration::from_micros(300));
    let pages = Pages::before_hole(2);
    let pipe = fd::pipe2(O_NONBLOCK);
    let event = fd::eventfd(1, EFD_NONBLOCK);
    let timer = call(SYS_timerfd_create, [1, TFD_NONBLOCK as usize, 0, 0, 0, 0]);
    let epoll = pollux_tests::epoll::create1(0);
    for _ in 0..count {
        let number = random.pick(CALLS);
        let mut arguments = core::array::from_fn(|_| argument(&mut random, &pages));
        // Memory of the program itself stays, or little could be tested after a few calls.
        let moves_memory = [SYS_munmap, SYS_mmap, SYS_mremap, SYS_mprotect, SYS_brk, SYS_madvise];
        if moves_memory.contains(&number) && arguments[0] != 0 {
            arguments[0] =
                random.pick(&[pages.start(), UNMAPPED, KERNEL, pages.start() + 1, 1 << 47]);
            arguments[1] %= 2 * PAGE;
            if number == SYS_mremap {
                arguments[3] &= 1;
            }
        }
        // These take the number of a process, which shall be the child's own.
        let names_process = [SYS_prlimit64, SYS_sched_setaffinity, SYS_sched_getaffinity];
        if names_process.contains(&number) || number == SYS_get_robust_list {
            arguments[0] = 0;
        }
        // And these would send signals to one.
        let owner = [F_SETOWN, 10, 15].map(|command| command as usize);
        if number == SYS_fcntl && owner.contains(&(arguments[1] & 0xffff_ffff)) {
            continue;
        }
        // Few shall end the child early, or make it deaf to the signal that ends its waits.
        let drastic = [SYS_exit, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction];
        if drastic.contains(&number) && !random.chance(1, 50) {
            continue;
        }
        let _ = call(number, arguments);
        made.fetch_add(1, Ordering::Relaxed);
    }
    drop((pipe, event, timer, epoll));
}

#[test]
fn random_calls_end_in_errors_or_in_the_end_of_the_program() {
    const SEEDS: u64 = 10;
    let page = memory::map_shared(1).unwrap();
    // SAFETY: the page is ours and lives as long as the process; a child may only count in it.
    let made = unsafe { &*(page as *const AtomicUsize) };
    for seed in 0..SEEDS {
        let child = child::spawn(|| {
            isolate();
            make_random_calls(seed, 1000, made);
        });
        // A call that sleeps for ever is ended after a while; that is no failure.
        let pid = child.pid();
        let waited = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(2));
            let mut info = [0_i32; 32];
            let options = (WEXITED | WNOHANG | WNOWAIT) as usize;
            let arguments =
                [P_PID as usize, pid as usize, info.as_mut_ptr() as usize, options, 0, 0];
            call(SYS_waitid, arguments).is_ok() && info[0] == SIGCHLD
        });
        if !waited {
            child.kill(SIGKILL);
        }
        let status = child.wait();
        assert!(!matches!(status, Status::Exited(101)), "seed {seed}: {status:?}");
        // The machine still works.
        let (reader, writer) = fd::pipe();
        child::run(|| assert_eq!(writer.write(b"alive"), Ok(5)));
        assert_eq!(reader.read(5).unwrap(), b"alive", "seed {seed}");
    }
    let made = made.load(Ordering::Relaxed);
    assert!(made > 2000, "only {made} calls were made");
}
