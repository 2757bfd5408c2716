//! Grades the exercise `port`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use exercises::port::{Kernel, Task};
use pollee::{
    Events, Locked, Readiness, Recheck, Sleep as _, WaitError, WaitTarget, Wake as _, WakeMode, WakeReason,
    wait_events,
};

#[derive(Default)]
struct Counter(u64);

impl Readiness for Counter {
    fn readiness(&self) -> Events {
        if self.0 > 0 { Events::IN } else { Events::empty() }
    }
}

type File = Locked<Counter, Kernel>;

/// Takes one, sleeping until there is one.
fn take(file: &File, deadline: Option<Instant>) -> Result<(), WaitError> {
    let attempt = || {
        let mut state = file.lock();
        if state.0 == 0 {
            return Poll::Pending;
        }
        state.0 -= 1;
        Poll::Ready(())
    };
    let (mode, recheck) = (WakeMode::Exclusive, Recheck::Try);
    let target = WaitTarget { file, interest: Events::IN, mode, recheck };
    wait_events(&Task::default(), target, deadline, attempt)
}

fn put(file: &File) {
    let mut state = file.lock();
    state.0 += 1;
    state.raise(Events::IN);
}

#[test]
fn a_wake_before_the_sleep_ends_it() {
    let task = Task::default();
    assert!(task.wake(), "the first wake");
    assert!(!task.wake(), "the second, for the same sleep");
    assert_eq!(task.sleep(None), WakeReason::Woken);
    assert!(task.wake(), "the first since that sleep");
}

#[test]
fn a_sleep_uses_up_its_wake() {
    let task = Task::default();
    task.wake();
    assert_eq!(task.sleep(None), WakeReason::Woken);
    let until = Instant::now() + Duration::from_millis(30);
    assert_eq!(task.sleep(Some(until)), WakeReason::TimedOut);
    assert!(Instant::now() >= until, "too early");
}

#[test]
fn a_wait_ends_at_its_deadline() {
    let file = File::default();
    let until = Instant::now() + Duration::from_millis(30);
    assert_eq!(take(&file, Some(until)), Err(WaitError::TimedOut));
    put(&file);
    assert_eq!(take(&file, None), Ok(()));
}

#[test]
fn no_wake_is_lost_in_a_crowd() {
    const EACH: u64 = 3000;
    let file = Arc::new(File::default());
    let taken = Arc::new(AtomicU64::new(0));
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let (file, taken) = (Arc::clone(&file), Arc::clone(&taken));
            thread::spawn(move || {
                for _ in 0..EACH {
                    take(&file, None).expect("no deadline");
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let putters: Vec<_> = (0..2)
        .map(|_| {
            let file = Arc::clone(&file);
            thread::spawn(move || (0..2 * EACH).for_each(|_| put(&file)))
        })
        .collect();
    putters.into_iter().for_each(|putter| putter.join().expect("a putter ends"));
    let end = Instant::now() + Duration::from_secs(60);
    while taken.load(Ordering::Relaxed) < 4 * EACH {
        assert!(Instant::now() < end, "a taker sleeps although there is something to take: a wake was lost");
        thread::sleep(Duration::from_millis(10));
    }
    takers.into_iter().for_each(|taker| taker.join().expect("a taker ends"));
}
