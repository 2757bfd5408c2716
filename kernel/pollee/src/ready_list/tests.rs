//! Sentences about the order and the settling of entries.

use alloc::vec::Vec;

use super::{Key, Places, Settle};

fn queue_of(items: usize) -> (Places, Vec<Key>) {
    let mut queue = Places::new();
    let keys = (0..items).map(|_| queue.open()).collect();
    (queue, keys)
}

/// What one scan reports, each item settled as `how`.
fn scan(queue: &mut Places, how: Settle) -> Vec<Key> {
    let start = queue.now();
    let mut seen = Vec::new();
    while let Some(taken) = queue.take(start) {
        seen.push(taken.key);
        queue.settle(&taken, how);
    }
    seen
}

#[test]
fn items_are_reported_in_the_order_of_their_first_event() {
    let (mut queue, keys) = queue_of(3);
    for nr in [2, 0, 2, 1, 0] {
        assert!(queue.enqueue(keys[nr]));
    }
    assert_eq!(scan(&mut queue, Settle::Gone), [keys[2], keys[0], keys[1]]);
    assert!(queue.is_empty());
}

#[test]
fn a_level_triggered_item_is_seen_once_by_each_scan() {
    let (mut queue, keys) = queue_of(2);
    queue.enqueue(keys[0]);
    queue.enqueue(keys[1]);
    for _ in 0..3 {
        assert_eq!(scan(&mut queue, Settle::Back), [keys[0], keys[1]]);
    }
}

#[test]
fn scans_with_little_room_go_round_all_level_triggered_items() {
    let (mut queue, keys) = queue_of(3);
    for &key in &keys {
        queue.enqueue(key);
    }
    for nr in [0, 1, 2, 0, 1, 2] {
        let start = queue.now();
        let taken = queue.take(start).unwrap();
        assert_eq!(taken.key, keys[nr]);
        queue.settle(&taken, Settle::Back);
    }
}

#[test]
fn an_event_while_the_file_is_polled_queues_the_item_again() {
    let (mut queue, keys) = queue_of(1);
    queue.enqueue(keys[0]);
    let taken = queue.take(queue.now()).unwrap();
    assert!(!queue.is_empty(), "in flight, and in sight");
    queue.enqueue(keys[0]);
    queue.settle(&taken, Settle::Gone);
    assert_eq!(scan(&mut queue, Settle::Gone), [keys[0]]);
}

#[test]
fn an_item_that_could_not_be_copied_out_stays_the_first() {
    let (mut queue, keys) = queue_of(2);
    queue.enqueue(keys[0]);
    queue.enqueue(keys[1]);
    let taken = queue.take(queue.now()).unwrap();
    queue.settle(&taken, Settle::Front);
    assert_eq!(scan(&mut queue, Settle::Gone), [keys[0], keys[1]]);
}

#[test]
fn events_do_not_queue_a_disarmed_item_until_it_is_armed() {
    let (mut queue, keys) = queue_of(1);
    queue.enqueue(keys[0]);
    let taken = queue.take(queue.now()).unwrap();
    queue.enqueue(keys[0]);
    queue.settle(&taken, Settle::Disarmed);
    assert!(queue.is_empty());
    assert!(!queue.enqueue(keys[0]));
    queue.arm(keys[0]);
    assert!(queue.enqueue(keys[0]));
}

#[test]
fn a_closed_place_is_not_reported_and_is_used_again() {
    let (mut queue, keys) = queue_of(3);
    for &key in &keys {
        queue.enqueue(key);
    }
    queue.close(keys[1]);
    assert_eq!(queue.open(), keys[1]);
    assert_eq!(scan(&mut queue, Settle::Gone), [keys[0], keys[2]]);
}
