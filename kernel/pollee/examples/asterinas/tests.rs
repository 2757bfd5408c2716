//! What a call site may rely on.

use super::{Events, PollHandle, Pollee, Task, lock};

type Kernel = lock::Std<Task>;

/// Not to be called: the answer is cached.
fn cached() -> Events {
    unreachable!("the answer is cached")
}

#[test]
fn idle_is_cached_until_it_is_invalidated() {
    let pollee = Pollee::<Kernel>::new();
    assert_eq!(pollee.poll_with(Events::IN, None, Events::empty), Events::empty());
    assert_eq!(pollee.poll_with(Events::all(), None, cached), Events::empty());
    pollee.invalidate();
    assert_eq!(pollee.poll_with(Events::IN, None, || Events::IN | Events::OUT), Events::IN);
    // The whole readiness was cached, not the part that was asked for.
    assert_eq!(pollee.poll_with(Events::OUT, None, cached), Events::OUT);
}

#[test]
fn a_check_that_an_event_overtakes_is_not_cached() {
    let pollee = Pollee::<Kernel>::new();
    let early = || {
        pollee.notify(Events::OUT);
        Events::IN
    };
    assert_eq!(pollee.poll_with(Events::all(), None, early), Events::IN);
    assert_eq!(pollee.poll_with(Events::all(), None, || Events::OUT), Events::OUT);
}

#[test]
fn of_two_checks_at_once_either_fills_the_cache() {
    let pollee = Pollee::<Kernel>::new();
    let outer = || pollee.poll_with(Events::IN, None, || Events::IN);
    assert_eq!(pollee.poll_with(Events::IN, None, outer), Events::IN);
    assert_eq!(pollee.poll_with(Events::IN, None, cached), Events::IN);
}

#[test]
fn a_poller_is_woken_by_its_events_and_by_errors() {
    let pollee = Pollee::<Kernel>::new();
    let mut poller = PollHandle::<Kernel>::new(Task::default());
    assert_eq!(pollee.poll_with(Events::IN, Some(&mut poller), Events::empty), Events::empty());
    pollee.notify(Events::OUT);
    pollee.invalidate();
    assert_eq!(poller.task.wakes(), 0);
    pollee.notify(Events::IN | Events::OUT);
    assert_eq!(poller.task.wakes(), 1);
    pollee.notify(Events::ERR);
    assert_eq!(poller.task.wakes(), 2);
}

#[test]
fn an_event_during_the_check_of_a_new_poller_wakes_it() {
    let pollee = Pollee::<Kernel>::new();
    let mut poller = PollHandle::<Kernel>::new(Task::default());
    let check = || {
        pollee.notify(Events::IN);
        Events::empty()
    };
    assert_eq!(pollee.poll_with(Events::IN, Some(&mut poller), check), Events::empty());
    assert_eq!(poller.task.wakes(), 1);
}

#[test]
fn a_second_poll_with_the_same_poller_replaces_the_mask() {
    let pollee = Pollee::<Kernel>::new();
    let mut poller = PollHandle::<Kernel>::new(Task::default());
    pollee.poll_with(Events::IN, Some(&mut poller), Events::empty);
    pollee.poll_with(Events::OUT, Some(&mut poller), cached);
    pollee.notify(Events::IN);
    assert_eq!(poller.task.wakes(), 0);
    pollee.notify(Events::OUT);
    assert_eq!(poller.task.wakes(), 1, "once, not once a poll");
}

#[test]
fn a_poller_that_was_reset_or_dropped_is_not_woken_and_may_outlive_the_pollee() {
    let pollee = Pollee::<Kernel>::new();
    let task = Task::default();
    let mut poller = PollHandle::<Kernel>::new(task.clone());
    pollee.poll_with(Events::IN, Some(&mut poller), Events::empty);
    poller.reset();
    pollee.notify(Events::IN);
    pollee.poll_with(Events::IN, Some(&mut poller), Events::empty);
    drop(poller);
    pollee.notify(Events::IN);
    assert_eq!(task.wakes(), 0);
    let mut poller = PollHandle::<Kernel>::new(task);
    pollee.poll_with(Events::IN, Some(&mut poller), Events::empty);
    drop(pollee);
    poller.reset();
}
