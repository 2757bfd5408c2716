//! Pages that parent and child share.

use ostd::prelude::ktest;
use rules::machine::vma::Traits;

use super::super::layout::PAGE_SIZE;
use super::super::shared::SharedPages;
use super::super::space::{Backing, MapRequest, Placement};
use super::{READ_WRITE, enter, map_pages, new_space, read, write};
use rules::machine::abi::mman::Advice;

#[ktest]
fn each_side_sees_its_own_writes_only() {
    let parent = new_space();
    let addr = map_pages(&parent, 8);
    for page in 0..8 {
        write(&parent, addr + page * PAGE_SIZE, page as u64).unwrap();
    }
    let child = parent.fork().unwrap();
    assert_eq!(child.statistics(), parent.statistics());
    write(&parent, addr, 100).unwrap();
    enter(&child);
    assert_eq!(read(&child, addr), Ok(0));
    write(&child, addr + PAGE_SIZE, 200).unwrap();
    enter(&parent);
    assert_eq!(read(&parent, addr), Ok(100));
    assert_eq!(read(&parent, addr + PAGE_SIZE), Ok(1));
}

#[ktest]
fn a_grandchild_sees_what_the_child_saw() {
    let parent = new_space();
    let addr = map_pages(&parent, 1);
    write(&parent, addr, 1).unwrap();
    let child = parent.fork().unwrap();
    enter(&child);
    write(&child, addr, 2).unwrap();
    let grandchild = child.fork().unwrap();
    write(&child, addr, 3).unwrap();
    enter(&grandchild);
    assert_eq!(read(&grandchild, addr), Ok(2));
}

fn map_shared(space: &super::AddressSpace, backing: Backing, pages: usize) -> usize {
    let request = MapRequest::anonymous(Placement::Anywhere(0), pages * PAGE_SIZE, READ_WRITE);
    space.map(MapRequest { backing, ..request }).unwrap()
}

#[ktest]
fn shared_memory_stays_shared_and_a_private_view_parts_at_the_first_write() {
    let parent = new_space();
    let pages = SharedPages::new_shared();
    let shared = map_shared(&parent, Backing::Shared { pages: pages.clone(), index: 0, hold: None }, 4);
    let private = map_shared(&parent, Backing::Private { pages, index: 1 }, 3);
    write(&parent, shared + PAGE_SIZE, 11).unwrap();
    assert_eq!(read(&parent, private), Ok(11));
    write(&parent, shared + PAGE_SIZE, 12).unwrap();
    assert_eq!(read(&parent, private), Ok(12));
    write(&parent, private, 13).unwrap();
    write(&parent, shared + PAGE_SIZE, 14).unwrap();
    assert_eq!(read(&parent, private), Ok(13));

    let child = parent.fork().unwrap();
    enter(&child);
    assert_eq!(read(&child, shared + PAGE_SIZE), Ok(14));
    assert_eq!(read(&child, private), Ok(13));
    write(&child, shared, 2).unwrap();
    write(&child, private, 15).unwrap();
    enter(&parent);
    assert_eq!(read(&parent, shared), Ok(2));
    assert_eq!(read(&parent, private), Ok(13));
}

#[ktest]
fn advice_decides_what_a_child_gets() {
    let parent = new_space();
    let addr = map_pages(&parent, 3);
    for page in 0..3 {
        write(&parent, addr + page * PAGE_SIZE, 7).unwrap();
    }
    parent.advise(addr..addr + PAGE_SIZE, Advice::DontFork).unwrap();
    parent.advise(addr + PAGE_SIZE..addr + 2 * PAGE_SIZE, Advice::WipeOnFork).unwrap();
    let child = parent.fork().unwrap();
    enter(&child);
    assert!(read(&child, addr).is_err());
    assert_eq!(read(&child, addr + PAGE_SIZE), Ok(0));
    assert_eq!(read(&child, addr + 2 * PAGE_SIZE), Ok(7));
    assert_eq!(child.statistics().virtual_size, 2 * PAGE_SIZE);
}

#[ktest]
fn a_stack_that_grows_in_the_child_does_not_grow_in_the_parent() {
    let parent = new_space();
    let stack = MapRequest::anonymous(Placement::Replacing(0x1000_0000), 4 * PAGE_SIZE, READ_WRITE);
    parent.map(MapRequest { traits: Traits::GROWS_DOWN, ..stack }).unwrap();
    let child = parent.fork().unwrap();
    enter(&child);
    write(&child, 0x1000_0000 - PAGE_SIZE, 1).unwrap();
    enter(&parent);
    assert_eq!(parent.statistics().virtual_size, 4 * PAGE_SIZE);
}

#[ktest]
fn shared_memory_has_one_identity_and_private_memory_one_for_each() {
    let parent = new_space();
    let backing = Backing::Shared { pages: SharedPages::new_shared(), index: 0, hold: None };
    let shared = map_shared(&parent, backing, 4);
    let private = map_pages(&parent, 1);
    let child = parent.fork().unwrap();
    assert_eq!(parent.identity(shared + PAGE_SIZE + 4), child.identity(shared + PAGE_SIZE + 4));
    assert_ne!(parent.identity(shared), parent.identity(shared + PAGE_SIZE));
    assert_ne!(parent.identity(private), child.identity(private));
    assert_eq!(parent.identity(private), Ok(parent.private_identity(private)));
    assert!(parent.identity(8).is_err());
}
