//! Many threads at once, on real processors: no item and no wake is lost, whichever way a waiter leaves.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{process, thread};

use crate::threads::{Sleeper, Threads};
use pollee::{
    Events, Hybrid, Locked, Policy, Poller, Readiness, Registration, Stateful, Stateless, WakeMode,
};

const ITEMS: usize = 100_000;

/// A lost wake is a hang; this ends it.
const LIMIT: Duration = Duration::from_secs(20);
const WANTED: Events = Events::IN.union(Events::ALWAYS);

#[derive(Default)]
struct Queue {
    items: usize,
    is_closed: bool,
}

impl Readiness for Queue {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::IN, self.items > 0);
        events.set(Events::HUP, self.is_closed);
        events
    }
}

type File<P> = Locked<Queue, Threads<P>>;

enum Taken {
    Item,
    End,
    Nothing,
}

fn take<P: Policy>(file: &File<P>) -> Taken {
    if file.poll(WANTED).is_empty() {
        return Taken::Nothing;
    }
    let mut queue = file.lock();
    if queue.items > 0 {
        queue.items -= 1;
        return Taken::Item;
    }
    if queue.is_closed { Taken::End } else { Taken::Nothing }
}

/// Takes until the end. Every `sleeps` sleeps it gives up and comes again, as one who is interrupted.
fn take_all<P: Policy>(file: &File<P>, sleeps: usize, taken: &AtomicUsize) {
    let sleeper = Sleeper::new();
    loop {
        let waiting = Registration::new(file, Arc::clone(&sleeper), WANTED, WakeMode::Exclusive).unwrap();
        for _ in 0..sleeps {
            match take(file) {
                Taken::Item => {
                    taken.fetch_add(1, Ordering::Relaxed);
                }
                Taken::End => return,
                Taken::Nothing => sleeper.wait(),
            }
            waiting.rearm();
        }
    }
}

/// Watches until the end, taking nothing.
fn look_on<P: Policy>(file: &Arc<File<P>>) {
    let sleeper = Sleeper::new();
    let mut poller = Poller::new(Arc::clone(&sleeper));
    loop {
        let ready = poller.watch(Arc::clone(file), Events::HUP).unwrap();
        if ready.contains(Events::HUP) {
            return;
        }
        sleeper.wait();
        poller.clear();
    }
}

fn every_item_finds_its_taker<P: Policy>() {
    let file = Arc::new(File::<P>::new((), Queue::default()));
    let taken = AtomicUsize::new(0);
    thread::scope(|scope| {
        for sleeps in [1, 2, 1000] {
            let (file, taken) = (&file, &taken);
            scope.spawn(move || take_all(file, sleeps, taken));
        }
        scope.spawn(|| look_on(&file));
        let putters: Vec<_> = (0..2)
            .map(|putter| {
                let file = &file;
                scope.spawn(move || {
                    for nr in 0..ITEMS {
                        let mut queue = file.lock();
                        queue.items += 1;
                        // One of the two is an author who forgets to raise it.
                        if putter == 0 {
                            queue.raise(Events::IN);
                        }
                        drop(queue);
                        if nr % 1000 == 0 {
                            thread::sleep(Duration::from_micros(50));
                        }
                    }
                })
            })
            .collect();
        for putter in putters {
            putter.join().unwrap();
        }
        // Not ended: the last item must be taken because of its own wake.
        wait_until_taken(&taken, 2 * ITEMS);
        file.lock().is_closed = true;
    });
    assert_eq!(taken.load(Ordering::Relaxed), 2 * ITEMS);
}

/// Waits for takers. A lost wake is a hang, and a panic would wait for the threads that hang.
fn wait_until_taken(taken: &AtomicUsize, items: usize) {
    let begin = Instant::now();
    while taken.load(Ordering::Relaxed) < items {
        if begin.elapsed() > LIMIT {
            let taken = taken.load(Ordering::Relaxed);
            // Not by `eprintln!`: what a test prints is shown when it ends.
            let _ = writeln!(io::stderr(), "lost a wake: {taken} of {items} items taken");
            process::exit(1);
        }
        thread::yield_now();
    }
}

/// One item at a time, one who takes, and two who are always in its way: they register and leave at once.
fn a_leaver_takes_no_event_along<P: Policy>() {
    let file = Arc::new(File::<P>::new((), Queue::default()));
    let taken = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| take_all(&file, usize::MAX, &taken));
        for _ in 0..2 {
            scope.spawn(|| {
                let sleeper = Sleeper::new();
                while !file.poll(WANTED).contains(Events::HUP) {
                    drop(
                        Registration::new(&*file, Arc::clone(&sleeper), WANTED, WakeMode::Exclusive).unwrap(),
                    );
                }
            });
        }
        for nr in 0..ITEMS / 50 {
            let mut queue = file.lock();
            queue.items += 1;
            queue.raise(Events::IN);
            drop(queue);
            wait_until_taken(&taken, nr + 1);
        }
        file.lock().is_closed = true;
    });
}

#[test]
fn every_item_finds_its_taker_under_hybrid() {
    every_item_finds_its_taker::<Hybrid>();
}

#[test]
fn every_item_finds_its_taker_under_stateful() {
    every_item_finds_its_taker::<Stateful>();
}

#[test]
fn every_item_finds_its_taker_under_stateless() {
    every_item_finds_its_taker::<Stateless>();
}

#[test]
fn a_leaver_takes_no_event_along_under_hybrid() {
    a_leaver_takes_no_event_along::<Hybrid>();
}

#[test]
fn a_leaver_takes_no_event_along_under_stateful() {
    a_leaver_takes_no_event_along::<Stateful>();
}

#[test]
fn a_leaver_takes_no_event_along_under_stateless() {
    a_leaver_takes_no_event_along::<Stateless>();
}
