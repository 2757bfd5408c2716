//! errno(3), ENOMEM: an ordinary user who takes all memory, of whatever kind, meets errors; others go on.
//!
//! On Linux, whoever takes too much may be killed instead. The kit boots a machine with little memory for these tests;
//! with more than [`LITTLE`] they do nothing, because they would take minutes.

use core::ptr;
use std::thread;
use std::time::Duration;

use libc::{
    MADV_DONTFORK, MAP_ANONYMOUS, MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE, PROT_NONE, PROT_READ,
    PROT_WRITE,
};
use pollux_tests::child::{self, Child, Status};
use pollux_tests::memory::{self, PAGE};
use pollux_tests::sys::{self, Result};
use pollux_tests::{Errno, fd, limit};

/// The most memory with which the tests run, in bytes.
const LITTLE: usize = 600 << 20;

/// The user without privileges.
const USER: usize = 1000;

/// What ends a bomb: an error that says that something is used up.
const USED_UP: [Errno; 6] =
    [Errno::ENOMEM, Errno::ENOSPC, Errno::ENOBUFS, Errno::EAGAIN, Errno::EMFILE, Errno::ENFILE];

fn memory_figures() -> (usize, usize) {
    // SAFETY: `sysinfo` is plain data.
    let mut info: libc::sysinfo = unsafe { core::mem::zeroed() };
    // SAFETY: the structure is ours.
    assert_eq!(unsafe { libc::sysinfo(&mut info) }, 0);
    let bytes = |count: u64| count as usize * info.mem_unit as usize;
    (bytes(info.totalram), bytes(info.freeram))
}

/// Starts `bomb` as an ordinary user.
fn as_user(bomb: impl FnOnce()) -> Child {
    child::spawn(|| {
        // SAFETY: the kernel reads a string.
        unsafe {
            let _ = sys::call(libc::SYS_chmod, [c"/tmp".as_ptr().addr(), 0o1777]);
            sys::call(libc::SYS_setgid, [USER]).unwrap();
            sys::call(libc::SYS_setuid, [USER]).unwrap();
        }
        bomb();
    })
}

/// Runs `bomb` as an ordinary user, and checks that it ends and that root goes on meanwhile and after it.
fn explode(bomb: impl FnOnce()) {
    if memory_figures().0 > LITTLE {
        return;
    }
    let child = as_user(bomb);
    for _ in 0..5 {
        child::run(|| ());
        thread::sleep(Duration::from_millis(20));
    }
    let status = child.wait();
    assert!(matches!(status, Status::Exited(0) | Status::Killed(libc::SIGKILL)), "{status:?}");
    let (reader, writer) = fd::pipe();
    child::run(|| assert_eq!(writer.write(&[1; 4096]), Ok(4096)));
    assert_eq!(reader.read(4096).unwrap().len(), 4096);
}

/// Repeats `step` until it fails, which it must do for a good reason; returns how often it succeeded.
fn until_used_up(most: usize, mut step: impl FnMut(usize) -> Result<usize>) -> usize {
    for count in 0..most {
        if let Err(error) = step(count) {
            assert!(USED_UP.contains(&error), "{error:?} after {count}");
            return count;
        }
    }
    most
}

/// Takes all memory, in a mapping that stays.
fn eat() {
    for _ in 0..3 {
        let len = memory_figures().1 / PAGE * PAGE;
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE;
        // SAFETY: a new mapping takes nothing from anybody.
        let _ = unsafe {
            libc::mmap(ptr::null_mut(), len.max(PAGE), PROT_READ | PROT_WRITE, flags, -1, 0)
        };
    }
}

/// A directory of its own for names.
fn directory(name: &str) -> String {
    let path = format!("/tmp/{name}-{}", std::process::id());
    std::fs::create_dir(&path).unwrap();
    path
}

fn path_call(number: libc::c_long, first: &str, second: &str) -> Result<usize> {
    let (first, second) = (format!("{first}\0"), format!("{second}\0"));
    // SAFETY: the kernel reads both strings.
    unsafe { sys::call(number, [first.as_ptr().addr(), second.as_ptr().addr()]) }
}

#[test]
fn hard_links_with_long_names_are_counted() {
    explode(|| {
        let place = directory("links");
        let file = format!("{place}/file");
        std::fs::write(&file, "").unwrap();
        let made = until_used_up(300_000, |n| {
            path_call(libc::SYS_link, &file, &format!("{place}/{n:0240}"))
        });
        assert!((100..300_000).contains(&made), "{made}");
        (0..made).for_each(|n| std::fs::remove_file(format!("{place}/{n:0240}")).unwrap());
        std::fs::remove_file(&file).unwrap();
        std::fs::remove_dir(&place).unwrap();
    });
}

#[test]
fn links_that_are_removed_make_room_for_others() {
    child::run(|| {
        let place = directory("again");
        let file = format!("{place}/file");
        std::fs::write(&file, "").unwrap();
        let free = || {
            let path = format!("{place}\0");
            // SAFETY: `statfs` is plain data, and the kernel fills it.
            let mut info: libc::statfs = unsafe { core::mem::zeroed() };
            // SAFETY: as above.
            assert_eq!(unsafe { libc::statfs(path.as_ptr().cast(), &mut info) }, 0);
            info.f_ffree
        };
        let before = free();
        for n in 0..10 {
            path_call(libc::SYS_link, &file, &format!("{place}/{n}")).unwrap();
        }
        // Another file's name is replaced, and a name by itself moved.
        std::fs::write(format!("{place}/other"), "").unwrap();
        std::fs::rename(format!("{place}/0"), format!("{place}/other")).unwrap();
        std::fs::rename(format!("{place}/1"), format!("{place}/moved")).unwrap();
        // The first name goes first: the inode stays.
        std::fs::remove_file(&file).unwrap();
        std::fs::read_dir(&place)
            .unwrap()
            .for_each(|name| std::fs::remove_file(name.unwrap().path()).unwrap());
        assert_eq!(free(), before + 1);
        std::fs::remove_dir(&place).unwrap();
    });
}

#[test]
fn long_targets_of_symbolic_links_end_in_an_error() {
    explode(|| {
        let place = directory("targets");
        let target = "t".repeat(4095);
        let made = until_used_up(300_000, |n| {
            path_call(libc::SYS_symlink, &target, &format!("{place}/{n}"))
        });
        (0..made).for_each(|n| std::fs::remove_file(format!("{place}/{n}")).unwrap());
        std::fs::remove_dir(&place).unwrap();
    });
}

#[test]
fn queued_datagrams_end_in_an_error() {
    explode(|| {
        let bytes = [1_u8; 60_000];
        let mut held = Vec::new();
        until_used_up(1000, |_| {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0")
                .map_err(|error| Errno(error.raw_os_error().unwrap()))?;
            let address = socket.local_addr().unwrap();
            // What the queue has no room for is dropped.
            for _ in 0..8 {
                socket
                    .send_to(&bytes, address)
                    .map_err(|error| Errno(error.raw_os_error().unwrap()))?;
            }
            held.push(socket);
            Ok(0)
        });
    });
}

#[test]
fn areas_cut_when_memory_is_used_up_end_in_an_error_and_can_be_unmapped() {
    explode(|| {
        const AREAS: usize = 32_000;
        let len = 2 * AREAS * PAGE;
        // SAFETY: a new mapping takes nothing from anybody.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1,
                0,
            )
        };
        assert_ne!(base, libc::MAP_FAILED);
        let base = base as usize;
        // SAFETY: the pages are ours, and nobody uses them.
        let half = until_used_up(AREAS / 2, |n| unsafe {
            sys::call(libc::SYS_mprotect, [base + 2 * n * PAGE, PAGE, PROT_READ as usize])
        });
        eat();
        // SAFETY: as above.
        until_used_up(AREAS - half, |n| unsafe {
            sys::call(
                libc::SYS_madvise,
                [base + 2 * (half + n) * PAGE, PAGE, MADV_DONTFORK as usize],
            )
        });
        // SAFETY: as above.
        assert_eq!(unsafe { sys::call(libc::SYS_munmap, [base, len]) }, Ok(0));
    });
}

#[test]
fn a_process_with_many_areas_forks_or_gets_an_error() {
    explode(|| {
        const AREAS: usize = 30_000;
        // SAFETY: a new mapping takes nothing from anybody.
        let base = unsafe {
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
            libc::mmap(ptr::null_mut(), 2 * AREAS * PAGE, PROT_NONE, flags, -1, 0)
        };
        assert_ne!(base, libc::MAP_FAILED);
        // SAFETY: the pages are ours, and nobody uses them.
        until_used_up(AREAS, |n| unsafe {
            sys::call(libc::SYS_mprotect, [base as usize + 2 * n * PAGE, PAGE, PROT_READ as usize])
        });
        eat();
        for _ in 0..5 {
            // SAFETY: the child ends at once.
            match unsafe { libc::fork() } {
                -1 => {}
                // SAFETY: as above.
                0 => unsafe { libc::_exit(0) },
                pid => {
                    let _ = child::wait4(pid, 0);
                }
            }
        }
    });
}

#[test]
fn large_arguments_when_memory_is_used_up_end_in_an_error() {
    explode(|| {
        let argument = "a".repeat(120_000) + "\0";
        let mut argv = vec![c"x".as_ptr()];
        argv.extend([argument.as_ptr().cast(); 15]);
        argv.push(ptr::null());
        eat();
        // No test has that name, so that the program ends at once if it can be started.
        // SAFETY: both arrays end with a null pointer.
        let error = unsafe {
            sys::call(
                libc::SYS_execve,
                [
                    c"/proc/self/exe".as_ptr().addr(),
                    argv.as_ptr().addr(),
                    [ptr::null::<u8>()].as_ptr().addr(),
                ],
            )
        };
        assert!(matches!(error, Err(Errno::ENOMEM | Errno::E2BIG)), "{error:?}");
    });
}

#[test]
fn a_fork_bomb_leaves_root_its_processes() {
    if memory_figures().0 > LITTLE {
        return;
    }
    let bomb = as_user(|| {
        // SAFETY: no memory is involved.
        unsafe { libc::setpgid(0, 0) };
        loop {
            // SAFETY: the children do the same.
            if unsafe { libc::fork() } < 0 {
                thread::sleep(Duration::from_millis(5));
            }
        }
    });
    let mut failures = 0;
    for _ in 0..30 {
        thread::sleep(Duration::from_millis(20));
        // SAFETY: the child ends at once.
        match unsafe { libc::fork() } {
            -1 => failures += 1,
            // SAFETY: as above.
            0 => unsafe { libc::_exit(0) },
            pid => {
                child::wait4(pid, 0).unwrap();
            }
        }
    }
    // Again and again: a process that is just being made misses a signal.
    for _ in 0..50 {
        // SAFETY: no memory is involved.
        unsafe { libc::kill(-bomb.pid(), libc::SIGKILL) };
        thread::sleep(Duration::from_millis(20));
    }
    drop(bomb);
    assert_eq!(failures, 0);
}

#[test]
fn vectors_of_blocked_writers_are_counted() {
    explode(|| {
        let (_reader, writer) = fd::pipe();
        limit::lower(libc::RLIMIT_STACK, 64 << 10);
        let byte = [0_u8; 64];
        let vector = vec![libc::iovec { iov_base: byte.as_ptr() as *mut _, iov_len: 64 }; 1024];
        let address = vector.as_ptr().addr();
        let number = writer.number();
        for _ in 0..200 {
            let started = thread::Builder::new().stack_size(16 << 10).spawn(move || {
                thread::sleep(Duration::from_millis(300));
                // SAFETY: the kernel reads the vector, which stays as long as the process.
                let _ = unsafe { sys::call(libc::SYS_writev, [number as usize, address, 1024]) };
            });
            if started.is_err() {
                break;
            }
        }
        eat();
        thread::sleep(Duration::from_millis(600));
    });
}

#[test]
fn memory_is_there_again_after_all_of_this() {
    if memory_figures().0 > LITTLE {
        return;
    }
    let page = memory::map(1024).unwrap();
    for page in (page..page + 1024 * PAGE).step_by(PAGE) {
        // SAFETY: the page is ours.
        unsafe { (page as *mut u8).write_volatile(1) };
    }
    memory::unmap(page, 1024);
}
