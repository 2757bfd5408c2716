//! An epoll's ready list under many threads: notifications enqueue under the list lock of the file that changed,
//! waiters scan and hand on what they leave.

use std::sync::Arc;
use std::task::Poll;

use pollee::ready_list::{Batch, Settle};
use pollee::{
    Events, Hybrid, Locked, Policy, Readiness, ReadinessSource, ReadyList, Recheck, Registration, Sleep,
    Stateful, Stateless, WaitTarget, WakeMode, WakeReason, wait_events, wait_events_after_try,
};
use shuttle::thread;

use crate::check;
use crate::host::{Shuttle, Sleeper};

/// A file with something to take.
struct Counter(usize);

impl Readiness for Counter {
    fn readiness(&self) -> Events {
        if self.0 > 0 { Events::IN } else { Events::empty() }
    }
}

type File<P> = Locked<Counter, Shuttle<P>>;

/// Files and the ready list of the instance that watches them all, itself an item of an outer list.
struct Instance<P: Policy> {
    ready: Arc<ReadyList<Shuttle<P>>>,
    outer: Arc<ReadyList<Shuttle<P>>>,
    files: Vec<File<P>>,
    settle: Settle,
}

impl<P: Policy> Instance<P> {
    fn new(files: usize, settle: Settle) -> Arc<Self> {
        let [ready, outer] = [(); 2].map(|()| Arc::new(ReadyList::new(())));
        let files = (0..files)
            .map(|_| {
                let key = ready.open().unwrap();
                let file = File::new((), Counter(0));
                let _registered = file.register(ready.entry(key), Events::IN, WakeMode::All).unwrap();
                file
            })
            .collect();
        Arc::new(Self { ready, outer, files, settle })
    }

    fn put(&self, nr: usize) {
        let mut guard = self.files[nr].lock();
        guard.0 += 1;
        guard.raise(Events::IN);
    }

    /// One scan with room for one event: the file that was reported.
    fn scan(&self) -> Option<usize> {
        let mut start = None;
        loop {
            let mut batch = Batch::new();
            self.ready.take(&mut start, 1, &mut batch);
            let (taken, settle) = batch.iter_mut().next()?;
            let nr = taken.key.index();
            let is_ready = !self.files[nr].poll(Events::IN).is_empty();
            if is_ready {
                *settle = self.settle;
            }
            self.ready.settle(&batch);
            if is_ready {
                return Some(nr);
            }
        }
    }

    fn wait(&self) -> usize {
        if let Some(nr) = self.scan() {
            self.ready.hand_on();
            return nr;
        }
        self.wait_on(&self.ready, || self.scan())
    }

    /// Waits until the outer list has this instance, and then until the instance has something.
    fn wait_outside(&self) -> usize {
        self.wait_on(&self.outer, || {
            let (mut start, mut batch) = (None, Batch::new());
            self.outer.take(&mut start, 1, &mut batch);
            let (_, settle) = batch.iter_mut().next()?;
            *settle = Settle::Back;
            let found = self.scan();
            self.outer.settle(&batch);
            found
        })
    }

    fn wait_on(&self, list: &ReadyList<Shuttle<P>>, scan: impl Fn() -> Option<usize>) -> usize {
        let target = WaitTarget {
            file: list,
            interest: Events::IN,
            mode: WakeMode::Handoff,
            recheck: Recheck::Readiness,
        };
        let attempt = || scan().map_or(Poll::Pending, Poll::Ready);
        wait_events_after_try(&Sleeper::new(), target, None, attempt).unwrap()
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
fn edges_suffice_for_waiters_that_drain<P: Policy>() {
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

/// A list in a list: a waiter on the outer one hears of every event of the inner one's files.
fn an_outer_list_is_notified_of_inner_events<P: Policy>() {
    let instance = Instance::<P>::new(2, Settle::Gone);
    let key = instance.outer.open().unwrap();
    let source = pollee::Pollable::source(&*instance.ready);
    let registered = source.register(instance.outer.entry(key), Events::IN, WakeMode::All);
    let (token, _) = registered.unwrap();
    let putters = [0, 1, 0].map(|nr| {
        let instance = Arc::clone(&instance);
        thread::spawn(move || instance.put(nr))
    });
    let mut taken = 0;
    while taken < 3 {
        let nr = instance.wait_outside();
        while instance.take(nr) {
            taken += 1;
        }
    }
    for putter in putters {
        putter.join().unwrap();
    }
    drop(source.unregister(token));
}

/// A thread whose time is up as soon as it sleeps.
struct Impatient(Arc<Sleeper>);

impl<P: Policy> Sleep<Shuttle<P>> for Impatient {
    type Deadline = ();

    fn task(&self) -> Arc<Sleeper> {
        Arc::clone(&self.0)
    }

    fn sleep(&self, _: Option<()>) -> WakeReason {
        WakeReason::TimedOut
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}

/// Two instances watch one file exclusively, and the waiter of the first gives up. Either it reports the item, or the
/// waiter of the second is woken.
fn an_exclusive_event_is_not_left_with_a_waiter_that_gives_up<P: Policy>() {
    let file: Arc<File<P>> = Arc::new(File::new((), Counter(0)));
    let [first, second] = [(); 2].map(|()| {
        let ready: Arc<ReadyList<Shuttle<P>>> = Arc::new(ReadyList::new(()));
        let key = ready.open().unwrap();
        let _registered = file.register(ready.entry(key), Events::IN, WakeMode::Exclusive).unwrap();
        ready
    });
    let told = Sleeper::new();
    let waiting = Registration::new(&*second, Arc::clone(&told), Events::IN, WakeMode::Handoff).unwrap();
    let impatient = {
        let file = Arc::clone(&file);
        thread::spawn(move || {
            let scan = || {
                let (mut start, mut batch) = (None, Batch::new());
                first.take(&mut start, 1, &mut batch);
                let Some((_, settle)) = batch.iter_mut().next() else { return Poll::Pending };
                let is_ready = !file.poll(Events::IN).is_empty();
                *settle = if is_ready { Settle::Back } else { Settle::Gone };
                first.settle(&batch);
                if is_ready { Poll::Ready(()) } else { Poll::Pending }
            };
            let target = WaitTarget {
                file: &*first,
                interest: Events::IN,
                mode: WakeMode::Handoff,
                recheck: Recheck::Readiness,
            };
            wait_events(&Impatient(Sleeper::new()), target, Some(()), scan).is_ok()
        })
    };
    let putter = thread::spawn(move || {
        let mut guard = file.lock();
        guard.0 += 1;
        guard.raise(Events::IN);
    });
    putter.join().unwrap();
    let is_found = impatient.join().unwrap();
    assert!(is_found || told.is_woken(), "nobody knows of the item");
    drop(waiting);
}

#[test]
fn an_exclusive_event_is_not_left_with_a_waiter_that_gives_up_under_hybrid() {
    check(an_exclusive_event_is_not_left_with_a_waiter_that_gives_up::<Hybrid>);
}

#[test]
fn an_exclusive_event_is_not_left_with_a_waiter_that_gives_up_under_stateless() {
    check(an_exclusive_event_is_not_left_with_a_waiter_that_gives_up::<Stateless>);
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
fn edges_suffice_for_waiters_that_drain_under_hybrid() {
    check(edges_suffice_for_waiters_that_drain::<Hybrid>);
}

#[test]
fn edges_suffice_for_waiters_that_drain_under_stateless() {
    check(edges_suffice_for_waiters_that_drain::<Stateless>);
}

#[test]
fn an_outer_list_is_notified_of_inner_events_under_hybrid() {
    check(an_outer_list_is_notified_of_inner_events::<Hybrid>);
}
