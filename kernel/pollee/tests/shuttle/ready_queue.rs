//! An epoll's ready queue, as the kernel builds it from the rules and a locked object: notifications mark
//! places under the list lock of the file that changed, waiters scan and pass on what they leave.

use std::sync::Arc;

use pollee::{Events, Hybrid, Locked, Mark, Marked, Policy, Readiness, Share, Stateful, Stateless};
use pollee::{Waiting, Watch, Watcher};
use rules::core::epoll::queue::{Key, Queue, Settle};
use shuttle::thread;

use crate::check;
use crate::host::{Shuttle, Sleeper};

/// The policy of queues; [`Place`] must be one type for all tests.
type Ready = Locked<State, Hybrid, Shuttle>;

pub(crate) struct State(Queue);

impl Readiness for State {
    fn readiness(&self) -> Events {
        if self.0.is_empty() { Events::empty() } else { Events::IN }
    }
}

/// An item's place in a queue.
#[derive(Clone)]
pub(crate) struct Place {
    queue: Arc<Ready>,
    key: Key,
}

impl Mark for Place {
    fn mark(&self, _: Events) -> Marked {
        let mut state = self.queue.lock();
        if !state.0.mark(self.key) {
            return Marked::Quietly;
        }
        state.report(Events::IN);
        let wakeup = state.release();
        let taker = wakeup.taker();
        if wakeup.defer().is_empty() { Marked::Quietly } else { Marked::Announce(taker) }
    }

    fn announce(&self) {
        self.queue.wake(Events::IN);
    }
}

/// A file with something to take.
struct Counter(usize);

impl Readiness for Counter {
    fn readiness(&self) -> Events {
        if self.0 > 0 { Events::IN } else { Events::empty() }
    }
}

type File<P> = Locked<Counter, P, Shuttle>;

/// Files and the queue of the instance that watches them all.
struct Instance<P: Policy> {
    ready: Arc<Ready>,
    files: Vec<File<P>>,
    settle: Settle,
}

impl<P: Policy> Instance<P> {
    fn new(files: usize, settle: Settle) -> Arc<Self> {
        let ready = Arc::new(Ready::new((), State(Queue::new())));
        let files = (0..files)
            .map(|_| {
                let key = ready.lock().0.open();
                let file = File::new((), Counter(0));
                let place = Place { queue: Arc::clone(&ready), key };
                let _registered = file.register(Watcher::Mark(place), Events::IN, Share::All).unwrap();
                file
            })
            .collect();
        Arc::new(Self { ready, files, settle })
    }

    fn put(&self, nr: usize) {
        let mut guard = self.files[nr].lock();
        guard.0 += 1;
        guard.report(Events::IN);
    }

    /// One scan with room for one event: the file that was reported.
    fn scan(&self) -> Option<usize> {
        let start = self.ready.lock().0.now();
        loop {
            let taken = self.ready.lock().0.take(start)?;
            let nr = taken.key.index();
            let is_ready = !self.files[nr].poll(Events::IN).is_empty();
            let how = if is_ready { self.settle } else { Settle::Gone };
            self.ready.lock().0.settle(&taken, how);
            if is_ready {
                return Some(nr);
            }
        }
    }

    fn wait(&self) -> usize {
        if let Some(nr) = self.scan() {
            if !self.ready.poll(Events::IN).is_empty() {
                self.ready.wake_one(Events::IN);
            }
            return nr;
        }
        let sleeper = Sleeper::new();
        let waiting = Waiting::new(&*self.ready, Arc::clone(&sleeper), Events::IN, Share::Relay).unwrap();
        loop {
            if let Some(nr) = self.scan() {
                return nr;
            }
            sleeper.wait();
            waiting.rearm();
        }
    }

    fn take(&self, nr: usize) -> bool {
        let mut guard = self.files[nr].lock();
        let has_item = guard.0 > 0;
        guard.0 -= usize::from(has_item);
        has_item
    }
}

/// Three waiters take what they are told of, level-triggered, until all items are taken.
fn level_triggered_items_are_all_taken<P: Policy>() {
    let instance = Instance::<P>::new(2, Settle::Back);
    let mut threads: Vec<_> = (0..3)
        .map(|_| {
            let instance = Arc::clone(&instance);
            thread::spawn(move || while !instance.take(instance.wait()) {})
        })
        .collect();
    threads.extend([0, 0, 1].map(|nr| {
        let instance = Arc::clone(&instance);
        thread::spawn(move || instance.put(nr))
    }));
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Edge-triggered waiters drain what they are told of; nothing stays behind.
fn edges_are_enough_for_those_who_drain<P: Policy>() {
    let instance = Instance::<P>::new(2, Settle::Gone);
    let putters = [0, 1, 0, 1].map(|nr| {
        let instance = Arc::clone(&instance);
        thread::spawn(move || instance.put(nr))
    });
    let mut taken = 0;
    while taken < 4 {
        let nr = instance.wait();
        while instance.take(nr) {
            taken += 1;
        }
    }
    for putter in putters {
        putter.join().unwrap();
    }
}

#[test]
fn level_triggered_items_are_all_taken_under_hybrid() {
    check(level_triggered_items_are_all_taken::<Hybrid>);
}

#[test]
fn level_triggered_items_are_all_taken_under_stateful() {
    check(level_triggered_items_are_all_taken::<Stateful>);
}

#[test]
fn level_triggered_items_are_all_taken_under_stateless() {
    check(level_triggered_items_are_all_taken::<Stateless>);
}

#[test]
fn edges_are_enough_for_those_who_drain_under_hybrid() {
    check(edges_are_enough_for_those_who_drain::<Hybrid>);
}

#[test]
fn edges_are_enough_for_those_who_drain_under_stateless() {
    check(edges_are_enough_for_those_who_drain::<Stateless>);
}
