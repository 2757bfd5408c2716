//! What identifies an item, and what may be added.

use super::{Identity, Item, Table, TargetKind, check};
use crate::abi::epoll::{EpollEvent, EpollFlags, Operation};
use crate::abi::errno::Errno;
use pollee::Events;
use pollee::ready_list::{Key, Settle};

const IN: u32 = 1;
const PRI: u32 = 2;

const fn event(events: u32, flags: EpollFlags) -> EpollEvent {
    EpollEvent { events: events | flags.bits(), data: 0 }
}

fn item(fd: i32, description: usize) -> Item<usize, ()> {
    Item { identity: Identity { description, fd }, file: (), event: event(IN, EpollFlags::empty()) }
}

#[test]
fn a_description_under_two_numbers_is_two_items() {
    let mut table = Table::new();
    let [first, second] = [0, 1].map(Key::from_index);
    table.insert(first, item(3, 0x1000)).unwrap();
    table.insert(second, item(4, 0x1000)).unwrap();
    assert_eq!(table.len(), 2);
    assert_eq!(table.numbers_of(0x1000).collect::<alloc::vec::Vec<_>>(), [3, 4]);
    assert_eq!(table.numbers_of(0x0fff).count(), 0);
    assert_eq!(table.find(Identity { description: 0x1000, fd: 3 }), Some(first));
    assert_eq!(table.find(Identity { description: 0x2000, fd: 3 }), None);
    let third = Identity { description: 0x1000, fd: 3 };
    assert_eq!(table.remove(third).map(|(key, item)| (key, item.identity)), Some((first, third)));
    assert!(table.remove(third).is_none());
    let (next, item) = table.next(0).unwrap();
    assert_eq!((item.identity.fd, table.len()), (4, 1));
    assert!(table.next(next).is_none());
}

#[test]
fn exclusive_allows_little_and_no_epoll() {
    let exclusive = EpollFlags::EXCLUSIVE;
    let add = |events, flags, target| check(Operation::Add, &event(events, flags), target);
    assert_eq!(add(IN, exclusive | EpollFlags::EDGE, TargetKind::Other), Ok(()));
    assert_eq!(add(IN, exclusive | EpollFlags::ONESHOT, TargetKind::Other), Err(Errno::EINVAL));
    assert_eq!(add(PRI, exclusive, TargetKind::Other), Err(Errno::EINVAL));
    assert_eq!(add(IN, exclusive, TargetKind::Epoll), Err(Errno::EINVAL));
    assert_eq!(add(PRI, EpollFlags::ONESHOT, TargetKind::Epoll), Ok(()));
}

#[test]
fn no_item_becomes_exclusive() {
    let exclusive = event(IN, EpollFlags::EXCLUSIVE);
    assert_eq!(check(Operation::Modify, &exclusive, TargetKind::Other), Err(Errno::EINVAL));
    assert_eq!(check(Operation::Delete, &exclusive, TargetKind::Other), Ok(()));
}

#[test]
fn the_file_is_asked_for_what_it_may_know_and_for_its_end() {
    let wanted = event(IN | 0x2000 | 0x0800, EpollFlags::EDGE).interest();
    assert_eq!(wanted, Events::IN | Events::RDHUP | Events::ALWAYS);
}

#[test]
fn one_shot_beats_edge_beats_level() {
    let both = EpollFlags::ONESHOT | EpollFlags::EDGE;
    assert_eq!(event(IN, both).settle_reported(), Settle::Disarmed);
    assert_eq!(event(IN, EpollFlags::EDGE).settle_reported(), Settle::Gone);
    assert_eq!(event(IN, EpollFlags::empty()).settle_reported(), Settle::Back);
}

#[test]
fn an_event_survives_the_packed_layout() {
    let event = EpollEvent { events: 0x8000_0001, data: 0x0123_4567_89ab_cdef };
    let bytes = event.to_bytes();
    assert_eq!(bytes[..5], [1, 0, 0, 0x80, 0xef]);
    assert_eq!(EpollEvent::from_bytes(bytes), event);
}
