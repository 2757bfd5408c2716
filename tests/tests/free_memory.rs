//! sysinfo(2), mmap(2): what is reported free can be had, page by page, however it is scattered and whichever CPU freed
//! it.

use core::ptr;
use std::thread;
use std::time::{Duration, Instant};

use libc::{MAP_ANONYMOUS, MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use pollux_tests::child;
use pollux_tests::memory::{PAGE, unmap};
use pollux_tests::sys;

/// How much is left to the kernel and to others at most.
const MARGIN: usize = 128 << 20;

/// How long pages that were given back may take to become free.
const PATIENCE: Duration = Duration::from_secs(10);

fn free() -> usize {
    // SAFETY: `sysinfo` is plain data.
    let mut info: libc::sysinfo = unsafe { core::mem::zeroed() };
    // SAFETY: the structure is ours.
    assert_eq!(unsafe { libc::sysinfo(&mut info) }, 0);
    info.freeram as usize * info.mem_unit as usize
}

/// What may be taken now, in bytes, and what is left then.
fn shares() -> (usize, usize) {
    let free = free();
    let left = (free / 8).min(MARGIN);
    ((free - left) / PAGE / 2 * 2 * PAGE, left)
}

/// Waits until so much is free. Pollux frees what was unmapped once each CPU has changed tasks, which those of them do
/// that have something to do.
fn wait_for(bytes: usize) {
    let begin = Instant::now();
    while free() < bytes {
        assert!(begin.elapsed() < PATIENCE, "{} of {bytes} bytes are free", free());
        (0..2).for_each(|cpu| child::run(|| move_to(cpu)));
        thread::sleep(Duration::from_millis(10));
    }
}

/// Memory that is there from the beginning.
fn populate(len: usize) -> usize {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE;
    // SAFETY: a new mapping takes nothing from anybody.
    let base = unsafe { libc::mmap(ptr::null_mut(), len, PROT_READ | PROT_WRITE, flags, -1, 0) };
    assert_ne!(base, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
    for page in (base as usize..base as usize + len).step_by(PAGE) {
        // SAFETY: the page is ours.
        unsafe { (page as *mut u8).write_volatile(1) };
    }
    base as usize
}

/// Makes Linux give this process memory by the page: of a huge one, it frees no part before it needs it.
fn without_huge_pages() {
    // SAFETY: no memory is involved. A kernel without huge pages may not know the call.
    let _ = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// Moves this thread to a CPU, if there is one of that number.
fn move_to(cpu: usize) {
    let set = [1_usize << cpu];
    // SAFETY: the set is ours.
    let _ = unsafe {
        sys::call(libc::SYS_sched_setaffinity, [0, size_of_val(&set), set.as_ptr().addr()])
    };
}

#[test]
fn every_second_page_given_back_serves_another_process() {
    child::run(|| {
        without_huge_pages();
        let (len, left) = shares();
        let base = populate(len);
        for page in (base + PAGE..base + len).step_by(2 * PAGE) {
            // SAFETY: the page is ours.
            assert_eq!(unsafe { libc::madvise(page as *mut _, PAGE, libc::MADV_DONTNEED) }, 0);
        }
        wait_for(len / 2);
        // More than was left in one piece.
        child::run(|| {
            populate((left + len / 8) / PAGE * PAGE);
        });
    });
}

#[test]
fn what_one_cpu_gave_back_serves_another() {
    child::run(|| {
        move_to(0);
        let (len, left) = shares();
        let base = populate(len);
        unmap(base, len / PAGE);
        wait_for(len);
        move_to(1);
        populate(len - left);
    });
}
