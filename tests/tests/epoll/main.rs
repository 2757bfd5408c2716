//! epoll(7): which events an instance reports, when, how often, and for which open files.

mod identity;

use libc::{EFD_NONBLOCK, O_NONBLOCK, POLLIN};
use pollux_tests::epoll::events::{ERR, ET, EXCLUSIVE, HUP, IN, ONESHOT, OUT, RDHUP, WAKEUP};
use pollux_tests::epoll::{Epoll, event};
use pollux_tests::memory::PAGE;
use pollux_tests::{Errno, Fd, child, fd, limit, poll, time};

fn pipe() -> (Fd, Fd) {
    fd::pipe2(O_NONBLOCK).unwrap()
}

fn eventfd(initial: u32) -> Fd {
    fd::eventfd(initial, EFD_NONBLOCK).unwrap()
}

#[test]
fn a_level_is_reported_as_long_as_it_holds() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    epoll.add(&reader, IN, 7).unwrap();
    assert_eq!(epoll.now(), []);
    writer.write(b"xy").unwrap();
    for _ in 0..3 {
        assert_eq!(epoll.now(), [event(IN, 7)]);
    }
    reader.read(1).unwrap();
    assert_eq!(epoll.now(), [event(IN, 7)]);
    reader.read(1).unwrap();
    assert_eq!(epoll.now(), []);
}

#[test]
fn readiness_from_before_the_add_is_reported() {
    let epoll = Epoll::new();
    let event_fd = eventfd(1);
    epoll.add(&event_fd, IN | OUT | ET, 1).unwrap();
    assert_eq!(epoll.now(), [event(IN | OUT, 1)]);
    assert_eq!(epoll.now(), []);
}

#[test]
fn an_edge_is_reported_once() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    epoll.add(&reader, IN | ET, 7).unwrap();
    writer.write(b"xy").unwrap();
    assert_eq!(epoll.now(), [event(IN, 7)]);
    assert_eq!(epoll.now(), []);
    reader.read(1).unwrap();
    assert_eq!(epoll.now(), [], "what is left is no new edge");
}

#[test]
fn each_write_to_a_pipe_is_an_edge_also_while_it_is_readable() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    epoll.add(&reader, IN | ET, 7).unwrap();
    for _ in 0..5 {
        writer.write(b"x").unwrap();
        assert_eq!(epoll.now(), [event(IN, 7)]);
        assert_eq!(epoll.now(), []);
    }
}

#[test]
fn two_edges_before_a_wait_are_one_event() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    epoll.add(&reader, IN | ET, 7).unwrap();
    writer.write(b"x").unwrap();
    writer.write(b"y").unwrap();
    assert_eq!(epoll.now(), [event(IN, 7)]);
    assert_eq!(epoll.now(), []);
}

#[test]
fn an_edge_that_went_stale_is_not_reported() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    epoll.add(&reader, IN | ET, 7).unwrap();
    writer.write(b"x").unwrap();
    reader.read(1).unwrap();
    assert_eq!(epoll.now(), []);
}

#[test]
fn space_in_a_full_pipe_is_an_edge() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    epoll.add(&writer, OUT | ET, 7).unwrap();
    assert_eq!(epoll.now(), [event(OUT, 7)]);
    writer.write(&[0; 16 * PAGE]).unwrap();
    assert_eq!(epoll.now(), []);
    reader.read(PAGE).unwrap();
    assert_eq!(epoll.now(), [event(OUT, 7)]);
    assert_eq!(epoll.now(), []);
}

#[test]
fn each_write_and_each_read_of_an_eventfd_is_an_edge() {
    let epoll = Epoll::new();
    let counter = eventfd(0);
    epoll.add(&counter, IN | OUT | ET, 7).unwrap();
    assert_eq!(epoll.now(), [event(OUT, 7)]);
    counter.write_u64(1).unwrap();
    assert_eq!(epoll.now(), [event(IN | OUT, 7)]);
    counter.write_u64(1).unwrap();
    assert_eq!(epoll.now(), [event(IN | OUT, 7)]);
    counter.read_u64().unwrap();
    assert_eq!(epoll.now(), [event(OUT, 7)]);
    assert_eq!(epoll.now(), []);
}

#[test]
fn an_edge_watcher_that_is_modified_starts_anew() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    epoll.add(&reader, IN | ET, 7).unwrap();
    writer.write(b"x").unwrap();
    assert_eq!(epoll.now(), [event(IN, 7)]);
    epoll.modify(&reader, IN | ET, 8).unwrap();
    assert_eq!(epoll.now(), [event(IN, 8)]);
    assert_eq!(epoll.now(), []);
}

#[test]
fn a_one_shot_event_needs_rearming() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    epoll.add(&reader, IN | ONESHOT, 7).unwrap();
    writer.write(b"x").unwrap();
    assert_eq!(epoll.now(), [event(IN, 7)]);
    writer.write(b"y").unwrap();
    assert_eq!(epoll.now(), []);
    epoll.modify(&reader, IN | ONESHOT, 8).unwrap();
    assert_eq!(epoll.now(), [event(IN, 8)]);
    assert_eq!(epoll.now(), []);
}

#[test]
fn a_spent_one_shot_reports_not_even_hang_up() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    epoll.add(&reader, IN | ONESHOT, 7).unwrap();
    writer.write(b"x").unwrap();
    assert_eq!(epoll.now(), [event(IN, 7)]);
    drop(writer);
    assert_eq!(epoll.now(), []);
    assert_eq!(epoll.add(&reader, IN, 0), Err(Errno::EEXIST), "it is still in the list");
    epoll.modify(&reader, IN, 8).unwrap();
    assert_eq!(epoll.now(), [event(IN | HUP, 8)]);
}

#[test]
fn hang_up_and_error_are_reported_unasked() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    let (other_reader, other_writer) = pipe();
    epoll.add(&reader, 0, 1).unwrap();
    epoll.add(&other_writer, 0, 2).unwrap();
    assert_eq!(epoll.now(), []);
    drop(writer);
    drop(other_reader);
    assert_eq!(epoll.now(), [event(HUP, 1), event(ERR, 2)]);
}

#[test]
fn only_what_was_asked_for_is_reported() {
    let epoll = Epoll::new();
    let counter = eventfd(1);
    epoll.add(&counter, OUT | RDHUP | WAKEUP, 7).unwrap();
    assert_eq!(epoll.now(), [event(OUT, 7)]);
    epoll.modify(&counter, IN, 7).unwrap();
    assert_eq!(epoll.now(), [event(IN, 7)]);
    epoll.modify(&counter, 0, 7).unwrap();
    assert_eq!(epoll.now(), []);
}

#[test]
fn items_are_reported_in_the_order_in_which_they_became_ready() {
    let epoll = Epoll::new();
    let counters: Vec<_> = (0..4).map(|_| eventfd(0)).collect();
    for (data, counter) in (0..).zip(&counters) {
        epoll.add(counter, IN | ET, data).unwrap();
    }
    for index in [2, 0, 3, 1] {
        counters[index].write_u64(1).unwrap();
    }
    assert_eq!(epoll.now_data(), [2, 0, 3, 1]);
}

#[test]
fn more_ready_items_than_room_take_turns() {
    let epoll = Epoll::new();
    let counters: Vec<_> = (0..5).map(|_| eventfd(1)).collect();
    for (data, counter) in (0..).zip(&counters) {
        epoll.add(counter, IN, data).unwrap();
    }
    let mut order = Vec::new();
    for _ in 0..5 {
        order.extend(epoll.wait(2, 0).unwrap().iter().map(|event| event.data));
    }
    assert_eq!(order, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
}

#[test]
fn edges_beyond_the_room_stay_for_the_next_wait() {
    let epoll = Epoll::new();
    let counters: Vec<_> = (0..3).map(|_| eventfd(1)).collect();
    for (data, counter) in (0..).zip(&counters) {
        epoll.add(counter, IN | ET, data).unwrap();
    }
    assert_eq!(epoll.wait(2, 0), Ok(vec![event(IN, 0), event(IN, 1)]));
    assert_eq!(epoll.wait(2, 0), Ok(vec![event(IN, 2)]));
    assert_eq!(epoll.wait(2, 0), Ok(vec![]));
}

#[test]
fn an_instance_has_nothing_to_read_or_write() {
    let epoll = Epoll::new();
    assert_eq!(epoll.0.read(8), Err(Errno::EINVAL));
    assert_eq!(epoll.0.write(&[0; 8]), Err(Errno::EINVAL));
    assert_eq!(poll::ready(&epoll.0, POLLIN), 0);
}

#[test]
fn an_item_may_be_rearmed_a_hundred_thousand_times() {
    let epoll = Epoll::new();
    let counter = eventfd(1);
    epoll.add(&counter, IN | ONESHOT, 0).unwrap();
    for round in 0..100_000 {
        epoll.modify(&counter, IN | ONESHOT, round).unwrap();
    }
    assert_eq!(epoll.now(), [event(IN, 99_999)]);
}

#[test]
fn thousands_of_items_and_a_few_of_them_ready() {
    child::run(|| {
        limit::lower(libc::RLIMIT_NOFILE, 4096);
        let epoll = Epoll::new();
        let counters: Vec<_> = (0..3000).map(|_| eventfd(0)).collect();
        for (data, counter) in (0..).zip(&counters) {
            epoll.add(counter, IN, data).unwrap();
        }
        for index in [2999, 0, 1500] {
            counters[index].write_u64(1).unwrap();
        }
        assert_eq!(epoll.now_data(), [2999, 0, 1500]);
    });
}

#[test]
fn a_write_that_finds_no_room_is_an_edge_for_the_reader_all_the_same() {
    let (reader, writer) = fd::pipe2(libc::O_NONBLOCK).unwrap();
    let epoll = Epoll::new();
    epoll.add(&reader, IN | ET, 0).unwrap();
    while writer.write(&[1; 4096]).is_ok() {}
    assert_eq!(epoll.now().len(), 1);
    assert_eq!(epoll.now(), []);
    assert_eq!(writer.write(b"x"), Err(Errno::EAGAIN));
    assert_eq!(epoll.now(), [event(IN, 0)]);
}

#[test]
fn an_exclusive_item_of_an_instance_where_nobody_waits_uses_nothing_up() {
    let event = fd::eventfd(0, 0).unwrap();
    let (inner, outer) = (Epoll::new(), Epoll::new());
    inner.add(&event, IN | EXCLUSIVE, 0).unwrap();
    outer.add(&inner.0, IN, 0).unwrap();
    let writer = event.dup().unwrap();
    let writing = time::soon(move || writer.write_u64(1));
    // The reader sleeps behind the item, which hears of the event first.
    assert_eq!(event.read_u64(), Ok(1));
    writing.join().unwrap().unwrap();
}
