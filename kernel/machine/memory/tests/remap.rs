//! Mappings that change their size and address.

use ostd::prelude::ktest;
use rules::abi::errno::Errno;
use rules::machine::abi::mman::Prot;

use super::super::layout::PAGE_SIZE;
use super::super::shared::SharedPages;
use super::super::space::{AddressSpace, Backing, MapRequest, Move, Placement};
use super::{READ_WRITE, map_at, map_pages, new_space, read, write};

const PAGES: usize = 8;
const LEN: usize = PAGES * PAGE_SIZE;

/// Maps pages that hold their numbers, counted from one.
fn numbered(space: &AddressSpace) -> usize {
    let addr = map_pages(space, PAGES);
    for page in 0..PAGES {
        write(space, addr + page * PAGE_SIZE, page as u64 + 1).unwrap();
    }
    addr
}

fn assert_numbered(space: &AddressSpace, addr: usize, pages: usize) {
    for page in 0..pages {
        assert_eq!(read(space, addr + page * PAGE_SIZE), Ok(page as u64 + 1));
    }
}

#[ktest]
fn a_mapping_shrinks_and_grows_where_it_is() {
    let space = new_space();
    let addr = numbered(&space);
    assert_eq!(space.remap(addr, LEN, LEN / 2, Move::Never), Ok(addr));
    assert_eq!(read(&space, addr + LEN / 2), Err(Errno::EFAULT));
    assert_eq!(space.remap(addr, LEN / 2, LEN, Move::Never), Ok(addr));
    assert_numbered(&space, addr, PAGES / 2);
    assert_eq!(read(&space, addr + LEN / 2), Ok(0));
}

#[ktest]
fn a_mapping_moves_only_if_it_may() {
    let space = new_space();
    let addr = numbered(&space);
    map_at(&space, Placement::Replacing(addr + LEN), 1);
    space.protect(addr + LEN..addr + LEN + PAGE_SIZE, Prot::READ).unwrap();
    assert_eq!(space.remap(addr, LEN, LEN + PAGE_SIZE, Move::Never), Err(Errno::ENOMEM));
    let moved = space.remap(addr, LEN, LEN + PAGE_SIZE, Move::IfNeeded).unwrap();
    assert_ne!(moved, addr);
    assert_eq!(read(&space, addr), Err(Errno::EFAULT));
    assert_numbered(&space, moved, PAGES);
    write(&space, moved, 1).unwrap();
    assert_eq!(read(&space, moved + LEN), Ok(0));
}

#[ktest]
fn pages_move_across_the_border_of_two_page_tables() {
    let space = new_space();
    let addr = numbered(&space);
    let target = 0x2000_0020_0000 - 3 * PAGE_SIZE;
    assert_eq!(space.remap(addr, LEN, LEN, Move::To(target)), Ok(target));
    assert_numbered(&space, target, PAGES);
    assert_eq!(space.statistics().resident, LEN);
    assert_eq!(space.remap(target, LEN, LEN, Move::To(target + PAGE_SIZE)), Err(Errno::EINVAL));
}

#[ktest]
fn the_emptied_range_can_stay() {
    let space = new_space();
    let addr = numbered(&space);
    let moved = space.remap(addr, LEN, LEN, Move::Leaving(0)).unwrap();
    assert_numbered(&space, moved, PAGES);
    assert_eq!(read(&space, addr), Ok(0));
}

#[ktest]
fn shared_pages_can_be_had_twice_and_private_ones_cannot() {
    let space = new_space();
    let backing = Backing::Shared { pages: SharedPages::new_shared(), index: 0, hold: None };
    let request = MapRequest::anonymous(Placement::Anywhere(0), LEN, READ_WRITE);
    let shared = space.map(MapRequest { backing, ..request }).unwrap();
    write(&space, shared + PAGE_SIZE, 5).unwrap();
    let twin = space.remap(shared, 0, LEN, Move::IfNeeded).unwrap();
    assert_eq!(read(&space, twin + PAGE_SIZE), Ok(5));
    write(&space, twin, 6).unwrap();
    assert_eq!(read(&space, shared), Ok(6));
    let private = numbered(&space);
    assert_eq!(space.remap(private, 0, LEN, Move::IfNeeded), Err(Errno::EINVAL));
}

#[ktest]
fn only_one_area_moves_at_a_time() {
    let space = new_space();
    let addr = numbered(&space);
    space.protect(addr..addr + PAGE_SIZE, Prot::READ).unwrap();
    assert_eq!(space.remap(addr, LEN, 2 * LEN, Move::IfNeeded), Err(Errno::EFAULT));
    assert_eq!(space.remap(0x99_9000, PAGE_SIZE, LEN, Move::IfNeeded), Err(Errno::EFAULT));
}
