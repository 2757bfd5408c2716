//! epoll_wait(2): waiting in one or several threads, and the array of events.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use libc::EFD_NONBLOCK;
use pollux_tests::epoll::events::{ET, EXCLUSIVE, IN, ONESHOT};
use pollux_tests::epoll::{self, EVENT_SIZE, Epoll, Event, event};
use pollux_tests::memory::{KERNEL, Pages, UNMAPPED};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, child, fd, signal, sys};

fn eventfd(initial: u32) -> Fd {
    fd::eventfd(initial, EFD_NONBLOCK).unwrap()
}

/// Makes an instance with `count` ready items, whose data are 0, 1, 2, …
fn ready(count: usize, events: u32) -> (Epoll, Vec<Fd>) {
    let epoll = Epoll::new();
    let counters: Vec<_> = (0..count).map(|_| eventfd(1)).collect();
    for (data, counter) in (0..).zip(&counters) {
        epoll.add(counter, events, data).unwrap();
    }
    (epoll, counters)
}

/// Starts threads that each wait once for one event. They send their results through the channel.
fn waiters(
    epolls: impl IntoIterator<Item = Arc<Epoll>>,
) -> (Receiver<sys::Result<Vec<Event>>>, Vec<JoinHandle<()>>) {
    let (got, results) = mpsc::channel();
    let start = |epoll: Arc<Epoll>| {
        let got = got.clone();
        thread::spawn(move || {
            let _ = got.send(epoll.wait(1, -1));
        })
    };
    let threads = epolls.into_iter().map(start).collect();
    time::settle();
    (results, threads)
}

#[test]
fn a_timeout_returns_nothing_and_no_earlier() {
    let epoll = Epoll::new();
    assert_eq!(time::at_least(ms(30), || epoll.wait(1, 30)), Ok(vec![]));
    assert_eq!(time::at_once(|| epoll.wait(1, 0)), Ok(vec![]));
}

#[test]
fn every_negative_timeout_waits_for_ever() {
    for timeout in [-1, -7, i32::MIN] {
        let epoll = Epoll::new();
        let counter = eventfd(0);
        epoll.add(&counter, IN, 1).unwrap();
        let writer = counter.dup().unwrap();
        let write = time::soon(move || writer.write_u64(1));
        assert_eq!(epoll.wait(8, timeout), Ok(vec![event(IN, 1)]));
        write.join().unwrap().unwrap();
    }
}

#[test]
fn maxevents_must_be_positive_and_not_absurd() {
    let (epoll, _counters) = ready(1, IN);
    let pages = Pages::before_hole(1);
    for max in [0, -1, i32::MIN, i32::MAX / EVENT_SIZE as i32 + 1] {
        // SAFETY: the page is ours.
        let result = unsafe { epoll::wait_at(epoll.number(), pages.start(), max, 0) };
        assert_eq!(result, Err(Errno::EINVAL), "{max}");
    }
    // SAFETY: the page is ours, and there is one event to write.
    let result = unsafe { epoll::wait_at(epoll.number(), pages.start(), 1_000_000, 0) };
    assert_eq!(result, Ok(1));
}

#[test]
fn what_is_no_instance_is_refused() {
    let counter = eventfd(1);
    assert_eq!(epoll::wait(counter.number(), 1, 0), Err(Errno::EINVAL));
    assert_eq!(epoll::wait(-1, 1, 0), Err(Errno::EBADF));
    assert_eq!(epoll::wait(999, 1, 0), Err(Errno::EBADF));
}

#[test]
fn a_bad_address_is_efault_and_loses_no_event() {
    for flags in [0, ET, ONESHOT] {
        let (epoll, _counters) = ready(2, IN | flags);
        for address in [0, UNMAPPED, KERNEL] {
            // SAFETY: nothing of ours is there.
            let result = unsafe { epoll::wait_at(epoll.number(), address, 2, -1) };
            assert_eq!(result, Err(Errno::EFAULT));
        }
        assert_eq!(epoll.now(), [event(IN, 0), event(IN, 1)]);
    }
}

#[test]
fn an_unmapped_array_is_not_noticed_while_nothing_is_ready() {
    let epoll = Epoll::new();
    // SAFETY: nothing is mapped there.
    assert_eq!(unsafe { epoll::wait_at(epoll.number(), UNMAPPED, 1, 0) }, Ok(0));
    // SAFETY: nothing of ours is there.
    let kernel = unsafe { epoll::wait_at(epoll.number(), KERNEL, 1, 0) };
    assert_eq!(kernel, Err(Errno::EFAULT));
}

#[test]
fn a_partly_mapped_array_takes_what_fits_and_loses_no_event() {
    for flags in [0, ET, ONESHOT] {
        let (epoll, counters) = ready(3, IN | flags);
        let pages = Pages::before_hole(1);
        let address = pages.end() - EVENT_SIZE - 5;
        // SAFETY: the mapped part is ours.
        let call = || unsafe { epoll::wait_at(epoll.number(), address, 3, 0) };
        assert_eq!(call(), Ok(1));
        let first: libc::epoll_event = pages.value(address);
        assert_eq!(({ first.events }, { first.u64 }), (IN, 0));
        counters[0].read_u64().unwrap();
        assert_eq!(epoll.now(), [event(IN, 1), event(IN, 2)]);
    }
}

#[test]
fn the_array_needs_no_alignment() {
    let (epoll, _counters) = ready(3, IN);
    let pages = Pages::before_hole(2);
    for offset in 0..16 {
        let address = pages.start() + 4096 - 20 + offset;
        // SAFETY: the pages are ours.
        assert_eq!(unsafe { epoll::wait_at(epoll.number(), address, 3, 0) }, Ok(3));
        let mut data: Vec<u64> = (0..3)
            .map(|index| pages.value::<libc::epoll_event>(address + index * EVENT_SIZE).u64)
            .collect();
        data.sort();
        assert_eq!(data, [0, 1, 2]);
    }
}

#[test]
fn nothing_is_written_behind_the_last_event() {
    let (epoll, _counters) = ready(1, IN);
    let pages = Pages::before_hole(1);
    let address = pages.place(&[0x77_u8; 4 * EVENT_SIZE], 0);
    // SAFETY: the page is ours.
    assert_eq!(unsafe { epoll::wait_at(epoll.number(), address, 4, 0) }, Ok(1));
    assert_eq!(pages.value::<[u8; 3 * EVENT_SIZE]>(address + EVENT_SIZE), [0x77; 3 * EVENT_SIZE]);
}

#[test]
fn one_edge_wakes_one_of_several_threads() {
    let epoll = Arc::new(Epoll::new());
    let counter = eventfd(0);
    epoll.add(&counter, IN | ET, 1).unwrap();
    let (results, threads) = waiters(vec![epoll.clone(); 4]);
    for _ in 0..4 {
        counter.write_u64(1).unwrap();
        assert_eq!(results.recv().unwrap(), Ok(vec![event(IN, 1)]));
        assert!(results.recv_timeout(time::SETTLE).is_err(), "one event, one wake");
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_level_that_holds_wakes_all_threads_one_after_the_other() {
    let epoll = Arc::new(Epoll::new());
    let counter = eventfd(0);
    epoll.add(&counter, IN, 1).unwrap();
    let (results, threads) = waiters(vec![epoll.clone(); 4]);
    counter.write_u64(1).unwrap();
    for _ in 0..4 {
        assert_eq!(results.recv().unwrap(), Ok(vec![event(IN, 1)]));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn several_events_wake_as_many_threads() {
    let epoll = Arc::new(Epoll::new());
    let counters: Vec<_> = (0..3).map(|_| eventfd(0)).collect();
    for (data, counter) in (0..).zip(&counters) {
        epoll.add(counter, IN | ONESHOT, data).unwrap();
    }
    let (results, threads) = waiters(vec![epoll.clone(); 3]);
    for counter in &counters {
        counter.write_u64(1).unwrap();
    }
    let mut data: Vec<u64> = (0..3).map(|_| results.recv().unwrap().unwrap()[0].data).collect();
    data.sort();
    assert_eq!(data, [0, 1, 2]);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn every_instance_that_watches_a_file_is_woken() {
    let epolls: Vec<_> = (0..3).map(|_| Arc::new(Epoll::new())).collect();
    let counter = eventfd(0);
    for epoll in &epolls {
        epoll.add(&counter, IN | ET, 1).unwrap();
    }
    let (results, threads) = waiters(epolls);
    counter.write_u64(1).unwrap();
    for _ in 0..3 {
        assert_eq!(results.recv().unwrap(), Ok(vec![event(IN, 1)]));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn exclusive_wakes_one_of_the_instances_that_watch_a_file() {
    let epolls: Vec<_> = (0..3).map(|_| Arc::new(Epoll::new())).collect();
    let counter = eventfd(0);
    for epoll in &epolls {
        epoll.add(&counter, IN | ET | EXCLUSIVE, 1).unwrap();
    }
    let (results, threads) = waiters(epolls);
    for _ in 0..3 {
        counter.write_u64(1).unwrap();
        assert_eq!(results.recv().unwrap(), Ok(vec![event(IN, 1)]));
        assert!(results.recv_timeout(time::SETTLE).is_err(), "one event, one wake");
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn an_exclusive_event_passes_by_an_instance_nobody_waits_on() {
    let idle = Epoll::new();
    let waited = Arc::new(Epoll::new());
    let counter = eventfd(0);
    idle.add(&counter, IN | EXCLUSIVE, 1).unwrap();
    waited.add(&counter, IN | EXCLUSIVE, 2).unwrap();
    let (results, threads) = waiters([waited]);
    counter.write_u64(1).unwrap();
    assert_eq!(results.recv().unwrap(), Ok(vec![event(IN, 2)]));
    assert_eq!(idle.now(), [event(IN, 1)]);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn adding_a_ready_file_wakes_a_waiter() {
    let epoll = Arc::new(Epoll::new());
    let (results, threads) = waiters([epoll.clone()]);
    let counter = eventfd(1);
    epoll.add(&counter, IN, 1).unwrap();
    assert_eq!(results.recv().unwrap(), Ok(vec![event(IN, 1)]));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn modifying_a_ready_file_wakes_a_waiter() {
    let epoll = Arc::new(Epoll::new());
    let counter = eventfd(1);
    epoll.add(&counter, 0, 1).unwrap();
    let (results, threads) = waiters([epoll.clone()]);
    epoll.modify(&counter, IN, 2).unwrap();
    assert_eq!(results.recv().unwrap(), Ok(vec![event(IN, 2)]));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_watched_file_may_be_closed_or_removed_during_the_wait() {
    let epoll = Arc::new(Epoll::new());
    let (closed, removed, kept) = (eventfd(0), eventfd(0), eventfd(0));
    for (data, counter) in (0..).zip([&closed, &removed, &kept]) {
        epoll.add(counter, IN, data).unwrap();
    }
    let (results, threads) = waiters([epoll.clone()]);
    drop(closed);
    epoll.delete(&removed).unwrap();
    removed.write_u64(1).unwrap();
    assert!(results.recv_timeout(time::SETTLE).is_err());
    kept.write_u64(1).unwrap();
    assert_eq!(results.recv().unwrap(), Ok(vec![event(IN, 2)]));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_wait_outlives_the_descriptor_it_was_called_with() {
    let epoll = Arc::new(Epoll::new());
    let counter = eventfd(0);
    epoll.add(&counter, IN, 1).unwrap();
    let second = Arc::new(Epoll(epoll.0.dup().unwrap()));
    let number = second.number();
    let (results, threads) = waiters([second.clone()]);
    fd::close(number).unwrap();
    core::mem::forget(second);
    assert!(results.recv_timeout(time::SETTLE).is_err());
    drop(epoll);
    counter.write_u64(1).unwrap();
    assert_eq!(results.recv().unwrap(), Ok(vec![event(IN, 1)]));
    drop(results);
    // The last reference of the thread names a number that is closed already.
    assert_eq!(fd::fcntl(number, libc::F_GETFD, 0), Err(Errno::EBADF));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_signal_ends_the_wait_with_eintr_even_with_sa_restart() {
    child::run(|| {
        signal::count(libc::SIGALRM, libc::SA_RESTART);
        let epoll = Epoll::new();
        assert_eq!(signal::interrupted(ms(20), || epoll.wait(1, -1)), Err(Errno::EINTR));
    });
}

#[test]
fn an_event_and_a_signal_lose_neither() {
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        let epoll = Epoll::new();
        let counter = eventfd(0);
        epoll.add(&counter, IN | ET, 1).unwrap();
        let writer = child::spawn(|| {
            for _ in 0..100 {
                thread::sleep(Duration::from_micros(300));
                counter.write_u64(1).unwrap();
            }
        });
        signal::alarm_every(Duration::from_micros(500), Duration::from_micros(500));
        let mut sum = 0;
        while sum < 100 {
            match epoll.wait(1, -1) {
                Ok(_) => sum += counter.read_u64().unwrap_or(0),
                Err(error) => assert_eq!(error, Errno::EINTR),
            }
        }
        signal::alarm(Duration::ZERO);
        assert_eq!(sum, 100);
        writer.join();
    });
}
