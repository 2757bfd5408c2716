//! errno(3), ENOMEM: a call that finds no memory returns an error, changes nothing and keeps nothing.
//!
//! The kit boots Pollux so that the allocations of ordinary users fail now and then (`fail_alloc=`), and says so by
//! `POLLUX_SCARCE`. Elsewhere there is nothing to see, and calls that cannot fail may block.

use core::ptr;
use std::thread;
use std::time::{Duration, Instant};

use libc::{MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE};
use pollux_tests::child;
use pollux_tests::memory::PAGE;
use pollux_tests::random::Random;
use pollux_tests::sys;

/// The user whose allocations fail.
const USER: usize = 1000;

/// How often each process does something.
const STEPS: usize = 400;

/// What may be missing in the end: caches of the kernel that were not full before.
const MARGIN: usize = 3 << 20;

/// Makes a call whose failure is no failure of the test.
fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) {
    // SAFETY: the callers pass memory of their own, or none.
    let _ = unsafe { sys::call(number, arguments) };
}

/// Makes descriptors, which the end of the step closes.
fn descriptors(random: &mut Random) {
    let mut ends = [-1_i32; 2];
    let at = (&raw mut ends).addr();
    match random.below(9) {
        0 => call(libc::SYS_pipe2, [at, libc::O_NONBLOCK as usize]),
        1 => {
            call(libc::SYS_socketpair, [libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0, at])
        }
        2 => call(libc::SYS_socketpair, [libc::AF_UNIX as usize, libc::SOCK_DGRAM as usize, 0, at]),
        3 => call(libc::SYS_eventfd2, [0, 0]),
        4 => call(libc::SYS_timerfd_create, [0, 0]),
        5 => call(libc::SYS_epoll_create1, [0]),
        6 => call(libc::SYS_memfd_create, [c"m".as_ptr().addr(), 0]),
        7 => call(libc::SYS_socket, [libc::AF_INET as usize, libc::SOCK_DGRAM as usize, 0]),
        _ => call(libc::SYS_open, [c"/proc/self/maps".as_ptr().addr(), libc::O_RDONLY as usize]),
    }
}

/// Uses whatever descriptors there are.
fn transfers(random: &mut Random) {
    let mut bytes = [7_u8; 9000];
    let at = (&raw mut bytes).addr();
    let fd = random.below(40) + 3;
    let other = random.below(40) + 3;
    match random.below(9) {
        0 => call(libc::SYS_write, [fd, at, 9000]),
        1 => call(libc::SYS_fcntl, [fd, libc::F_SETFL as usize, libc::O_NONBLOCK as usize]),
        2 => {
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 1 };
            call(libc::SYS_epoll_ctl, [fd, 1, other, (&raw mut event).addr()]);
        }
        3 => call(libc::SYS_dup, [fd]),
        4 => {
            let address = libc::sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: 0,
                sin_addr: libc::in_addr { s_addr: u32::from_be_bytes([127, 0, 0, 1]).to_be() },
                sin_zero: [0; 8],
            };
            call(libc::SYS_bind, [fd, (&raw const address).addr(), size_of_val(&address)]);
        }
        5 => {
            let lock = libc::flock {
                l_type: libc::F_WRLCK as i16,
                l_whence: 0,
                l_start: random.below(100) as i64,
                l_len: 1,
                l_pid: 0,
            };
            call(libc::SYS_fcntl, [fd, libc::F_SETLK as usize, (&raw const lock).addr()]);
        }
        6 => call(libc::SYS_sendfile, [fd, other, 0, 5000]),
        7 => {
            let vector = [libc::iovec { iov_base: at as *mut _, iov_len: 100 }; 20];
            call(libc::SYS_writev, [fd, vector.as_ptr().addr(), 20]);
        }
        _ => {
            let mut set = [libc::pollfd { fd: fd as i32, events: libc::POLLIN, revents: 0 }; 100];
            call(libc::SYS_poll, [set.as_mut_ptr().addr(), 100, 0]);
        }
    }
}

/// Makes and removes names, mappings, timers and processes.
fn others(random: &mut Random, place: usize) {
    let name = format!("/tmp/faults-{}\0", random.below(20));
    let other = format!("/tmp/faults-{}\0", random.below(20));
    let (name, other) = (name.as_ptr().addr(), other.as_ptr().addr());
    let page = place + random.below(64) * PAGE;
    match random.below(13) {
        0 => call(libc::SYS_mkdir, [name, 0o700]),
        1 => call(libc::SYS_symlink, [name, other]),
        2 => call(libc::SYS_link, [name, other]),
        3 => call(libc::SYS_rename, [name, other]),
        4 => call(libc::SYS_open, [name, (libc::O_CREAT | libc::O_RDWR) as usize, 0o600]),
        5 => call(libc::SYS_unlink, [name]),
        6 => call(libc::SYS_mprotect, [page, PAGE, PROT_READ as usize]),
        7 => call(libc::SYS_munmap, [page, PAGE]),
        8 => {
            let sharing = if random.below(2) == 0 { MAP_SHARED } else { MAP_PRIVATE };
            let flags = (MAP_ANONYMOUS | MAP_FIXED | sharing) as usize;
            let protection = (PROT_READ | PROT_WRITE) as usize;
            call(libc::SYS_mmap, [page, 2 * PAGE, protection, flags, usize::MAX, 0]);
        }
        9 => call(libc::SYS_mremap, [page, PAGE, 3 * PAGE, libc::MREMAP_MAYMOVE as usize]),
        10 => {
            let mut id = 0_i32;
            call(libc::SYS_timer_create, [0, 0, (&raw mut id).addr()]);
        }
        11 => call(libc::SYS_rmdir, [name]),
        // SAFETY: the child ends at once, or becomes a program that does.
        _ => match unsafe { libc::fork() } {
            -1 => {}
            0 => {
                let arguments = [c"x".as_ptr(), c"no test".as_ptr(), ptr::null()];
                let nothing = [ptr::null::<u8>()];
                call(
                    libc::SYS_execve,
                    [
                        c"/bin/nothing".as_ptr().addr(),
                        arguments.as_ptr().addr(),
                        nothing.as_ptr().addr(),
                    ],
                );
                child::exit(0);
            }
            pid => {
                let _ = child::wait4(pid, 0);
            }
        },
    }
}

/// What an ordinary user does in one process, as a seed says.
fn session(seed: u64) {
    let mut random = Random::new(seed);
    // SAFETY: a new mapping takes nothing from anybody. It has room for what the calls map over and behind it.
    let place = unsafe {
        libc::mmap(
            ptr::null_mut(),
            128 * PAGE,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if place == libc::MAP_FAILED {
        return;
    }
    for step in 0..STEPS {
        match random.below(3) {
            0 => descriptors(&mut random),
            1 => transfers(&mut random),
            _ => others(&mut random, place as usize),
        }
        if step % 50 == 49 {
            call(libc::SYS_close_range, [3, u32::MAX as usize, 0]);
        }
    }
}

fn free() -> usize {
    // SAFETY: `sysinfo` is plain data.
    let mut info: libc::sysinfo = unsafe { core::mem::zeroed() };
    // SAFETY: the structure is ours.
    assert_eq!(unsafe { libc::sysinfo(&mut info) }, 0);
    info.freeram as usize * info.mem_unit as usize
}

/// Runs sessions, removes the names that they leave, and returns what is free afterwards.
fn round(first: u64, sessions: u64) -> usize {
    for seed in first..first + sessions {
        // However it ends: the program itself may find no memory.
        let session = child::spawn(|| {
            call(libc::SYS_chmod, [c"/tmp".as_ptr().addr(), 0o1777]);
            call(libc::SYS_setgid, [USER]);
            call(libc::SYS_setuid, [USER]);
            session(seed);
            child::exit(0);
        });
        child::wait4(session.pid(), 0).unwrap();
        core::mem::forget(session);
    }
    for number in 0..20 {
        let name = format!("/tmp/faults-{number}");
        let _ = std::fs::remove_file(&name).or_else(|_| std::fs::remove_dir_all(&name));
    }
    // What was unmapped becomes free when each CPU has changed tasks.
    thread::sleep(Duration::from_millis(300));
    free()
}

#[test]
fn calls_that_find_no_memory_fail_and_keep_nothing() {
    if std::env::var_os("POLLUX_SCARCE").is_none() {
        return;
    }
    let sessions = if std::env::var_os("POLLUX_LONG").is_some() { 400 } else { 25 };
    round(1000, 10);
    let before = round(2000, sessions);
    let begin = Instant::now();
    let mut after = round(3000, sessions);
    while after + MARGIN < before && begin.elapsed() < Duration::from_secs(20) {
        after = round(4000, 2);
    }
    assert!(after + MARGIN >= before, "{before} bytes were free, {after} are now");
    // Those who are spared find everything in order.
    child::run(|| session(7));
}
