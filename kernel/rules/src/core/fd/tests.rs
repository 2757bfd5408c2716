//! Single rules as sentences, and random operations against an ordered map.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proptest::prelude::{Strategy, any, prop_oneof, proptest};

use super::{Fd, FdTable, MOST, OnExec};
use crate::abi::errno::Errno;

const NONE: u32 = 1024;

fn open(table: &mut FdTable<u32>, file: u32) -> u32 {
    let reserved = table.reserve(Fd::new(0), NONE).unwrap();
    let number = reserved.fd().number();
    table.commit(reserved, file, OnExec::Keep);
    number
}

#[test]
fn the_lowest_free_number_comes_first() {
    let mut table = FdTable::new();
    assert_eq!([open(&mut table, 10), open(&mut table, 11), open(&mut table, 12)], [0, 1, 2]);
    assert_eq!(table.close(Fd::new(1)), Ok(11));
    assert_eq!([open(&mut table, 13), open(&mut table, 14)], [1, 3]);
    assert_eq!(table.get(Fd::new(1)), Some(&13));
}

#[test]
fn a_reserved_number_is_not_open_and_not_free() {
    let mut table = FdTable::new();
    let reserved = table.reserve(Fd::new(0), NONE).unwrap();
    assert_eq!(table.get(Fd::new(0)), None);
    assert_eq!(table.close(Fd::new(0)), Err(Errno::EBADF));
    assert_eq!(table.replace(Fd::new(0), NONE, 5, OnExec::Keep), Err(Errno::EBUSY));
    assert_eq!(table.try_clone().unwrap().reserve(Fd::new(0), NONE).unwrap().fd(), Fd::new(0));
    assert_eq!(open(&mut table, 1), 1);
    table.cancel(reserved);
    assert_eq!(open(&mut table, 2), 0);
}

#[test]
fn numbers_end_at_the_limit_and_at_the_largest_table() {
    let mut table = FdTable::new();
    for _ in 0..3 {
        let reserved = table.reserve(Fd::new(0), 3).unwrap();
        table.commit(reserved, 0, OnExec::Keep);
    }
    assert_eq!(table.reserve(Fd::new(0), 3).unwrap_err(), Errno::EMFILE);
    assert_eq!(table.reserve(Fd::new(9), 3).unwrap_err(), Errno::EMFILE);
    assert_eq!(table.replace(Fd::new(3), 3, 0, OnExec::Keep), Err(Errno::EBADF));
    assert_eq!(table.replace(Fd::new(MOST), u32::MAX, 0, OnExec::Keep), Err(Errno::EBADF));
    assert_eq!(table.reserve(Fd::new(MOST), u32::MAX).unwrap_err(), Errno::EMFILE);
    assert_eq!(table.replace(Fd::new(MOST - 1), u32::MAX, 7, OnExec::Keep), Ok(None));
    assert_eq!(table.get(Fd::new(MOST - 1)), Some(&7));
    assert_eq!(table.get(Fd::new(u32::MAX)), None);
}

#[test]
fn a_new_file_takes_over_the_flag_of_its_descriptor() {
    let mut table = FdTable::new();
    open(&mut table, 1);
    table.set_on_exec(Fd::new(0), OnExec::Close).unwrap();
    assert_eq!(table.on_exec(Fd::new(0)), Ok(OnExec::Close));
    assert_eq!(table.replace(Fd::new(0), NONE, 2, OnExec::Keep), Ok(Some(1)));
    assert_eq!(table.on_exec(Fd::new(0)), Ok(OnExec::Keep));
    assert_eq!(table.set_on_exec(Fd::new(1), OnExec::Close), Err(Errno::EBADF));
}

#[test]
fn capacities_grow_as_linux_grows_them() {
    let mut table = FdTable::new();
    assert_eq!(table.capacity(), 64);
    for (number, capacity) in [(63, 64), (64, 128), (127, 128), (128, 256), (256, 512), (5000, 8192)] {
        table.replace(Fd::new(number), MOST, number, OnExec::Keep).unwrap();
        assert_eq!(table.capacity(), capacity);
    }
    table.close(Fd::new(5000)).unwrap();
    assert_eq!(table.capacity(), 8192);
    assert_eq!(table.try_clone().unwrap().capacity(), 512);
    assert_eq!(FdTable::<u32>::new().try_clone().unwrap().capacity(), 64);
}

#[derive(Clone, Debug)]
enum Operation {
    Open(u32, OnExec),
    Replace(u32, OnExec),
    Close(u32),
    SetOnExec(u32, OnExec),
    Fork,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let number = || prop_oneof![4 => 0..70_u32, 2 => 120..140_u32, 1 => 4050..4200_u32, 1 => any::<u32>()];
    let on_exec = || any::<bool>().prop_map(|close| if close { OnExec::Close } else { OnExec::Keep });
    let from = prop_oneof![6 => proptest::strategy::Just(0), 1 => number()];
    let operation = prop_oneof![
        9 => (from, on_exec()).prop_map(|(from, on_exec)| Operation::Open(from, on_exec)),
        3 => (number(), on_exec()).prop_map(|(number, on_exec)| Operation::Replace(number, on_exec)),
        4 => number().prop_map(Operation::Close),
        1 => (number(), on_exec()).prop_map(|(number, on_exec)| Operation::SetOnExec(number, on_exec)),
        1 => proptest::strategy::Just(Operation::Fork),
    ];
    proptest::collection::vec(operation, 0..300)
}

proptest! {
    #[test]
    fn it_is_a_map_that_finds_the_lowest_free_key(operations in operations(), limit in 1..5000_u32) {
        let mut table = FdTable::new();
        let mut map = BTreeMap::new();
        for (file, operation) in operations.into_iter().enumerate() {
            match operation {
                Operation::Open(from, on_exec) => {
                    let free = (from..).find(|number| !map.contains_key(number)).unwrap();
                    match table.reserve(Fd::new(from), limit) {
                        Ok(reserved) => {
                            assert_eq!(reserved.fd().number(), free);
                            assert!(free < limit);
                            table.commit(reserved, file, on_exec);
                            map.insert(free, (file, on_exec));
                        }
                        Err(error) => {
                            assert_eq!(error, Errno::EMFILE);
                            assert!(free >= limit);
                        }
                    }
                }
                Operation::Replace(number, on_exec) => {
                    let result = table.replace(Fd::new(number), limit, file, on_exec);
                    if number < limit {
                        assert_eq!(result, Ok(map.insert(number, (file, on_exec)).map(|(file, _)| file)));
                    } else {
                        assert_eq!(result, Err(Errno::EBADF));
                    }
                }
                Operation::Close(number) => {
                    let expected = map.remove(&number).map(|(file, _)| file).ok_or(Errno::EBADF);
                    assert_eq!(table.close(Fd::new(number)), expected);
                }
                Operation::SetOnExec(number, on_exec) => {
                    let entry = map.get_mut(&number);
                    assert_eq!(table.set_on_exec(Fd::new(number), on_exec).is_ok(), entry.is_some());
                    if let Some((_, flag)) = entry {
                        *flag = on_exec;
                    }
                }
                Operation::Fork => table = table.try_clone().unwrap(),
            }
        }
        let mut listed = BTreeMap::new();
        let mut next = table.next_open(Fd::new(0), Fd::new(u32::MAX));
        while let Some(fd) = next {
            listed.insert(fd.number(), (*table.get(fd).unwrap(), table.on_exec(fd).unwrap()));
            next = table.next_open(Fd::new(fd.number() + 1), Fd::new(u32::MAX));
        }
        assert_eq!(listed, map);
        let mut to_close = Vec::new();
        let mut next = table.next_close_on_exec(Fd::new(0));
        while let Some(fd) = next {
            to_close.push(fd.number());
            next = table.next_close_on_exec(Fd::new(fd.number() + 1));
        }
        let expected: Vec<u32> =
            map.iter().filter(|(_, (_, on_exec))| *on_exec == OnExec::Close).map(|(number, _)| *number).collect();
        assert_eq!(to_close, expected);
    }
}
