//! getrusage(2), wait4(2): the largest resident set.

use std::ffi::CString;
use std::fs;

use libc::{RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD};
use pollux_tests::memory::{self, PAGE, UNMAPPED};
use pollux_tests::witness::{self, Constructor};
use pollux_tests::{Errno, child, sys};

/// This program answers questions when it is executed with one.
#[used]
#[unsafe(link_section = ".init_array")]
static ANSWER: Constructor = witness::answer;

const MIB: i64 = 1024;

/// The largest fluctuation of other memory, in KiB.
const NOISE: i64 = 2 * MIB;

/// Returns the largest resident set in KiB.
fn peak(who: i32) -> i64 {
    // SAFETY: the structure is ours.
    unsafe {
        let mut usage: libc::rusage = core::mem::zeroed();
        assert_eq!(libc::getrusage(who, &mut usage), 0);
        usage.ru_maxrss
    }
}

/// Touches this many KiB of new memory and unmaps it.
fn use_memory(kib: i64) {
    let pages = (kib * 1024) as usize / PAGE;
    let start = memory::map(pages).unwrap();
    for page in 0..pages {
        // SAFETY: the page is ours.
        unsafe { ((start + page * PAGE) as *mut u8).write_volatile(1) };
    }
    memory::unmap(start, pages);
}

/// Returns wait4's usage of a child that does `work`.
fn peak_of_child(work: impl FnOnce()) -> i64 {
    let child = child::spawn(work);
    let pid = child.pid();
    core::mem::forget(child);
    // SAFETY: the structures are ours.
    unsafe {
        let mut usage: libc::rusage = core::mem::zeroed();
        let mut status = 0;
        assert_eq!(libc::wait4(pid, &mut status, 0, &mut usage), pid);
        assert_eq!(status, 0);
        usage.ru_maxrss
    }
}

#[test]
fn the_largest_is_kept_when_the_memory_is_gone() {
    child::run(|| {
        let before = peak(RUSAGE_SELF);
        assert!(before > 100, "{before}");
        use_memory(32 * MIB);
        let after = peak(RUSAGE_SELF);
        assert!(
            (before + 30 * MIB..before + 32 * MIB + NOISE).contains(&after),
            "{before} {after}"
        );
        use_memory(16 * MIB);
        assert!(peak(RUSAGE_SELF) <= after + NOISE);
        let of_thread = std::thread::spawn(|| peak(RUSAGE_THREAD)).join().unwrap();
        assert!((after..=after + NOISE).contains(&of_thread), "{after} {of_thread}");
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let told: i64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        assert!((told - after).abs() <= NOISE, "{told} {after}");
    });
}

#[test]
fn of_several_children_the_largest_counts() {
    child::run(|| {
        assert_eq!(peak(RUSAGE_CHILDREN), 0);
        let (large, small) = (24 * MIB, 12 * MIB);
        let first = peak_of_child(|| use_memory(large));
        let second = peak_of_child(|| use_memory(small));
        assert!((large..large + 10 * MIB).contains(&first), "{first}");
        assert!((small..small + 10 * MIB).contains(&second), "{second}");
        assert_eq!(peak(RUSAGE_CHILDREN), first);
        let third = peak_of_child(|| {
            child::run(|| use_memory(2 * large));
            assert!(peak(RUSAGE_SELF) < large, "what its own child used is not its own");
        });
        assert!(third >= 2 * large, "{third}: but who waits for it is told");
        assert!(peak(RUSAGE_CHILDREN) >= 2 * large);
    });
}

#[test]
fn a_child_begins_with_what_it_has() {
    child::run(|| {
        use_memory(32 * MIB);
        child::run(|| assert!(peak(RUSAGE_SELF) < 20 * MIB));
    });
}

#[test]
fn another_program_does_not_undo_it() {
    let path = CString::new(std::env::args().next().unwrap()).unwrap();
    let of_program = peak_of_child(|| {
        use_memory(32 * MIB);
        let argv = [path.as_ptr(), core::ptr::null()];
        let envp = [c"POLLUX_WITNESS=0".as_ptr(), core::ptr::null()];
        // SAFETY: the strings and the arrays end.
        unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    });
    assert!(of_program >= 32 * MIB, "{of_program}");
}

#[test]
fn wrong_arguments_are_refused() {
    // SAFETY: nothing of anybody's is written.
    let call = |who: i32, at: usize| unsafe { sys::call(libc::SYS_getrusage, [who as usize, at]) };
    assert_eq!(call(2, 0), Err(Errno::EINVAL));
    assert_eq!(call(RUSAGE_SELF, UNMAPPED), Err(Errno::EFAULT));
}
