//! Tests that mutation asked for: each fails with one change of the source that all others let pass.
//!
//! | mutant | caught by |
//! |---|---|
//! | `List::exclusive_tasks` → 0 | `an_exclusive_event_goes_past_a_list_on_which_no_task_waits` in `behaviour` |
//! | `List::visit` without its bound | `a_walk_ends_although_the_woken_register_again` |
//! | `ReadinessWord::with_events` → the default | `stateful_caches_from_birth` |
//! | `ReadinessHeader::events` → `None` | `the_header_has_the_events_that_a_poll_cached` |
//! | `Pollable::header` → `None` | the same |
//! | `Batch::is_empty` → `true` | `a_batch_with_an_entry_is_not_empty`; in `ReadyList::take` it is equivalent: it only caches early |

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use pollee::ready_list::Batch;
use pollee::{
    Events, Host, Hybrid, Locked, Pollable, Readiness, ReadyList, Stateful, Stateless, Wake, WakeMode,
    Watcher, WatcherList,
};

use crate::threads::{StdLock, Threads};

#[derive(Default)]
struct Flag {
    is_up: bool,
}

impl Readiness for Flag {
    fn readiness(&self) -> Events {
        if self.is_up { Events::IN | Events::HUP } else { Events::empty() }
    }
}

/// A host whose tasks do something when they are woken.
enum Eager {}

impl Host for Eager {
    type Policy = Hybrid;
    type OwnerLock<T: Send> = StdLock<T>;
    type ListLock<T: Send> = StdLock<T>;
    type ReadyLock<T: Send> = StdLock<T>;
    type Task = Again;
    type Class = ();
}

/// A task that, whenever it is woken, registers once more; up to a limit, so that a failure ends.
#[derive(Clone)]
struct Again(Arc<Task>);

struct Task {
    file: Mutex<Option<Arc<Locked<Flag, Eager>>>>,
    wakes: AtomicUsize,
}

impl Wake for Again {
    fn wake(&self) -> bool {
        let file = self.0.file.lock().unwrap().clone();
        if let Some(file) = file
            && self.0.wakes.fetch_add(1, Ordering::Relaxed) < 1000
        {
            let watcher = Watcher::Task(self.clone());
            drop(file.register(watcher, Events::HUP, WakeMode::Exclusive).unwrap());
        }
        true
    }
}

#[test]
fn a_walk_ends_although_the_woken_register_again() {
    let file = Arc::new(Locked::<Flag, Eager>::default());
    let task =
        Again(Arc::new(Task { file: Mutex::new(Some(Arc::clone(&file))), wakes: AtomicUsize::new(0) }));
    for _ in 0..20 {
        let watcher = Watcher::Task(task.clone());
        drop(file.register(watcher, Events::HUP, WakeMode::Exclusive).unwrap());
    }
    // A hang-up concerns all exclusive watchers.
    file.lock().is_up = true;
    assert_eq!(task.0.wakes.load(Ordering::Relaxed), 20, "those that came before the event");
    *task.0.file.lock().unwrap() = None;
}

#[test]
fn stateful_caches_from_birth() {
    let ready = Events::IN | Events::HUP;
    let file = Locked::<Flag, Threads<Stateful>>::from(Flag { is_up: true });
    assert_eq!(file.header().events(), Some(ready));
    file.lock().is_up = false;
    assert_eq!(file.header().events(), Some(Events::empty()));
    let file = Locked::<Flag, Threads<Hybrid>>::from(Flag { is_up: true });
    assert_eq!(file.header().events(), None, "nobody has polled");
}

#[test]
fn the_header_has_the_events_that_a_poll_cached() {
    fn seen<H: Host<Class = ()>>() -> Option<Events> {
        let file = Locked::<Flag, H>::from(Flag { is_up: true });
        file.poll(Events::IN);
        let (header, mask) = Pollable::header(&file).unwrap();
        header.events().map(|events| events & mask)
    }
    assert_eq!(seen::<Threads<Hybrid>>(), Some(Events::IN | Events::HUP));
    assert_eq!(seen::<Threads<Stateful>>(), Some(Events::IN | Events::HUP));
    assert_eq!(seen::<Threads<Stateless>>(), None);
}

#[test]
fn a_batch_with_an_entry_is_not_empty() {
    let list = ReadyList::<Threads<Hybrid>>::default();
    let key = list.open().unwrap();
    let mut batch = Batch::new();
    assert!(batch.is_empty());
    list.enqueue(key).deliver();
    list.take(&mut None, 1, &mut batch);
    assert!(!batch.is_empty());
    assert!(!list.is_empty(), "an entry in flight is in sight");
    list.settle(&batch);
    assert!(list.is_empty());
}

/// An object that exists before any code runs.
static FLAG: Locked<Flag, Threads<Hybrid>> =
    Locked::with_locks((), StdLock::with(Flag { is_up: false }), StdLock::with(WatcherList::new()));

#[test]
fn an_object_can_be_a_static() {
    assert_eq!(FLAG.poll(Events::IN), Events::empty());
    FLAG.lock().is_up = true;
    assert_eq!(FLAG.poll(Events::IN), Events::IN);
}
