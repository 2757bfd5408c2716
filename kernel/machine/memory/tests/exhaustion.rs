//! Running out of memory, and getting it back.

use core::sync::atomic::Ordering;

use ostd::prelude::ktest;
use rules::abi::errno::Errno;

use super::super::layout::PAGE_SIZE;
use super::super::limits::UNLIMITED;
use super::super::space::{MapRequest, Placement};
use super::super::{budget, reclaim};
use super::{READ_WRITE, map_pages, new_space, quiesce, write};

#[ktest]
fn unmapped_pages_are_free_after_a_grace_period() {
    let space = new_space();
    quiesce();
    const PAGES: usize = 4096;
    let addr = map_pages(&space, PAGES);
    let before = budget::available();
    for page in 0..PAGES {
        write(&space, addr + page * PAGE_SIZE, 1).unwrap();
    }
    assert!(before - budget::available() >= PAGES * PAGE_SIZE);
    space.unmap(addr, PAGES * PAGE_SIZE).unwrap();
    // The call pauses on its way, so most of them are free already, and no CPU has to switch tasks for the rest.
    assert!(!reclaim::wants_quiesce());
    quiesce();
    // The last ones are too few for a receipt.
    assert!(reclaim::pending() < 64 * PAGE_SIZE);
    assert!(before - budget::available() < 64 * PAGE_SIZE);
}

#[ktest]
fn unmapped_pages_are_pending_until_a_grace_period() {
    let space = new_space();
    quiesce();
    // One stretch, without a pause.
    const PAGES: usize = 16;
    let addr = map_pages(&space, PAGES);
    for page in 0..PAGES {
        write(&space, addr + page * PAGE_SIZE, 1).unwrap();
    }
    let before = reclaim::pending();
    space.unmap(addr, PAGES * PAGE_SIZE).unwrap();
    assert_eq!(reclaim::pending(), before + PAGES * PAGE_SIZE);
}

#[ktest]
fn a_program_gets_all_but_the_reserve_and_the_kernel_lives() {
    let space = new_space();
    let len = 2 * budget::total();
    let request = MapRequest::anonymous(Placement::Anywhere(0), len, READ_WRITE);
    let addr = space.map(request).unwrap();
    let mut pages = 0;
    let mut before = usize::MAX;
    // Pages that were unmapped earlier become free meanwhile.
    while pages != before {
        before = pages;
        quiesce();
        while write(&space, addr + pages * PAGE_SIZE, 1).is_ok() {
            pages += 1;
        }
    }
    assert!(space.take_starved() && !space.take_starved());
    assert!(budget::available() < PAGE_SIZE);
    // Each of these would need page tables if it came that far.
    let free = frames::free_bytes();
    for far in (addr + pages * PAGE_SIZE..addr + len - 8).step_by(2 << 20) {
        assert!(write(&space, far, 1).is_err());
    }
    assert!(free - frames::free_bytes() <= 4 * PAGE_SIZE);
    assert_eq!(space.fork().err(), Some(Errno::ENOMEM));
    assert_eq!(space.map(MapRequest::anonymous(Placement::Anywhere(0), 1, READ_WRITE)), Err(Errno::ENOMEM));
    space.unmap(addr, len).unwrap();
    quiesce();
    assert!(budget::available() > budget::total() / 2);
}

#[ktest]
fn limits_are_limits() {
    let space = new_space();
    let map = |len| space.map(MapRequest::anonymous(Placement::Anywhere(0), len, READ_WRITE));
    space.limits.address_space.store(1 << 20, Ordering::Relaxed);
    assert_eq!(map(2 << 20), Err(Errno::ENOMEM));
    assert!(map(1 << 20).is_ok());
    assert_eq!(map(1), Err(Errno::ENOMEM));
    space.limits.address_space.store(UNLIMITED, Ordering::Relaxed);
    space.limits.data.store(1 << 20, Ordering::Relaxed);
    assert_eq!(map(1), Err(Errno::ENOMEM));
    space.place_heap(0x50_0000);
    assert_eq!(space.brk(0x50_1000), 0x50_0000);
}
