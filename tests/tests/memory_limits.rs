//! getrlimit(2): programs that take all memory and processes they can get meet errors, and the machine survives.

use std::thread;
use std::time::Duration;

use libc::{RLIMIT_AS, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_NPROC};
use pollux_tests::child::{self, Status};
use pollux_tests::epoll::Epoll;
use pollux_tests::epoll::events::IN;
use pollux_tests::memory::{self, PAGE};
use pollux_tests::{Errno, Fd, fd, limit, signal, sys};

const MIB: u64 = 1 << 20;

/// Checks after each bomb that the machine still does its ordinary work.
fn everything_still_works() {
    let (reader, writer) = fd::pipe();
    child::run(|| assert_eq!(writer.write(&[1; 4096]), Ok(4096)));
    assert_eq!(reader.read(4096).unwrap().len(), 4096);
    let page = memory::map(1024).unwrap();
    memory::unmap(page, 1024);
}

#[test]
fn mappings_end_at_the_limit_of_address_space() {
    child::run(|| {
        limit::lower(RLIMIT_AS, 256 * MIB);
        let mut held = Vec::with_capacity(1024);
        let error = loop {
            match memory::map(256) {
                Ok(base) => held.push(base),
                Err(error) => break error,
            }
            assert!(held.len() < 300, "more than the limit allows");
        };
        assert_eq!(error, Errno::ENOMEM);
        held.into_iter().for_each(|base| memory::unmap(base, 256));
        let base = memory::map(256).unwrap();
        memory::unmap(base, 256);
    });
    everything_still_works();
}

#[test]
fn a_bomb_of_touched_memory_ends_in_enomem_or_a_kill() {
    let status = child::status(|| {
        limit::lower(RLIMIT_AS, 64 * MIB);
        loop {
            match memory::map(64) {
                Ok(base) => {
                    for page in 0..64 {
                        // SAFETY: the page is ours.
                        unsafe { ((base + page * PAGE) as *mut u8).write_volatile(1) };
                    }
                }
                Err(error) => {
                    assert_eq!(error, Errno::ENOMEM);
                    break;
                }
            }
        }
    });
    assert!(matches!(status, Status::Exited(0) | Status::Killed(libc::SIGKILL)), "{status:?}");
    everything_still_works();
}

#[test]
fn the_break_ends_at_the_limit_of_data() {
    child::run(|| {
        limit::lower(RLIMIT_DATA, 64 * MIB);
        let brk = |address: usize| {
            // SAFETY: the break only grows.
            unsafe { sys::call(libc::SYS_brk, [address]) }.unwrap()
        };
        let start = brk(0);
        assert_eq!(brk(start + 128 * MIB as usize), start);
        assert_eq!(brk(start + PAGE), start + PAGE);
    });
}

#[test]
fn many_small_mappings_end_in_an_error() {
    child::run(|| {
        limit::lower(RLIMIT_AS, 512 * MIB);
        // Every second page is unmapped, so that no two mappings can be one.
        let mut count = 0;
        while let Ok(base) = memory::map(2) {
            memory::unmap(base + PAGE, 1);
            count += 1;
            if count > 5000 {
                break;
            }
        }
        assert!(count > 1000);
    });
    everything_still_works();
}

/// Becomes a user to whom RLIMIT_NPROC applies; Linux exempts root.
fn with_processes(most: u64) {
    limit::lower(RLIMIT_NPROC, most);
    // SAFETY: no memory is involved.
    unsafe {
        assert_eq!(libc::setgid(54321), 0);
        assert_eq!(libc::setuid(54321), 0);
    }
}

#[test]
fn a_fork_bomb_ends_in_eagain() {
    child::run(|| {
        with_processes(20);
        signal::handle(libc::SIGCHLD, 0, libc::SIG_IGN);
        let mut children = Vec::new();
        let error = loop {
            // SAFETY: the child has a copy of all memory.
            match unsafe { sys::call(libc::SYS_clone, [libc::SIGCHLD as usize]) } {
                Ok(0) => {
                    thread::sleep(Duration::from_secs(100));
                    child::exit(0);
                }
                Ok(pid) => children.push(pid as i32),
                Err(error) => break error,
            }
        };
        assert_eq!(error, Errno::EAGAIN);
        assert_eq!(children.len(), 19);
        for pid in children {
            // SAFETY: the child is ours.
            assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
        }
        assert_eq!(child::wait4(-1, 0), Err(Errno::ECHILD));
        signal::default(libc::SIGCHLD);
        child::run(|| {});
    });
    everything_still_works();
}

#[test]
fn a_fork_bomb_of_every_generation_ends() {
    child::run(|| {
        with_processes(30);
        signal::handle(libc::SIGCHLD, 0, libc::SIG_IGN);
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
        let top = sys::getpid();
        for _ in 0..10 {
            // Every process of this loop forks, until the limit holds.
            // SAFETY: the child has a copy of all memory.
            let _ = unsafe { sys::call(libc::SYS_clone, [libc::SIGCHLD as usize]) };
        }
        if sys::getpid() != top {
            thread::sleep(Duration::from_secs(100));
            child::exit(0);
        }
        signal::handle(libc::SIGUSR1, 0, libc::SIG_IGN);
        thread::sleep(Duration::from_millis(50));
        // SAFETY: the group is ours.
        unsafe { libc::kill(0, libc::SIGUSR1) };
    });
}

#[test]
fn a_bomb_of_threads_ends_in_an_error() {
    child::run(|| {
        with_processes(20);
        let mut threads = Vec::new();
        let error = loop {
            match thread::Builder::new().stack_size(65536).spawn(thread::park) {
                Ok(thread) => threads.push(thread),
                Err(error) => break error,
            }
            assert!(threads.len() < 100);
        };
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert_eq!(threads.len(), 19);
        for thread in threads {
            thread.thread().unpark();
            thread.join().unwrap();
        }
    });
    everything_still_works();
}

#[test]
fn a_bomb_of_pipes_ends_in_emfile() {
    child::run(|| {
        limit::lower(RLIMIT_NOFILE, 1024);
        let mut pipes = Vec::new();
        let error = loop {
            match fd::pipe2(libc::O_NONBLOCK) {
                Ok(pipe) => pipes.push(pipe),
                Err(error) => break error,
            }
        };
        assert_eq!(error, Errno::EMFILE);
        assert!(pipes.len() >= 500);
        // Each filled to the brim is 32 MiB in all; what cannot be had is an error, not the end.
        for (_, writer) in &pipes {
            let written = writer.write(&[1; 16 * PAGE]);
            assert!(matches!(written, Ok(_) | Err(Errno::EAGAIN | Errno::ENOMEM)), "{written:?}");
        }
    });
    everything_still_works();
}

#[test]
fn a_bomb_of_watched_files_ends_in_an_error() {
    child::run(|| {
        limit::lower(RLIMIT_NOFILE, 512);
        let event = fd::eventfd(0, 0).unwrap();
        let mut epolls = Vec::new();
        while let Ok(fd) = pollux_tests::epoll::create1(0) {
            let epoll = Epoll(fd);
            epoll.add(&event, IN, 0).unwrap();
            epolls.push(epoll);
        }
        assert!(epolls.len() > 400);
        event.write_u64(1).unwrap();
        assert!(epolls.iter().all(|epoll| epoll.now().len() == 1));
    });
    everything_still_works();
}

#[test]
fn a_file_ends_at_the_limit_of_its_size() {
    child::run(|| {
        signal::count(libc::SIGXFSZ, 0);
        limit::lower(RLIMIT_FSIZE, 10);
        let flags = libc::O_CREAT | libc::O_TRUNC | libc::O_WRONLY;
        let file = fd::open("/tmp/limit", flags, 0o600).unwrap();
        assert_eq!(file.write(&[1; 20]), Ok(10));
        assert_eq!(file.write(&[1; 20]), Err(Errno::EFBIG));
        assert_eq!(signal::seen(libc::SIGXFSZ), 1);
        let (_reader, writer): (Fd, Fd) = fd::pipe();
        assert_eq!(writer.write(&[1; 20]), Ok(20), "a pipe is no file of a size");
    });
}
