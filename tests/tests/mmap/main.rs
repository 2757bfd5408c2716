//! mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), brk(2): the place and the protection of memory.

mod end;

use core::ptr;
use std::fs;
use std::os::fd::AsRawFd;

use libc::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_NONE,
    PROT_READ, PROT_WRITE, SIGBUS, SIGSEGV,
};
use pollux_tests::child::{self, Status};
use pollux_tests::memory::{KERNEL, PAGE, Pages};
use pollux_tests::sys::{self, Result};
use pollux_tests::{Errno, fd, limit};

const ANONYMOUS: i32 = MAP_PRIVATE | MAP_ANONYMOUS;

const READ_WRITE: i32 = PROT_READ | PROT_WRITE;

/// Calls mmap(2) with raw arguments.
fn mmap(
    address: usize,
    len: usize,
    protection: i32,
    flags: i32,
    fd: i32,
    offset: usize,
) -> Result<usize> {
    let arguments = [address, len, protection as usize, flags as usize, fd as usize, offset];
    // SAFETY: the tests replace only what is theirs.
    unsafe { sys::call(libc::SYS_mmap, arguments) }
}

fn munmap(address: usize, len: usize) -> Result<usize> {
    // SAFETY: the tests unmap only what is theirs.
    unsafe { sys::call(libc::SYS_munmap, [address, len]) }
}

fn mprotect(address: usize, len: usize, protection: i32) -> Result<usize> {
    // SAFETY: the tests protect only what is theirs.
    unsafe { sys::call(libc::SYS_mprotect, [address, len, protection as usize]) }
}

fn anonymous(count: usize) -> usize {
    mmap(0, count * PAGE, READ_WRITE, ANONYMOUS, -1, 0).unwrap()
}

fn get(address: usize) -> u8 {
    // SAFETY: the tests read what is theirs, or a child of theirs is killed.
    unsafe { (address as *const u8).read_volatile() }
}

fn put(address: usize, value: u8) {
    // SAFETY: as above.
    unsafe { (address as *mut u8).write_volatile(value) };
}

#[track_caller]
fn killed_by(signal: i32, work: impl FnOnce()) {
    let status = child::status(|| {
        limit::lower(libc::RLIMIT_CORE, 0);
        work();
    });
    assert_eq!(status, Status::Killed(signal));
}

/// Whether reading, and then writing, at `address` is allowed.
fn allowed(address: usize) -> (bool, bool) {
    let survives = |work: &dyn Fn()| match child::status(work) {
        Status::Exited(0) => true,
        Status::Killed(SIGSEGV) => false,
        other => panic!("{other:?}"),
    };
    (survives(&|| _ = get(address)), survives(&|| put(address, 1)))
}

/// Makes a file of `content`, open for reading and writing.
fn file(name: &str, content: &[u8]) -> fs::File {
    fs::write(name, content).unwrap();
    fs::File::options().read(true).write(true).open(name).unwrap()
}

#[test]
fn anonymous_memory_is_zero_and_aligned() {
    let start = anonymous(64);
    assert_eq!(start % PAGE, 0);
    assert!((0..64 * PAGE).step_by(512).all(|offset| get(start + offset) == 0));
    put(start + 63 * PAGE, 7);
    assert_eq!(get(start + 63 * PAGE), 7);
    munmap(start, 64 * PAGE).unwrap();
}

#[test]
fn freed_memory_comes_back_as_zeros() {
    for _ in 0..10 {
        let start = anonymous(16);
        // SAFETY: the pages are ours.
        let bytes = unsafe { core::slice::from_raw_parts_mut(start as *mut u8, 16 * PAGE) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        bytes.fill(0xaa);
        munmap(start, 16 * PAGE).unwrap();
    }
}

#[test]
fn unmapped_memory_is_gone() {
    let start = anonymous(3);
    put(start, 1);
    munmap(start + PAGE, PAGE).unwrap();
    assert_eq!(allowed(start), (true, true));
    assert_eq!(allowed(start + PAGE), (false, false));
    assert_eq!(allowed(start + 2 * PAGE), (true, true));
    assert_eq!(munmap(start, 3 * PAGE), Ok(0), "a hole does not matter");
    assert_eq!(munmap(start, 3 * PAGE), Ok(0), "nor does nothing at all");
}

#[test]
fn protection_says_what_is_allowed() {
    for (protection, expected) in [
        (PROT_NONE, (false, false)),
        (PROT_READ, (true, false)),
        (READ_WRITE, (true, true)),
        (PROT_READ | PROT_EXEC, (true, false)),
    ] {
        let start = mmap(0, PAGE, protection, ANONYMOUS, -1, 0).unwrap();
        assert_eq!(allowed(start), expected, "mapped with {protection}");
        munmap(start, PAGE).unwrap();
        let start = anonymous(1);
        put(start, 5);
        mprotect(start, PAGE, protection).unwrap();
        assert_eq!(allowed(start), expected, "changed to {protection}");
        mprotect(start, PAGE, PROT_READ).unwrap();
        assert_eq!(get(start), 5);
        munmap(start, PAGE).unwrap();
    }
}

#[test]
fn protection_may_differ_from_page_to_page() {
    let start = anonymous(5);
    mprotect(start + PAGE, 3 * PAGE, PROT_READ).unwrap();
    mprotect(start + 2 * PAGE, PAGE, PROT_NONE).unwrap();
    let all = [0, 1, 2, 3, 4].map(|page| allowed(start + page * PAGE));
    let [none, read, write] = [(false, false), (true, false), (true, true)];
    assert_eq!(all, [write, read, none, read, write]);
    mprotect(start, 5 * PAGE, READ_WRITE).unwrap();
    assert!((0..5).all(|page| allowed(start + page * PAGE) == write));
    munmap(start, 5 * PAGE).unwrap();
}

#[test]
fn a_range_with_a_hole_cannot_be_protected() {
    let start = anonymous(3);
    munmap(start + PAGE, PAGE).unwrap();
    assert_eq!(mprotect(start, 3 * PAGE, PROT_READ), Err(Errno::ENOMEM));
    munmap(start, 3 * PAGE).unwrap();
}

#[test]
fn code_may_be_written_and_then_executed() {
    let start = anonymous(1);
    // mov eax, 42; ret
    let code = [0xb8, 42, 0, 0, 0, 0xc3];
    // SAFETY: the page is ours, and holds a function that returns a number.
    unsafe {
        ptr::copy_nonoverlapping(code.as_ptr(), start as *mut u8, code.len());
        mprotect(start, PAGE, PROT_READ | PROT_EXEC).unwrap();
        let function: extern "C" fn() -> i32 = core::mem::transmute(start);
        assert_eq!(function(), 42);
    }
    munmap(start, PAGE).unwrap();
}

#[test]
fn a_fixed_mapping_replaces_what_was_there() {
    let start = anonymous(3);
    (0..3).for_each(|page| put(start + page * PAGE, 9));
    let middle = start + PAGE;
    assert_eq!(mmap(middle, PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0), Ok(middle));
    assert_eq!([0, 1, 2].map(|page| get(start + page * PAGE)), [9, 0, 9]);
    let noreplace = ANONYMOUS | MAP_FIXED_NOREPLACE;
    assert_eq!(mmap(middle, PAGE, READ_WRITE, noreplace, -1, 0), Err(Errno::EEXIST));
    munmap(middle, PAGE).unwrap();
    assert_eq!(mmap(middle, PAGE, READ_WRITE, noreplace, -1, 0), Ok(middle));
    munmap(start, 3 * PAGE).unwrap();
}

#[test]
fn a_hint_is_taken_where_there_is_room() {
    let start = anonymous(4);
    munmap(start, 4 * PAGE).unwrap();
    assert_eq!(mmap(start, PAGE, READ_WRITE, ANONYMOUS, -1, 0), Ok(start));
    let other = mmap(start, PAGE, READ_WRITE, ANONYMOUS, -1, 0).unwrap();
    assert_ne!(other, start, "a hint replaces nothing");
    munmap(start, PAGE).unwrap();
    munmap(other, PAGE).unwrap();
}

#[test]
fn bad_arguments_are_einval() {
    assert_eq!(mmap(0, 0, READ_WRITE, ANONYMOUS, -1, 0), Err(Errno::EINVAL));
    assert_eq!(mmap(0, PAGE, READ_WRITE, MAP_ANONYMOUS, -1, 0), Err(Errno::EINVAL));
    assert_eq!(mmap(1, PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0), Err(Errno::EINVAL));
    assert_eq!(mmap(0, PAGE, READ_WRITE, MAP_PRIVATE, 0, 5), Err(Errno::EINVAL));
    assert_eq!(munmap(1, PAGE), Err(Errno::EINVAL));
    assert_eq!(munmap(0x7000_0000, 0), Err(Errno::EINVAL));
    assert_eq!(munmap(KERNEL, PAGE), Err(Errno::EINVAL));
    assert_eq!(munmap(PAGE, usize::MAX), Err(Errno::EINVAL));
    assert_eq!(mprotect(1, PAGE, PROT_READ), Err(Errno::EINVAL));
    assert_eq!(mprotect(PAGE, PAGE, 0x1000), Err(Errno::EINVAL));
    assert_eq!(mprotect(KERNEL, PAGE, PROT_READ), Err(Errno::ENOMEM));
}

#[test]
fn more_than_the_address_space_is_enomem() {
    for len in [usize::MAX, usize::MAX - PAGE, 1 << 60] {
        assert_eq!(mmap(0, len, READ_WRITE, ANONYMOUS, -1, 0), Err(Errno::ENOMEM), "{len:#x}");
    }
}

#[test]
fn a_large_mapping_costs_nothing_until_it_is_touched() {
    let len = 4 << 30;
    let start = mmap(0, len, READ_WRITE, ANONYMOUS | libc::MAP_NORESERVE, -1, 0).unwrap();
    for offset in (0..len).step_by(len / 16) {
        put(start + offset, 3);
        assert_eq!(get(start + offset), 3);
    }
    munmap(start, len).unwrap();
}

#[test]
fn the_kernel_may_write_into_memory_that_was_never_touched() {
    let pages = Pages::before_hole(4);
    let (reader, writer) = fd::pipe();
    writer.write(&[8; 3 * PAGE]).unwrap();
    let arguments = [reader.number() as usize, pages.start() + 100, 3 * PAGE];
    // SAFETY: the pages are ours.
    assert_eq!(unsafe { sys::call(libc::SYS_read, arguments) }, Ok(3 * PAGE));
    assert_eq!(get(pages.start() + 99), 0);
    assert_eq!(get(pages.start() + 100), 8);
    assert_eq!(get(pages.start() + 100 + 3 * PAGE - 1), 8);
}

#[test]
fn a_private_file_mapping_shows_the_file_and_keeps_changes_to_itself() {
    let file = file("/tmp/mmap-private", &[b'a'; 2 * PAGE + 10]);
    let start = mmap(0, 3 * PAGE, READ_WRITE, MAP_PRIVATE, file.as_raw_fd(), 0).unwrap();
    assert_eq!(
        (get(start), get(start + 2 * PAGE + 9), get(start + 2 * PAGE + 10)),
        (b'a', b'a', 0)
    );
    put(start, b'b');
    assert_eq!(fs::read("/tmp/mmap-private").unwrap()[0], b'a');
    drop(file);
    assert_eq!((get(start), get(start + PAGE)), (b'b', b'a'), "it outlives the descriptor");
    munmap(start, 3 * PAGE).unwrap();
}

#[test]
fn a_file_may_be_mapped_from_any_page_on() {
    let content: Vec<_> = (0..4_u8).flat_map(|page| [page; PAGE]).collect();
    let file = file("/tmp/mmap-offset", &content);
    let start = mmap(0, 2 * PAGE, PROT_READ, MAP_PRIVATE, file.as_raw_fd(), 2 * PAGE).unwrap();
    assert_eq!((get(start), get(start + PAGE)), (2, 3));
    munmap(start, 2 * PAGE).unwrap();
}

#[test]
fn a_page_behind_the_end_of_the_file_is_sigbus() {
    let file = file("/tmp/mmap-end", &[1; 10]);
    let start = mmap(0, 2 * PAGE, PROT_READ, MAP_PRIVATE, file.as_raw_fd(), 0).unwrap();
    assert_eq!(get(start + PAGE - 1), 0);
    killed_by(SIGBUS, || _ = get(start + PAGE));
    munmap(start, 2 * PAGE).unwrap();
}

#[test]
fn a_file_must_be_open_in_the_right_way() {
    let file = file("/tmp/mmap-open", &[1; PAGE]);
    let write_only = fd::open("/tmp/mmap-open", libc::O_WRONLY, 0).unwrap();
    let read_only = fd::open("/tmp/mmap-open", libc::O_RDONLY, 0).unwrap();
    let map = |protection, flags, fd| {
        mmap(0, PAGE, protection, flags, fd, 0).map(|at| munmap(at, PAGE).unwrap())
    };
    assert_eq!(map(PROT_READ, MAP_PRIVATE, write_only.number()), Err(Errno::EACCES));
    assert_eq!(map(READ_WRITE, MAP_SHARED, read_only.number()), Err(Errno::EACCES));
    assert_eq!(map(READ_WRITE, MAP_PRIVATE, read_only.number()), Ok(0));
    assert_eq!(map(READ_WRITE, MAP_PRIVATE, file.as_raw_fd()), Ok(0));
    assert_eq!(map(PROT_READ, MAP_PRIVATE, -1), Err(Errno::EBADF));
    let (reader, _writer) = fd::pipe();
    assert_eq!(map(PROT_READ, MAP_PRIVATE, reader.number()), Err(Errno::ENODEV));
}

#[test]
fn shared_anonymous_memory_is_shared_with_a_child() {
    let start = mmap(0, PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0).unwrap();
    child::run(|| put(start + 5, 77));
    assert_eq!(get(start + 5), 77);
    munmap(start, PAGE).unwrap();
}

#[test]
fn a_mapping_may_grow_move_and_shrink() {
    let mremap = |old: usize, old_len: usize, new_len: usize, flags: i32| {
        // SAFETY: the pages are ours.
        unsafe { sys::call(libc::SYS_mremap, [old, old_len, new_len, flags as usize, 0]) }
    };
    let start = anonymous(3);
    put(start, 1);
    put(start + PAGE, 2);
    let fixed = mmap(start + 2 * PAGE, PAGE, PROT_NONE, ANONYMOUS | MAP_FIXED, -1, 0).unwrap();
    assert_eq!(mremap(start, 2 * PAGE, 4 * PAGE, 0), Err(Errno::ENOMEM), "something is in the way");
    let moved = mremap(start, 2 * PAGE, 4 * PAGE, libc::MREMAP_MAYMOVE).unwrap();
    assert_ne!(moved, start);
    assert_eq!((get(moved), get(moved + PAGE), get(moved + 3 * PAGE)), (1, 2, 0));
    assert_eq!(allowed(start), (false, false));
    assert_eq!(mremap(moved, 4 * PAGE, PAGE, 0), Ok(moved));
    assert_eq!(get(moved), 1);
    assert_eq!(allowed(moved + PAGE), (false, false));
    assert_eq!(mremap(moved + 1, PAGE, PAGE, 0), Err(Errno::EINVAL));
    munmap(moved, PAGE).unwrap();
    munmap(fixed, PAGE).unwrap();
}

#[test]
fn memory_that_is_not_needed_any_more_becomes_zeros() {
    let start = anonymous(2);
    put(start, 1);
    put(start + PAGE, 2);
    let arguments = [start, PAGE, libc::MADV_DONTNEED as usize];
    // SAFETY: the page is ours.
    assert_eq!(unsafe { sys::call(libc::SYS_madvise, arguments) }, Ok(0));
    assert_eq!((get(start), get(start + PAGE)), (0, 2));
    munmap(start, 2 * PAGE).unwrap();
}

#[test]
fn the_break_grows_and_shrinks() {
    child::run(|| {
        let brk = |address: usize| {
            // SAFETY: the C library does not look at the break while the child runs.
            unsafe { sys::call(libc::SYS_brk, [address]) }.unwrap()
        };
        let start = brk(0);
        let top = start.next_multiple_of(PAGE);
        assert_eq!(brk(top + 3 * PAGE), top + 3 * PAGE);
        put(top + 2 * PAGE, 5);
        assert_eq!(get(top), 0);
        assert_eq!(brk(top + PAGE), top + PAGE);
        assert_eq!(allowed(top + 2 * PAGE), (false, false));
        assert_eq!(brk(top + 3 * PAGE), top + 3 * PAGE);
        assert_eq!(get(top + 2 * PAGE), 0);
        assert_eq!(brk(KERNEL), top + 3 * PAGE, "what cannot be granted changes nothing");
        assert_eq!(brk(1), top + 3 * PAGE);
    });
}
