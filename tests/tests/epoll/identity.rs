//! Which open files an instance watches: duplicates, closed and reused numbers, children.

use pollux_tests::epoll::events::{ET, IN, OUT};
use pollux_tests::epoll::{Epoll, event};
use pollux_tests::{Errno, Fd, child, fd};

use super::{eventfd, pipe};

#[test]
fn duplicates_are_items_of_their_own() {
    let epoll = Epoll::new();
    let counter = eventfd(1);
    let second = counter.dup().unwrap();
    epoll.add(&counter, IN, 1).unwrap();
    epoll.add(&second, IN, 2).unwrap();
    assert_eq!(epoll.now_data(), [1, 2]);
}

#[test]
fn a_closed_descriptor_leaves_with_the_last_duplicate() {
    let epoll = Epoll::new();
    let counter = eventfd(1);
    let second = counter.dup().unwrap();
    let number = counter.number();
    epoll.add(&counter, IN, 1).unwrap();
    drop(counter);
    assert_eq!(epoll.now_data(), [1], "the open file is still there");
    let gone = Fd::from_number(number);
    assert_eq!(epoll.delete(&gone), Err(Errno::EBADF));
    assert_eq!(gone.close(), Err(Errno::EBADF));
    assert_eq!(epoll.delete(&second), Err(Errno::ENOENT), "another number is another item");
    drop(second);
    assert_eq!(epoll.now_data(), []);
}

#[test]
fn a_reused_number_is_a_new_item() {
    let epoll = Epoll::new();
    let counter = eventfd(1);
    let second = counter.dup().unwrap();
    let number = counter.number();
    epoll.add(&counter, IN, 1).unwrap();
    drop(counter);
    let reused = eventfd(0);
    assert_eq!(reused.number(), number);
    epoll.add(&reused, IN, 2).unwrap();
    assert_eq!(epoll.now_data(), [1]);
    reused.write_u64(1).unwrap();
    assert_eq!(epoll.now_data(), [1, 2]);
    epoll.delete(&reused).unwrap();
    assert_eq!(epoll.now_data(), [1]);
    drop(second);
    assert_eq!(epoll.now_data(), []);
}

#[test]
fn a_number_reused_inside_one_batch_brings_no_event_of_the_old_file() {
    let epoll = Epoll::new();
    let (first, second) = (eventfd(1), eventfd(1));
    epoll.add(&first, IN, 1).unwrap();
    epoll.add(&second, IN, 2).unwrap();
    assert_eq!(epoll.wait(1, 0), Ok(vec![event(IN, 1)]));
    let number = second.number();
    drop(second);
    let reused = eventfd(0);
    assert_eq!(reused.number(), number);
    epoll.add(&reused, IN, 3).unwrap();
    assert_eq!(epoll.now_data(), [1]);
}

#[test]
fn a_deleted_item_reports_nothing() {
    let epoll = Epoll::new();
    let (first, second) = (eventfd(1), eventfd(1));
    epoll.add(&first, IN, 1).unwrap();
    epoll.add(&second, IN | ET, 2).unwrap();
    epoll.delete(&first).unwrap();
    assert_eq!(epoll.now_data(), [2]);
    epoll.delete(&second).unwrap();
    second.write_u64(1).unwrap();
    assert_eq!(epoll.now_data(), []);
    epoll.add(&first, IN, 3).unwrap();
    assert_eq!(epoll.now_data(), [3]);
}

#[test]
fn both_ends_of_a_pipe_are_separate_items() {
    let epoll = Epoll::new();
    let (reader, writer) = pipe();
    epoll.add(&reader, IN | OUT, 1).unwrap();
    epoll.add(&writer, IN | OUT, 2).unwrap();
    assert_eq!(epoll.now(), [event(OUT, 2)]);
    writer.write(b"x").unwrap();
    let mut both = epoll.now();
    both.sort_by_key(|event| event.data);
    assert_eq!(both, [event(IN, 1), event(OUT, 2)]);
}

#[test]
fn a_duplicate_of_the_instance_is_the_same_instance() {
    let epoll = Epoll::new();
    let second = Epoll(epoll.0.dup().unwrap());
    let counter = eventfd(1);
    epoll.add(&counter, IN | ET, 1).unwrap();
    assert_eq!(second.add(&counter, IN, 2), Err(Errno::EEXIST));
    assert_eq!(second.now_data(), [1]);
    assert_eq!(epoll.now_data(), []);
}

#[test]
fn a_forked_child_shares_the_instance() {
    let epoll = Epoll::new();
    let counter = eventfd(0);
    epoll.add(&counter, IN | ET, 1).unwrap();
    let inherited = eventfd(0);
    child::run(|| {
        counter.write_u64(1).unwrap();
        assert_eq!(epoll.now_data(), [1]);
        epoll.add(&inherited, IN, 2).unwrap();
    });
    assert_eq!(epoll.now_data(), []);
    inherited.write_u64(1).unwrap();
    assert_eq!(epoll.now_data(), [2]);
}

#[test]
fn what_a_child_closes_stays_open_for_its_parent() {
    let epoll = Epoll::new();
    let counter = eventfd(1);
    epoll.add(&counter, IN, 1).unwrap();
    child::run(|| {
        fd::close(counter.number()).unwrap();
        assert_eq!(epoll.now_data(), [1], "the parent has it open");
    });
    assert_eq!(epoll.now_data(), [1]);
}

#[test]
fn a_closed_instance_lets_its_files_go() {
    let counter = eventfd(1);
    for _ in 0..200 {
        let epoll = Epoll::new();
        epoll.add(&counter, IN, 1).unwrap();
        assert_eq!(epoll.now_data(), [1]);
    }
    assert_eq!(counter.read_u64(), Ok(1));
}
