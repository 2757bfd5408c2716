//! The ready list: a waiter hears of every item that becomes ready, and what it leaves is handed on.

use std::sync::Arc;
use std::task::Poll;

use loom::thread;
use pollee::ready_list::{Batch, Settle};
use pollee::{Policy, ReadinessSource, ReadyList, Recheck, WaitTarget, WakeMode, wait_events_after_try};

use crate::check::{Check, for_each_policy};
use crate::host::{Model, Sleeper};
use crate::objects::{File, WANTED, file, put, take};

pub(crate) fn checks() -> Vec<Check> {
    [
        for_each_policy!("ready", "edge", 3, edges_of_one_item),
        for_each_policy!("ready", "stale", 3, a_stale_entry),
        for_each_policy!("ready", "level", 3, two_waiters),
    ]
    .concat()
}

/// Files and the ready list of the instance that watches them.
struct Instance<P: Policy> {
    ready: Arc<ReadyList<Model<P>>>,
    files: Vec<File<P>>,
    settle: Settle,
}

impl<P: Policy> Instance<P> {
    fn new(files: usize, settle: Settle) -> Self {
        let ready = Arc::new(ReadyList::new(()));
        let files: Vec<_> = (0..files).map(|_| file(0)).collect();
        for file in &files {
            let key = ready.open().unwrap();
            let _registered = file.register(ready.entry(key), WANTED, WakeMode::All).unwrap();
        }
        Self { ready, files, settle }
    }

    /// One scan with room for one event: the file that is reported.
    fn scan(&self) -> Option<&File<P>> {
        let mut start = None;
        loop {
            let mut batch = Batch::new();
            self.ready.take(&mut start, 1, &mut batch);
            let (taken, settle) = batch.iter_mut().next()?;
            let file = &self.files[taken.key.index()];
            let is_ready = !file.poll(WANTED).is_empty();
            if is_ready {
                *settle = self.settle;
            }
            self.ready.settle(&batch);
            if is_ready {
                return Some(file);
            }
        }
    }

    fn wait(&self) -> &File<P> {
        if let Some(file) = self.scan() {
            self.ready.hand_on();
            return file;
        }
        let target = WaitTarget {
            file: &*self.ready,
            interest: WANTED,
            mode: WakeMode::Handoff,
            recheck: Recheck::Readiness,
        };
        let attempt = || self.scan().map_or(Poll::Pending, Poll::Ready);
        wait_events_after_try(&Sleeper::new(), target, None, attempt).unwrap()
    }
}

/// An edge-triggered waiter drains what it is told of, twice: the second event may come during the first scan.
fn edges_of_one_item<P: Policy>() {
    let instance = Arc::new(Instance::<P>::new(1, Settle::Gone));
    let putter = Arc::clone(&instance);
    let putter = thread::spawn(move || {
        put(&putter.files[0]);
        put(&putter.files[0]);
    });
    let mut taken = 0;
    while taken < 2 {
        let file = instance.wait();
        while take(file) {
            taken += 1;
        }
    }
    putter.join().unwrap();
}

/// The list has an entry whose file is not ready any more, and that is cached: the scan that finds this out must not
/// overlook the event that comes meanwhile.
fn a_stale_entry<P: Policy>() {
    let instance = Arc::new(Instance::<P>::new(1, Settle::Gone));
    put(&instance.files[0]);
    take(&instance.files[0]);
    instance.files[0].poll(WANTED);
    let putter = Arc::clone(&instance);
    let putter = thread::spawn(move || put(&putter.files[0]));
    assert!(take(instance.wait()));
    putter.join().unwrap();
}

/// One level-triggered item for two waiters: one that scans while the other has the entry in flight finds nothing and
/// sleeps, and must be woken when the entry is back.
fn two_waiters<P: Policy>() {
    let instance = Arc::new(Instance::<P>::new(1, Settle::Back));
    put(&instance.files[0]);
    put(&instance.files[0]);
    let other = Arc::clone(&instance);
    let other = thread::spawn(move || take_one(&other));
    take_one(&instance);
    other.join().unwrap();
}

fn take_one<P: Policy>(instance: &Instance<P>) {
    while !take(instance.wait()) {}
}
