//! getrlimit(2), epoll(7), sigqueue(3): limits that are a user's, not a process's or the machine's.

use std::fs;

use pollux_tests::epoll::Epoll;
use pollux_tests::epoll::events::IN;
use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, fd, limit, signal, sys};

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: the calls used here read memory at most.
    unsafe { sys::call(number, arguments) }
}

fn become_user(uid: usize) {
    assert_eq!(call(libc::SYS_setresgid, [uid; 3]), Ok(0));
    assert_eq!(call(libc::SYS_setresuid, [uid; 3]), Ok(0));
}

/// Queues a real-time signal with a value.
fn queue(pid: i32) -> Result<usize> {
    let mut words = [0_u64; 16];
    // SI_QUEUE, which a program may pass.
    words[1] = u64::from((-1_i32).cast_unsigned());
    call(
        libc::SYS_rt_sigqueueinfo,
        [pid as usize, libc::SIGRTMIN() as usize, words.as_ptr().addr()],
    )
}

#[test]
fn queued_signals_of_a_users_processes_count_together() {
    child::run(|| {
        limit::set(libc::RLIMIT_SIGPENDING, 10, 10).unwrap();
        become_user(1700);
        signal::block(&[libc::SIGRTMIN()]);
        let (ready, report) = fd::pipe();
        let (orders, order) = fd::pipe();
        let other = child::spawn(|| {
            let me = sys::getpid();
            let mut queued = 0;
            while queue(me) == Ok(0) {
                queued += 1;
            }
            assert_eq!(queued, 10);
            assert_eq!(queue(me), Err(Errno::EAGAIN));
            report.write(b"x").unwrap();
            orders.read(1).unwrap();
        });
        assert_eq!(ready.read(1).unwrap(), b"x");
        assert_eq!(queue(sys::getpid()), Err(Errno::EAGAIN));
        let status = fs::read_to_string("/proc/self/status").unwrap();
        assert!(status.contains("SigQ:\t10/10\n"), "{status}");
        // Standard signals find room in any case.
        signal::block(&[libc::SIGUSR1]);
        assert_eq!(signal::send(sys::getpid(), libc::SIGUSR1), Ok(()));
        child::run(|| {
            // Another user's processes are not concerned; this one may not become one, so it looks at its limit.
            assert_eq!(queue(sys::getpid()), Err(Errno::EAGAIN));
        });
        order.write(b"x").unwrap();
        other.join();
        assert_eq!(queue(sys::getpid()), Ok(0));
    });
}

#[test]
fn another_users_queued_signals_do_not_count() {
    let (ready, report) = fd::pipe();
    let (orders, order) = fd::pipe();
    let full = child::spawn(|| {
        limit::set(libc::RLIMIT_SIGPENDING, 10, 10).unwrap();
        become_user(1701);
        signal::block(&[libc::SIGRTMIN()]);
        while queue(sys::getpid()) == Ok(0) {}
        report.write(b"x").unwrap();
        orders.read(1).unwrap();
    });
    assert_eq!(ready.read(1).unwrap(), b"x");
    child::run(|| {
        limit::set(libc::RLIMIT_SIGPENDING, 10, 10).unwrap();
        become_user(1702);
        signal::block(&[libc::SIGRTMIN()]);
        assert_eq!(queue(sys::getpid()), Ok(0));
    });
    order.write(b"x").unwrap();
    full.join();
}

#[test]
fn another_users_processes_do_not_count() {
    let (ready, report) = fd::pipe();
    let (orders, order) = fd::pipe();
    let full = child::spawn(|| {
        become_user(1703);
        limit::set(libc::RLIMIT_NPROC, 5, 5).unwrap();
        let mut children = Vec::new();
        // SAFETY: the children use their own copies of the memory.
        while let Ok(pid) = call(libc::SYS_fork, [0; 0]) {
            if pid == 0 {
                loop {
                    // SAFETY: no memory is involved.
                    unsafe { libc::pause() };
                }
            }
            children.push(pid as i32);
        }
        assert_eq!(children.len(), 4);
        assert_eq!(call(libc::SYS_fork, [0; 0]), Err(Errno::EAGAIN));
        report.write(b"x").unwrap();
        orders.read(1).unwrap();
        for pid in children {
            signal::send(pid, libc::SIGKILL).unwrap();
            child::wait4(pid, 0).unwrap();
        }
    });
    assert_eq!(ready.read(1).unwrap(), b"x");
    child::run(|| {
        become_user(1704);
        limit::set(libc::RLIMIT_NPROC, 5, 5).unwrap();
        child::run(|| {});
    });
    order.write(b"x").unwrap();
    full.join();
}

#[test]
fn another_users_epoll_items_do_not_count() {
    let (reader, _writer) = fd::pipe();
    let (ready, report) = fd::pipe();
    let (orders, order) = fd::pipe();
    let full = child::spawn(|| {
        limit::set(libc::RLIMIT_NOFILE, 4096, 4096).unwrap();
        become_user(1705);
        let copies: Vec<_> = (0..1000).map(|_| reader.dup().unwrap()).collect();
        let mut instances = Vec::new();
        // The limit depends on memory: it is found where memory is small, and never found where it is large.
        'all: for _ in 0..200 {
            let epoll = Epoll::new();
            for copy in &copies {
                if epoll.add(copy, IN, 0).is_err() {
                    break 'all;
                }
            }
            instances.push(epoll);
        }
        report.write(b"x").unwrap();
        orders.read(1).unwrap();
    });
    assert_eq!(ready.read(1).unwrap(), b"x");
    child::run(|| {
        become_user(1706);
        let epoll = Epoll::new();
        epoll.add(&reader, IN, 0).unwrap();
    });
    order.write(b"x").unwrap();
    full.join();
}
