//! Crowds: more waiters than a batch and than the first slab have room for.

use std::sync::Arc;
use std::task::Poll;

use pollee::{
    Events, Hybrid, Locked, Policy, Poller, Readiness, Recheck, Registration, Stateful, Stateless,
    WaitTarget, WakeMode, wait_events,
};
use shuttle::thread;

use crate::check;
use crate::host::{Shuttle, Sleeper};

const WANTED: Events = Events::IN.union(Events::ALWAYS);

#[derive(Default)]
struct Counter {
    items: usize,
    is_closed: bool,
}

impl Readiness for Counter {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::IN, self.items > 0);
        events.set(Events::HUP, self.is_closed);
        events
    }
}

type File<P> = Locked<Counter, Shuttle<P>>;

fn file<P: Policy>() -> Arc<File<P>> {
    Arc::new(File::new((), Counter::default()))
}

fn take<P: Policy>(file: &File<P>) -> bool {
    let mut guard = file.lock();
    let has_item = guard.items > 0;
    guard.items -= usize::from(has_item);
    has_item
}

fn take_one<P: Policy>(file: &File<P>) {
    let target =
        WaitTarget { file, interest: WANTED, mode: WakeMode::Exclusive, recheck: Recheck::Readiness };
    let attempt = || if take(file) { Poll::Ready(()) } else { Poll::Pending };
    wait_events(&Sleeper::new(), target, None, attempt).unwrap();
}

/// As many items as takers, others that register and leave, half of the items put by one who does not raise them.
fn each_item_finds_a_taker<P: Policy>() {
    let file = file::<P>();
    let mut threads: Vec<_> = (0..4)
        .map(|_| {
            let file = Arc::clone(&file);
            thread::spawn(move || take_one(&file))
        })
        .collect();
    threads.extend((0..2).map(|_| {
        let file = Arc::clone(&file);
        thread::spawn(move || {
            drop(Registration::new(&*file, Sleeper::new(), WANTED, WakeMode::Exclusive).unwrap())
        })
    }));
    threads.extend((0..2).map(|nr| {
        let file = Arc::clone(&file);
        thread::spawn(move || {
            for _ in 0..2 {
                let mut guard = file.lock();
                guard.items += 1;
                if nr == 0 {
                    guard.raise(Events::IN);
                }
            }
        })
    }));
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A dozen watchers hear of the end although some leave, and some come again, while they are being told.
fn the_end_wakes_all_waiters<P: Policy>() {
    let file = file::<P>();
    let mut threads: Vec<_> = (0..10)
        .map(|_| {
            let file = Arc::clone(&file);
            thread::spawn(move || {
                let sleeper = Sleeper::new();
                let mut poller = Poller::new(Arc::clone(&sleeper));
                while poller.watch(Arc::clone(&file), WANTED).unwrap().is_empty() {
                    sleeper.wait();
                    poller.clear();
                }
            })
        })
        .collect();
    threads.extend((0..2).map(|_| {
        let file = Arc::clone(&file);
        thread::spawn(move || drop(Registration::new(&*file, Sleeper::new(), WANTED, WakeMode::All).unwrap()))
    }));
    file.lock().is_closed = true;
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn each_item_finds_a_taker_under_hybrid() {
    check(each_item_finds_a_taker::<Hybrid>);
}

#[test]
fn each_item_finds_a_taker_under_stateful() {
    check(each_item_finds_a_taker::<Stateful>);
}

#[test]
fn each_item_finds_a_taker_under_stateless() {
    check(each_item_finds_a_taker::<Stateless>);
}

#[test]
fn the_end_wakes_all_waiters_under_hybrid() {
    check(the_end_wakes_all_waiters::<Hybrid>);
}

#[test]
fn the_end_wakes_all_waiters_under_stateless() {
    check(the_end_wakes_all_waiters::<Stateless>);
}
