//! The thundering herd: many threads wait, one event comes, and a count of sleeps shows how many threads it woke.
//!
//! A thread that wakes for nothing sleeps again, so its voluntary switches (getrusage(2), `RUSAGE_THREAD`) count its
//! wake-ups. Without a herd each thread sleeps about once. With one, each event wakes all threads that still wait,
//! and N threads sleep N²/2 times.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use pollux_tests::epoll::Epoll;
use pollux_tests::epoll::events::{ET, EXCLUSIVE, IN};
use pollux_tests::{Fd, fd, time};

const THREADS: usize = 16;

/// The number of sleeps beyond one per thread that is allowed: a thread may also sleep for a lock inside the kernel.
const SLACK: u64 = THREADS as u64 / 2;

fn sleeps() -> u64 {
    // SAFETY: zero is a value of each field.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is ours.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
    usage.ru_nvcsw as u64
}

/// Lets [`THREADS`] threads wait, makes one event after the other, and returns the number of sleeps. Each event lets
/// exactly one thread return.
fn sleeps_of_all(wait: impl Fn(usize) + Send + Sync + 'static, give: impl Fn()) -> u64 {
    let wait = Arc::new(wait);
    let (done, results) = mpsc::channel();
    let start = |index| {
        let (wait, done) = (wait.clone(), done.clone());
        thread::spawn(move || {
            let before = sleeps();
            wait(index);
            let _ = done.send(sleeps() - before);
        })
    };
    let threads: Vec<_> = (0..THREADS).map(start).collect();
    time::settle();
    let mut total = 0;
    for _ in 0..THREADS {
        give();
        total += results.recv().unwrap();
        assert!(
            results.recv_timeout(time::SETTLE / 4).is_err(),
            "one event, one thread that returns"
        );
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    total
}

fn assert_no_herd(sleeps: u64) {
    let least = THREADS as u64;
    assert!((least..=least + SLACK).contains(&sleeps), "{THREADS} threads slept {sleeps} times");
}

fn eventfd(flags: i32) -> Arc<Fd> {
    Arc::new(fd::eventfd(0, flags).unwrap())
}

#[test]
fn a_byte_in_a_pipe_wakes_one_reader() {
    let (reader, writer) = fd::pipe();
    assert_no_herd(sleeps_of_all(
        move |_| assert_eq!(reader.read(1).unwrap().len(), 1),
        || assert_eq!(writer.write(b"x"), Ok(1)),
    ));
}

#[test]
fn an_edge_wakes_one_thread_of_an_epoll() {
    let counter = eventfd(0);
    let epoll = Epoll::new();
    epoll.add(&counter, IN | ET, 1).unwrap();
    assert_no_herd(sleeps_of_all(
        move |_| assert_eq!(epoll.wait(1, -1).unwrap().len(), 1),
        || counter.write_u64(1).unwrap(),
    ));
}

#[test]
fn an_edge_wakes_one_of_many_exclusive_epolls() {
    let counter = eventfd(0);
    let epolls: Vec<_> = (0..THREADS).map(|_| Epoll::new()).collect();
    for epoll in &epolls {
        epoll.add(&counter, IN | ET | EXCLUSIVE, 1).unwrap();
    }
    assert_no_herd(sleeps_of_all(
        move |index| assert_eq!(epolls[index].wait(1, -1).unwrap().len(), 1),
        || counter.write_u64(1).unwrap(),
    ));
}
