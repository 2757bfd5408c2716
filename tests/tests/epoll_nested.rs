//! epoll(7): an instance inside another is readable while it has something to report.

use std::time::Duration;

use libc::{EFD_NONBLOCK, POLLIN, POLLOUT, POLLRDNORM};
use pollux_tests::epoll::events::{ET, IN, ONESHOT, OUT};
use pollux_tests::epoll::{Epoll, event};
use pollux_tests::select::{Sets, select};
use pollux_tests::time;
use pollux_tests::{Fd, fd, poll};

fn eventfd(initial: u32) -> Fd {
    fd::eventfd(initial, EFD_NONBLOCK).unwrap()
}

/// Makes an instance that watches another, with data 1.
fn nest(events: u32) -> (Epoll, Epoll) {
    let (outer, inner) = (Epoll::new(), Epoll::new());
    outer.add(&inner.0, events, 1).unwrap();
    (outer, inner)
}

#[test]
fn an_instance_is_readable_while_an_item_is_ready() {
    let (outer, inner) = nest(IN | OUT);
    let counter = eventfd(0);
    inner.add(&counter, IN, 2).unwrap();
    assert_eq!(outer.now(), []);
    counter.write_u64(1).unwrap();
    assert_eq!(outer.now(), [event(IN, 1)]);
    assert_eq!(outer.now(), [event(IN, 1)]);
    assert_eq!(inner.now(), [event(IN, 2)]);
    counter.read_u64().unwrap();
    assert_eq!(outer.now(), []);
}

#[test]
fn an_item_that_went_stale_makes_nothing_readable() {
    let (outer, inner) = nest(IN);
    let counter = eventfd(0);
    inner.add(&counter, IN, 2).unwrap();
    counter.write_u64(1).unwrap();
    counter.read_u64().unwrap();
    assert_eq!(outer.now(), []);
    assert_eq!(poll::ready(&inner.0, POLLIN), 0);
    let mut sets = Sets::reading(&[inner.number()]);
    assert_eq!(select(inner.number() + 1, &mut sets, Some(Duration::ZERO)).0, Ok(0));
    counter.write_u64(1).unwrap();
    assert_eq!(outer.now(), [event(IN, 1)]);
}

#[test]
fn poll_sees_the_same_through_five_levels() {
    let chain: Vec<_> = (0..5).map(|_| Epoll::new()).collect();
    for pair in chain.windows(2) {
        pair[0].add(&pair[1].0, IN, 0).unwrap();
    }
    let counter = eventfd(0);
    chain[4].add(&counter, IN, 0).unwrap();
    for _ in 0..3 {
        assert_eq!(poll::ready(&chain[0].0, POLLIN), 0);
        counter.write_u64(1).unwrap();
        assert_eq!(poll::ready(&chain[0].0, POLLIN | POLLOUT | POLLRDNORM), POLLIN | POLLRDNORM);
        counter.read_u64().unwrap();
    }
}

#[test]
fn what_an_edge_watcher_took_is_not_ready_any_more() {
    let (outer, inner) = nest(IN);
    let counter = eventfd(1);
    inner.add(&counter, IN | ET, 2).unwrap();
    assert_eq!(outer.now(), [event(IN, 1)]);
    assert_eq!(inner.now(), [event(IN, 2)]);
    assert_eq!(outer.now(), []);
    assert_eq!(poll::ready(&inner.0, POLLIN), 0);
    counter.write_u64(1).unwrap();
    assert_eq!(outer.now(), [event(IN, 1)]);
}

#[test]
fn polling_an_instance_takes_no_edge_away() {
    let inner = Epoll::new();
    let counter = eventfd(1);
    inner.add(&counter, IN | ET | ONESHOT, 2).unwrap();
    for _ in 0..3 {
        assert_eq!(poll::ready(&inner.0, POLLIN), POLLIN);
    }
    assert_eq!(inner.now(), [event(IN, 2)]);
}

#[test]
fn an_edge_of_an_instance_is_an_event_inside() {
    let (outer, inner) = nest(IN | ET);
    let counter = eventfd(0);
    inner.add(&counter, IN, 2).unwrap();
    counter.write_u64(1).unwrap();
    assert_eq!(outer.now(), [event(IN, 1)]);
    assert_eq!(outer.now(), []);
    assert_eq!(inner.now(), [event(IN, 2)]);
    counter.read_u64().unwrap();
    assert_eq!(inner.now(), []);
    counter.write_u64(1).unwrap();
    assert_eq!(outer.now(), [event(IN, 1)]);
}

#[test]
fn a_waiter_outside_is_woken_by_an_event_inside() {
    let (outer, inner) = nest(IN);
    let counter = eventfd(0);
    inner.add(&counter, IN, 2).unwrap();
    let writer = counter.dup().unwrap();
    let write = time::soon(move || writer.write_u64(1));
    assert_eq!(outer.wait(8, -1), Ok(vec![event(IN, 1)]));
    write.join().unwrap().unwrap();
}

#[test]
fn poll_on_an_instance_is_woken_by_an_event_inside() {
    let (outer, inner) = nest(IN);
    let counter = eventfd(0);
    inner.add(&counter, IN, 2).unwrap();
    let writer = counter.dup().unwrap();
    let write = time::soon(move || writer.write_u64(1));
    let mut entries = [poll::entry(outer.number(), POLLIN)];
    assert_eq!(poll::poll(&mut entries, -1), Ok(1));
    assert_eq!(entries[0].revents, POLLIN);
    write.join().unwrap().unwrap();
}

#[test]
fn adding_a_ready_file_inside_wakes_a_waiter_outside() {
    let (outer, inner) = nest(IN);
    let add = time::soon(move || {
        let counter = eventfd(1);
        inner.add(&counter, IN, 2).map(|()| (inner, counter))
    });
    assert_eq!(outer.wait(8, -1), Ok(vec![event(IN, 1)]));
    add.join().unwrap().unwrap();
}

#[test]
fn a_stale_item_inside_does_not_end_the_wait_outside() {
    let (outer, inner) = nest(IN);
    let counter = eventfd(0);
    inner.add(&counter, IN, 2).unwrap();
    counter.write_u64(1).unwrap();
    counter.read_u64().unwrap();
    assert_eq!(time::at_least(time::SETTLE, || outer.wait(8, 30)), Ok(vec![]));
}

#[test]
fn removing_the_ready_item_makes_the_instance_unready() {
    let (outer, inner) = nest(IN);
    let counter = eventfd(1);
    inner.add(&counter, IN, 2).unwrap();
    assert_eq!(outer.now(), [event(IN, 1)]);
    inner.delete(&counter).unwrap();
    assert_eq!(outer.now(), []);
    inner.add(&counter, IN, 2).unwrap();
    assert_eq!(outer.now(), [event(IN, 1)]);
    drop(counter);
    assert_eq!(outer.now(), []);
}

#[test]
fn an_inner_instance_that_is_closed_leaves() {
    let (outer, inner) = nest(IN);
    let counter = eventfd(1);
    inner.add(&counter, IN, 2).unwrap();
    assert_eq!(outer.now(), [event(IN, 1)]);
    drop(inner);
    assert_eq!(outer.now(), []);
    counter.write_u64(1).unwrap();
    assert_eq!(outer.now(), []);
}

#[test]
fn one_file_may_be_watched_at_several_levels() {
    let (outer, inner) = nest(IN);
    let counter = eventfd(0);
    inner.add(&counter, IN, 2).unwrap();
    outer.add(&counter, IN, 3).unwrap();
    counter.write_u64(1).unwrap();
    let mut found = outer.now_data();
    found.sort();
    assert_eq!(found, [1, 3]);
    counter.read_u64().unwrap();
    assert_eq!(outer.now(), []);
}

#[test]
fn two_instances_inside_report_each_for_itself() {
    let (outer, first) = nest(IN);
    let second = Epoll::new();
    outer.add(&second.0, IN, 4).unwrap();
    let (one, two) = (eventfd(0), eventfd(0));
    first.add(&one, IN, 2).unwrap();
    second.add(&two, IN, 3).unwrap();
    two.write_u64(1).unwrap();
    assert_eq!(outer.now_data(), [4]);
    one.write_u64(1).unwrap();
    two.read_u64().unwrap();
    assert_eq!(outer.now_data(), [1]);
}

#[test]
fn who_watches_last_is_told_first_with_all_that_is_around_it() {
    let (outer, inner) = nest(IN);
    let counter = eventfd(0);
    outer.add(&counter, IN, 3).unwrap();
    inner.add(&counter, IN, 2).unwrap();
    counter.write_u64(1).unwrap();
    assert_eq!(outer.now_data(), [1, 3]);
}

#[test]
fn a_poll_for_anything_takes_stale_items_out_of_the_queue() {
    let instance = Epoll::new();
    let (one, two) = (eventfd(1), eventfd(1));
    instance.add(&one, IN, 1).unwrap();
    instance.add(&two, IN, 2).unwrap();
    one.read_u64().unwrap();
    assert_eq!(poll::ready(&instance.0, POLLOUT), 0);
    one.write_u64(1).unwrap();
    assert_eq!(instance.now_data(), [2, 1]);
}

#[test]
fn the_end_of_a_pipe_is_told_in_the_same_order() {
    let (outer, inner) = nest(IN | ET);
    let middle = Epoll::new();
    let (reader, writer) = fd::pipe();
    let always = eventfd(1);
    inner.add(&always, IN, 5).unwrap();
    middle.add(&inner.0, IN | ET, 1).unwrap();
    outer.add(&middle.0, IN, 6).unwrap();
    outer.add(&writer, IN, 3).unwrap();
    inner.add(&writer, OUT, 2).unwrap();
    assert_eq!(outer.now_data(), [1, 6]);
    assert_eq!(outer.now_data(), [6]);
    drop(reader);
    assert_eq!(outer.now_data(), [6, 1, 3]);
}
