//! The last pages of user space.

use libc::MAP_FIXED_NOREPLACE;
use pollux_tests::Errno;
use pollux_tests::child;
use pollux_tests::memory::PAGE;
use pollux_tests::sys;

use super::{ANONYMOUS, READ_WRITE, anonymous, get, mmap, munmap, put};

/// The last page that a program can have.
const LAST: usize = 0x7fff_ffff_e000;

/// Maps a page at `address`, where nothing is, and writes to it.
fn map_at(address: usize) {
    assert_eq!(
        mmap(address, PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
        Ok(address)
    );
    put(address, 1);
}

#[test]
fn the_last_page_of_user_space_can_be_mapped_and_goes_with_its_process() {
    child::run(|| map_at(LAST));
    child::run(|| {
        map_at(LAST);
        munmap(LAST, PAGE).unwrap();
        map_at(LAST);
    });
}

#[test]
fn a_page_can_be_moved_to_the_last_one_of_user_space() {
    child::run(|| {
        let page = anonymous(1);
        put(page, 7);
        let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as usize;
        // SAFETY: the page is ours, and nothing is at the other place.
        let moved = unsafe { sys::call(libc::SYS_mremap, [page, PAGE, PAGE, flags, LAST]) };
        assert_eq!((moved, get(LAST)), (Ok(LAST), 7));
    });
}

#[test]
fn page_tables_that_nobody_needs_go_also_at_the_end_of_user_space() {
    child::run(|| {
        // Far enough from each other for a page table each, and more than are kept for the next use.
        let low = (1..40).map(|place| 0x10_0000_0000 + place * (4 << 20));
        let places: Vec<usize> = [LAST].into_iter().chain(low).collect();
        places.iter().for_each(|place| map_at(*place));
        places.iter().for_each(|place| munmap(*place, PAGE).map(drop).unwrap());
        map_at(LAST);
    });
}

#[test]
fn a_mapping_cannot_grow_beyond_user_space() {
    let start = anonymous(1);
    for pages in [1, 2, 16] {
        for flags in [0, libc::MREMAP_MAYMOVE] {
            let len = 0_usize.wrapping_sub(pages * PAGE);
            // SAFETY: nothing can come of it.
            let result = unsafe { sys::call(libc::SYS_mremap, [start, PAGE, len, flags as usize]) };
            assert_eq!(result, Err(Errno::ENOMEM), "{len:#x}");
        }
    }
    put(start, 1);
    // SAFETY: the page is ours.
    let result =
        unsafe { sys::call(libc::SYS_madvise, [start, PAGE, libc::MADV_DONTNEED as usize]) };
    assert_eq!((result, get(start)), (Ok(0), 0));
    munmap(start, PAGE).unwrap();
}
