//! Grades the exercise `slot`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use exercises::host::Task;
use exercises::slot::Slot;
use pollee::{Events, ReadinessSource as _, ReadyList, Registration, WakeMode};

const ALL: Events = Events::IN.union(Events::OUT);

#[test]
fn readiness_follows_the_state() {
    let slot = Slot::default();
    assert_eq!(slot.pollable().poll(ALL), Events::OUT, "empty: writable");
    assert_eq!(slot.try_take(), Poll::Pending);
    assert_eq!(slot.try_put(7), Poll::Ready(()));
    assert_eq!(slot.pollable().poll(ALL), Events::IN, "full: readable");
    assert_eq!(slot.try_put(8), Poll::Pending, "a full slot takes nothing");
    assert_eq!(slot.try_take(), Poll::Ready(7));
    assert_eq!(slot.pollable().poll(ALL), Events::OUT);
}

#[test]
fn an_operation_that_is_ready_does_not_block() {
    let slot = Slot::default();
    for message in 0..100 {
        let ready = slot.pollable().poll(ALL);
        if ready.contains(Events::OUT) {
            assert_eq!(slot.try_put(message), Poll::Ready(()));
        } else {
            assert!(ready.contains(Events::IN) && slot.try_take().is_ready());
        }
    }
}

#[test]
fn each_message_is_an_event_for_an_edge_triggered_watcher() {
    let slot = Slot::default();
    let list = Arc::new(ReadyList::default());
    let key = list.open().expect("memory for an item");
    let (token, _) =
        slot.pollable().register(list.entry(key), Events::IN, WakeMode::All).expect("memory to register");
    for message in 0..3 {
        assert!(list.is_empty(), "nothing has happened yet");
        assert_eq!(slot.try_put(message), Poll::Ready(()));
        assert!(!list.is_empty(), "message {message} was no event");
        assert_eq!(slot.try_take(), Poll::Ready(message));
        let mut batch = pollee::ready_list::Batch::new();
        list.take(&mut None, 1, &mut batch);
        list.settle(&batch);
    }
    drop(slot.pollable().unregister(token));
}

#[test]
fn a_blocked_taker_gets_the_message_that_comes_later() {
    let slot = Arc::new(Slot::default());
    let other = Arc::clone(&slot);
    let taker = thread::spawn(move || other.take());
    thread::sleep(Duration::from_millis(50));
    slot.put(42);
    assert_eq!(taker.join().expect("the taker ends"), 42);
}

#[test]
fn a_crowd_passes_every_message_once() {
    const EACH: u64 = 2000;
    let slot = Arc::new(Slot::default());
    let putters: Vec<_> = (0..3)
        .map(|nr| {
            let slot = Arc::clone(&slot);
            thread::spawn(move || (0..EACH).for_each(|at| slot.put(nr * EACH + at)))
        })
        .collect();
    let takers: Vec<_> = (0..3)
        .map(|_| {
            let slot = Arc::clone(&slot);
            thread::spawn(move || (0..EACH).map(|_| slot.take()).collect::<Vec<_>>())
        })
        .collect();
    putters.into_iter().for_each(|putter| putter.join().expect("a putter ends"));
    let taken: Vec<u64> = takers.into_iter().flat_map(|taker| taker.join().expect("a taker ends")).collect();
    assert_eq!(taken.len() as u64, 3 * EACH);
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>().len() as u64, 3 * EACH, "a message came twice");
}

#[test]
fn a_watcher_that_leaves_leaves_nothing() {
    let slot = Slot::default();
    for _ in 0..1000 {
        drop(Registration::new(slot.pollable(), Task::current(), Events::IN, WakeMode::Exclusive));
    }
    assert_eq!(slot.try_put(1), Poll::Ready(()));
}

#[test]
fn it_has_sixty_lines() {
    let source = if cfg!(feature = "solved") {
        include_str!("../src/solved/slot.rs")
    } else {
        include_str!("../src/slot.rs")
    };
    let lines = source.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//"));
    assert!(lines.count() <= 60, "without comments and blank lines");
}
