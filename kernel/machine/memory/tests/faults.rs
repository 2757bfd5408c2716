//! Results of page faults.

use ostd::prelude::ktest;
use rules::abi::errno::Errno;
use rules::machine::abi::mman::Prot;
use rules::machine::vma::Traits;

use super::super::fault::{Access, FaultError};
use super::super::layout::{PAGE_SIZE, STACK_TOP, TASK_SIZE};
use super::super::space::{AddressSpace, MapRequest, Placement};
use super::{READ_WRITE, enter, map_at, map_pages, new_space, read, write};

#[ktest]
fn nothing_is_readable_where_nothing_is_mapped() {
    let space = new_space();
    for addr in [0, 8, 0x1_0000, TASK_SIZE - 8, TASK_SIZE - 4, TASK_SIZE, usize::MAX - 3] {
        assert_eq!(read(&space, addr), Err(Errno::EFAULT));
        assert_eq!(write(&space, addr, 1), Err(Errno::EFAULT));
    }
}

#[ktest]
fn fresh_memory_is_zero_and_keeps_what_is_written_across_pages() {
    let space = new_space();
    let addr = map_pages(&space, 4);
    assert_eq!(read(&space, addr + 4093), Ok(0));
    write(&space, addr + 4093, 0x0102_0304_0506_0708).unwrap();
    assert_eq!(read(&space, addr + 4093), Ok(0x0102_0304_0506_0708));
}

#[ktest]
fn only_a_run_of_touched_pages_brings_in_more() {
    let space = new_space();
    let addr = map_pages(&space, 64);
    write(&space, addr + 20 * PAGE_SIZE, 1).unwrap();
    assert_eq!(space.statistics().resident, PAGE_SIZE);
    write(&space, addr + 21 * PAGE_SIZE, 1).unwrap();
    assert_eq!(space.statistics().resident, 9 * PAGE_SIZE);
}

#[ktest]
fn protection_is_obeyed_and_can_be_given_back() {
    let space = new_space();
    let addr = map_pages(&space, 2);
    let page = addr..addr + PAGE_SIZE;
    write(&space, addr, 1).unwrap();
    space.protect(page.clone(), Prot::READ).unwrap();
    assert_eq!(write(&space, addr, 2), Err(Errno::EFAULT));
    assert_eq!(read(&space, addr), Ok(1));
    space.protect(page.clone(), Prot::empty()).unwrap();
    assert_eq!(read(&space, addr), Err(Errno::EFAULT));
    space.protect(page, READ_WRITE).unwrap();
    write(&space, addr, 3).unwrap();
    assert_eq!(read(&space, addr), Ok(3));
    assert_eq!(space.fault(addr, Access::Execute), Err(FaultError::Denied));
    assert_eq!(space.protect(addr..addr + 3 * PAGE_SIZE, READ_WRITE), Err(Errno::ENOMEM));
}

#[ktest]
fn unmapped_memory_is_gone_and_comes_back_as_zeroes() {
    let space = new_space();
    let addr = map_pages(&space, 4);
    write(&space, addr + PAGE_SIZE, 7).unwrap();
    space.unmap(addr + PAGE_SIZE, PAGE_SIZE).unwrap();
    assert_eq!(read(&space, addr + PAGE_SIZE), Err(Errno::EFAULT));
    map_at(&space, Placement::IfFree(addr + PAGE_SIZE), 1);
    assert_eq!(read(&space, addr + PAGE_SIZE), Ok(0));
}

fn map_stack(space: &AddressSpace) {
    let stack = MapRequest::anonymous(Placement::Replacing(STACK_TOP - 0x20000), 0x20000, READ_WRITE);
    space.map(MapRequest { traits: Traits::GROWS_DOWN, ..stack }).unwrap();
}

#[ktest]
fn the_stack_grows_to_its_limit() {
    let space = new_space();
    map_stack(&space);
    let lowest = STACK_TOP - (8 << 20);
    write(&space, lowest + PAGE_SIZE, 5).unwrap();
    write(&space, lowest, 5).unwrap();
    assert_eq!(write(&space, lowest - 8, 5), Err(Errno::EFAULT));
    assert_eq!(space.fault(lowest - PAGE_SIZE, Access::Write), Err(FaultError::NotMapped));
    assert_eq!(space.statistics().virtual_size, 8 << 20);
}

#[ktest]
fn the_stack_keeps_its_distance_from_what_is_below() {
    let space = new_space();
    map_stack(&space);
    map_at(&space, Placement::Replacing(STACK_TOP - (2 << 20)), 1);
    assert_eq!(space.fault(STACK_TOP - (2 << 20) + PAGE_SIZE, Access::Write), Err(FaultError::NotMapped));
    assert_eq!(space.fault(STACK_TOP - (1 << 20) + PAGE_SIZE, Access::Write), Ok(()));
}

#[ktest]
fn the_heap_moves_its_end() {
    let space = new_space();
    space.place_heap(0x50_0010);
    assert_eq!(space.brk(0), 0x50_0010);
    assert_eq!(space.brk(0x60_0000), 0x60_0000);
    write(&space, 0x50_1000, 9).unwrap();
    assert_eq!(space.brk(0x50_1000), 0x50_1000);
    assert_eq!(read(&space, 0x50_1000), Err(Errno::EFAULT));
    map_at(&space, Placement::Replacing(0x50_3000), 1);
    assert_eq!(space.brk(0x50_2000), 0x50_2000);
    assert_eq!(space.brk(0x50_3000), 0x50_2000, "Linux keeps a page between the heap and the next area");
}

#[ktest]
fn a_dead_space_leaves_nothing_in_the_page_table_it_hands_on() {
    for round in 0..20 {
        let space = new_space();
        map_stack(&space);
        map_at(&space, Placement::Replacing(0x40_0000), 8);
        for addr in [0x40_0000, 0x40_7000, STACK_TOP - 8, STACK_TOP - 0x10000] {
            assert_eq!(read(&space, addr), Ok(0), "round {}", round);
            write(&space, addr, 1).unwrap();
        }
        enter(&AddressSpace::new(Default::default()).unwrap());
    }
}
