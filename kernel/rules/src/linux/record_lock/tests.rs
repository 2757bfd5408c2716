//! Single rules as sentences, and random operations against a table of single bytes.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::{Just, Strategy, prop_oneof, proptest};

use super::{LockRange, RecordLock, RecordLocks};
use crate::core::seek::OFFSET_MAX;
use crate::linux::lock::LockMode;

const SIZE: u64 = 24;

fn bytes(first: u64, last: u64) -> LockRange {
    LockRange { first, last }
}

#[test]
fn shared_locks_overlap_and_exclusive_ones_do_not() {
    let mut locks = RecordLocks::new();
    locks.acquire('a', LockMode::Shared, bytes(0, 9)).unwrap();
    assert_eq!(locks.in_the_way('b', LockMode::Shared, bytes(5, 20)), None);
    let held = RecordLock { owner: 'a', mode: LockMode::Shared, bytes: bytes(0, 9) };
    assert_eq!(locks.in_the_way('b', LockMode::Exclusive, bytes(9, 20)), Some(held));
    assert_eq!(locks.in_the_way('b', LockMode::Exclusive, bytes(10, 20)), None);
    assert_eq!(
        locks.in_the_way('a', LockMode::Exclusive, bytes(0, 20)),
        None,
        "its own are never in the way"
    );
}

#[test]
fn neighbours_become_one_and_a_hole_makes_two() {
    let mut locks = RecordLocks::new();
    locks.acquire('a', LockMode::Exclusive, bytes(0, 4)).unwrap();
    locks.acquire('a', LockMode::Exclusive, bytes(5, 9)).unwrap();
    assert_eq!(locks.held.len(), 1);
    locks.release('a', bytes(3, 6)).unwrap();
    assert_eq!(locks.held.len(), 2);
    locks.acquire('a', LockMode::Shared, bytes(0, OFFSET_MAX)).unwrap();
    assert_eq!(locks.held.len(), 1);
    assert!(locks.release_all('a') && locks.is_empty() && !locks.release_all('a'));
}

fn operations() -> impl Strategy<Value = Vec<(usize, Option<LockMode>, LockRange)>> {
    let mode = prop_oneof![Just(None), Just(Some(LockMode::Shared)), Just(Some(LockMode::Exclusive))];
    let range = (0..SIZE, 0..SIZE).prop_map(|(one, other)| bytes(one.min(other), one.max(other)));
    proptest::collection::vec((0..3_usize, mode, range), 0..60)
}

proptest! {
    #[test]
    fn each_byte_is_as_the_last_successful_call_left_it(operations in operations()) {
        let mut locks = RecordLocks::new();
        let mut table = vec![[None; 3]; usize::try_from(SIZE).unwrap()];
        for (owner, mode, range) in operations {
            let first = usize::try_from(range.first).unwrap();
            let cells = &mut table[first..=usize::try_from(range.last).unwrap()];
            let is_free = mode.is_none_or(|mode| {
                cells.iter().all(|cell| (0..3).all(|other| {
                    other == owner || cell[other].is_none_or(|held| held == LockMode::Shared && mode == LockMode::Shared)
                }))
            });
            match mode {
                None => locks.release(owner, range).unwrap(),
                Some(mode) => {
                    assert_eq!(locks.in_the_way(owner, mode, range).is_none(), is_free);
                    if is_free {
                        locks.acquire(owner, mode, range).unwrap();
                    }
                }
            }
            if is_free {
                cells.iter_mut().for_each(|cell| cell[owner] = mode);
            }
            for (position, cell) in (0..).zip(&table) {
                for (owner, expected) in cell.iter().enumerate() {
                    let held: Vec<LockMode> = locks.held.iter()
                        .filter(|held| held.owner == owner && held.bytes.overlaps(bytes(position, position)))
                        .map(|held| held.mode).collect();
                    assert_eq!(held, Vec::from_iter(*expected));
                }
            }
            for (index, one) in locks.held.iter().enumerate() {
                for other in &locks.held[index + 1..] {
                    let alike = one.owner == other.owner && one.mode == other.mode;
                    assert!(!(alike && one.bytes.touches(other.bytes)), "{one:?} {other:?}");
                }
            }
        }
    }
}
