//! clone(2), pthreads(7): threads of one process, as Rust's and C's libraries make them.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::collections::BTreeSet;
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock};
use std::thread;

use pollux_tests::child::{self, Status};
use pollux_tests::time::{self, ms};
use pollux_tests::{fd, sys};

#[test]
fn a_thread_has_a_number_of_its_own_in_the_same_process() {
    let ids: BTreeSet<_> = (0..10)
        .map(|_| thread::spawn(|| (sys::getpid(), sys::gettid())))
        .map(|thread| thread.join().unwrap())
        .map(|(process, thread)| {
            assert_eq!(process, sys::getpid());
            thread
        })
        .collect();
    assert!(!ids.contains(&sys::getpid()));
}

#[test]
fn threads_share_memory_and_descriptors() {
    let (reader, writer) = fd::pipe();
    let mut value = 1;
    thread::scope(|scope| {
        scope.spawn(|| {
            value = 2;
            writer.write(b"x").unwrap();
        });
        assert_eq!(reader.read(1).unwrap(), b"x");
    });
    assert_eq!(value, 2);
    let opened = thread::spawn(|| fd::eventfd(3, 0).unwrap()).join().unwrap();
    assert_eq!(opened.read_u64(), Ok(3));
}

#[test]
fn a_hundred_threads_live_at_the_same_time() {
    let barrier = Arc::new(Barrier::new(101));
    let threads: Vec<_> = (0..100_u64)
        .map(|index| {
            let barrier = barrier.clone();
            thread::spawn(move || {
                barrier.wait();
                index
            })
        })
        .collect();
    barrier.wait();
    let sum: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, 4950);
}

#[test]
fn a_thousand_threads_come_and_go() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    for _ in 0..100 {
        let threads: [_; 10] =
            core::array::from_fn(|_| thread::spawn(|| COUNT.fetch_add(1, Ordering::Relaxed)));
        threads.into_iter().for_each(|thread| _ = thread.join().unwrap());
    }
    assert_eq!(COUNT.load(Ordering::Relaxed), 1000);
}

#[test]
fn a_mutex_excludes() {
    let shared = Mutex::new((0_u64, 0_u64));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5000 {
                    let mut shared = shared.lock().unwrap();
                    shared.0 += 1;
                    shared.1 += shared.0;
                }
            });
        }
    });
    assert_eq!(*shared.lock().unwrap(), (20_000, 20_000 * 20_001 / 2));
}

#[test]
fn a_condition_variable_hands_items_over() {
    let queue = (Mutex::new(Vec::new()), Condvar::new());
    let sum = thread::scope(|scope| {
        let takers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut sum = 0_u64;
                    loop {
                        let items = queue.0.lock().unwrap();
                        let mut items =
                            queue.1.wait_while(items, |items| items.is_empty()).unwrap();
                        match items.pop().unwrap() {
                            0 => return sum,
                            item => sum += item,
                        }
                    }
                })
            })
            .collect();
        for item in (1..=1000).chain([0, 0, 0]) {
            // What ends the takers goes to the bottom, so that it is taken last.
            let mut items = queue.0.lock().unwrap();
            if item == 0 {
                items.insert(0, 0)
            } else {
                items.push(item)
            }
            queue.1.notify_one();
        }
        takers.into_iter().map(|taker| taker.join().unwrap()).sum::<u64>()
    });
    assert_eq!(sum, 500_500);
}

#[test]
fn waiting_for_a_condition_can_time_out() {
    let (mutex, condition) = (Mutex::new(()), Condvar::new());
    let guard = mutex.lock().unwrap();
    let (_guard, result) =
        time::at_least(ms(20), || condition.wait_timeout(guard, ms(20)).unwrap());
    assert!(result.timed_out());
}

#[test]
fn readers_share_and_writers_exclude() {
    let lock = RwLock::new(0_u64);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..2000).for_each(|_| *lock.write().unwrap() += 1));
            scope.spawn(|| (0..2000).for_each(|_| assert!(*lock.read().unwrap() <= 4000)));
        }
    });
    assert_eq!(*lock.read().unwrap(), 4000);
}

#[test]
fn parking_and_channels_and_once_work() {
    static ONCE: Once = Once::new();
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::sync_channel(1);
    let parked = thread::spawn(move || {
        thread::park();
        for item in 0..500 {
            sender.send(item).unwrap();
        }
        ONCE.call_once(|| _ = RUNS.fetch_add(1, Ordering::Relaxed));
    });
    time::settle();
    parked.thread().unpark();
    assert!(receiver.iter().eq(0..500));
    ONCE.call_once(|| _ = RUNS.fetch_add(1, Ordering::Relaxed));
    parked.join().unwrap();
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
}

#[test]
fn each_thread_has_its_own_thread_locals() {
    thread_local! {
        static VALUE: Cell<u64> = const { Cell::new(7) };
    }
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    thread_local! {
        static DROPPED: Cell<Option<Count>> = const { Cell::new(None) };
    }
    let drops = Arc::new(AtomicUsize::new(0));
    VALUE.set(1);
    let threads: Vec<_> = (0..8)
        .map(|index| {
            let drops = drops.clone();
            thread::spawn(move || {
                assert_eq!(VALUE.get(), 7);
                VALUE.set(index);
                DROPPED.set(Some(Count(drops)));
                thread::yield_now();
                assert_eq!(VALUE.get(), index);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((VALUE.get(), drops.load(Ordering::SeqCst)), (1, 8));
}

#[test]
fn every_thread_gets_its_turn() {
    static TURNS: [AtomicU64; 6] = [const { AtomicU64::new(0) }; 6];
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = TURNS
        .iter()
        .map(|turns| {
            let stop = stop.clone();
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    while TURNS.iter().any(|turns| turns.load(Ordering::Relaxed) == 0) {
        thread::sleep(ms(5));
    }
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn floating_point_registers_are_not_mixed_up_between_threads() {
    let threads: Vec<_> = (1..=6_u32)
        .map(|index| {
            thread::spawn(move || {
                let factor = 1.0 + f64::from(index) * 1e-6;
                let work = || {
                    (0..10_000).fold([1.0_f64; 4], |values, _| {
                        core::hint::black_box(values).map(|value| (value * factor).sqrt())
                    })
                };
                let first = work().map(f64::to_bits);
                for _ in 0..4 {
                    assert_eq!(work().map(f64::to_bits), first);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn the_process_ends_with_exit_group_from_any_thread() {
    let status = child::status(|| {
        thread::spawn(|| child::exit(33));
        loop {
            thread::park();
        }
    });
    assert_eq!(status, Status::Exited(33));
}

#[test]
fn the_process_goes_on_when_its_first_thread_ends() {
    let status = child::status(|| {
        thread::spawn(|| {
            time::settle();
            child::exit(44)
        });
        // SAFETY: only this thread ends.
        let _ = unsafe { sys::call(libc::SYS_exit, [1]) };
    });
    assert_eq!(status, Status::Exited(44));
}

#[test]
fn the_last_thread_takes_the_process_with_it() {
    let status = child::status(|| {
        // SAFETY: only this thread ends, and it is the only one.
        let _ = unsafe { sys::call(libc::SYS_exit, [55]) };
    });
    assert_eq!(status, Status::Exited(55));
}

#[test]
fn a_panic_in_a_thread_is_its_own() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = thread::spawn(|| panic!("on purpose")).join();
    std::panic::set_hook(hook);
    assert_eq!(*result.unwrap_err().downcast::<&str>().unwrap(), "on purpose");
}

#[test]
fn descriptors_are_closed_when_the_last_thread_is_gone() {
    let (reader, writer) = fd::pipe();
    let child = child::spawn(|| {
        thread::spawn(|| thread::sleep(ms(30)));
        // SAFETY: only this thread ends.
        let _ = unsafe { sys::call(libc::SYS_exit, [0]) };
    });
    drop(writer);
    let read = || reader.read(1);
    assert_eq!(time::at_least(ms(10), read).unwrap(), b"");
    child.join();
}
