//! vdso(7): the clocks that a program reads without a system call, found as the C library finds them.

use std::{
    collections::BTreeMap,
    ffi::CStr,
    fs,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use libc::{c_int, c_long};
use pollux_tests::{Errno, child, sys};

const NANOS: u64 = 1_000_000_000;

type ClockGettime = unsafe extern "C" fn(c_int, *mut libc::timespec) -> c_int;
type Gettimeofday = unsafe extern "C" fn(*mut libc::timeval, *mut [c_int; 2]) -> c_int;
type Time = unsafe extern "C" fn(*mut i64) -> i64;
type Getcpu = unsafe extern "C" fn(*mut u32, *mut u32, *mut u8) -> c_int;

/// The image's address.
fn image() -> usize {
    // SAFETY: this reads the auxiliary vector.
    unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) as usize }
}

/// The functions of the image by their names: walks the dynamic section and the symbol table.
fn functions() -> BTreeMap<String, usize> {
    let base = image();
    assert_ne!(base, 0, "AT_SYSINFO_EHDR");
    // SAFETY: the kernel says that a shared object is there, and all addresses are its own.
    let word = |at: usize| unsafe { ((base + at) as *const u64).read_unaligned() } as usize;
    // SAFETY: as above.
    let half = |at: usize| unsafe { ((base + at) as *const u16).read_unaligned() } as usize;
    let segments: Vec<usize> = (0..half(56)).map(|nr| word(32) + nr * half(54)).collect();
    let kind = |at: usize| word(at) as u32;
    let loaded = segments.iter().find(|&&at| kind(at) == libc::PT_LOAD).unwrap();
    // Addresses in the image are offsets into it.
    assert_eq!(word(loaded + 8), word(loaded + 16));
    let dynamic = word(segments.iter().find(|&&at| kind(at) == libc::PT_DYNAMIC).unwrap() + 16);
    let entries: BTreeMap<usize, usize> = (0..)
        .map(|nr| (word(dynamic + 16 * nr), word(dynamic + 16 * nr + 8)))
        .take_while(|(tag, _)| *tag != 0)
        .collect();
    let (hash, strings, symbols) = (entries[&4], entries[&5], entries[&6]);
    // The second word of DT_HASH is the number of symbols.
    let count = word(hash) >> 32;
    let mut functions = BTreeMap::new();
    for symbol in (0..count).map(|nr| symbols + nr * 24) {
        // SAFETY: a string of the string table.
        let name = unsafe {
            CStr::from_ptr((base + strings + (word(symbol) as u32) as usize) as *const _)
        };
        functions.insert(name.to_str().unwrap().to_owned(), base + word(symbol + 8));
    }
    functions
}

/// The clock, as the image tells it.
fn clock_gettime() -> ClockGettime {
    // SAFETY: the symbol is a function with this signature: vdso(7).
    unsafe { std::mem::transmute(functions()["__vdso_clock_gettime"]) }
}

fn by_image(function: ClockGettime, clock: c_int) -> u64 {
    let mut time = libc::timespec { tv_sec: -1, tv_nsec: -1 };
    // SAFETY: the `timespec` is ours.
    assert_eq!(unsafe { function(clock, &mut time) }, 0, "clock {clock}");
    assert!((0..1_000_000_000).contains(&time.tv_nsec), "{}", time.tv_nsec);
    time.tv_sec as u64 * NANOS + time.tv_nsec as u64
}

fn by_call(number: c_long, clock: c_int) -> u64 {
    let mut time = libc::timespec { tv_sec: -1, tv_nsec: -1 };
    // SAFETY: the `timespec` is ours.
    unsafe { sys::call(number, [clock as usize, &raw mut time as usize]) }.unwrap();
    time.tv_sec as u64 * NANOS + time.tv_nsec as u64
}

#[test]
fn the_image_is_mapped_for_reading_and_execution() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).expect("a line for the vDSO");
    assert!(line.starts_with(&format!("{:x}-", image())), "{line} and {:x}", image());
    assert!(line.contains(" r-xp 00000000 00:00 0 "), "{line}");
    let words: Vec<String> = functions().into_keys().collect();
    for name in ["clock_gettime", "clock_getres", "gettimeofday", "time", "getcpu"] {
        assert!(words.contains(&format!("__vdso_{name}")), "{name} in {words:?}");
    }
}

#[test]
fn image_and_kernel_tell_one_time() {
    let function = clock_gettime();
    for clock in [
        libc::CLOCK_REALTIME,
        libc::CLOCK_MONOTONIC,
        libc::CLOCK_BOOTTIME,
        libc::CLOCK_MONOTONIC_RAW,
        libc::CLOCK_TAI,
    ] {
        for _ in 0..1000 {
            let before = by_call(libc::SYS_clock_gettime, clock);
            let between = by_image(function, clock);
            let after = by_call(libc::SYS_clock_gettime, clock);
            assert!(
                before <= between && between <= after,
                "clock {clock}: {before} {between} {after}"
            );
        }
    }
    for clock in [libc::CLOCK_REALTIME_COARSE, libc::CLOCK_MONOTONIC_COARSE] {
        let before = by_call(libc::SYS_clock_gettime, clock);
        assert!(before <= by_image(function, clock), "clock {clock}");
    }
}

#[test]
fn clocks_of_threads_and_processes_are_asked_of_the_kernel() {
    let function = clock_gettime();
    for clock in
        [libc::CLOCK_PROCESS_CPUTIME_ID, libc::CLOCK_THREAD_CPUTIME_ID, -2 & !7 | 2, -2 & !7 | 6]
    {
        assert!(
            by_image(function, clock) <= by_call(libc::SYS_clock_gettime, clock),
            "clock {clock}"
        );
    }
    let mut time = libc::timespec { tv_sec: 7, tv_nsec: 7 };
    for clock in [10, 12, 31, 32, 33, 64, c_int::MAX, -1] {
        // SAFETY: the `timespec` is ours.
        let result = unsafe { function(clock, &mut time) };
        assert_eq!((result, time.tv_sec), (-(Errno::EINVAL.0), 7), "clock {clock}");
    }
}

#[test]
fn four_threads_see_one_clock() {
    static LATEST: AtomicU64 = AtomicU64::new(0);
    let function = clock_gettime();
    let run = || {
        for _ in 0..50_000 {
            let seen = LATEST.load(Ordering::Acquire);
            let now = by_image(function, libc::CLOCK_MONOTONIC);
            assert!(now >= seen, "{now} after another thread's {seen}");
            LATEST.fetch_max(now, Ordering::Release);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn the_time_of_day_is_the_real_time() {
    let functions = functions();
    // SAFETY: the symbols are functions with these signatures: vdso(7).
    let (day, time): (Gettimeofday, Time) = unsafe {
        (
            std::mem::transmute(functions["__vdso_gettimeofday"]),
            std::mem::transmute(functions["__vdso_time"]),
        )
    };
    let real = || by_call(libc::SYS_clock_gettime, libc::CLOCK_REALTIME);
    for _ in 0..100 {
        let before = real();
        let mut at = libc::timeval { tv_sec: -1, tv_usec: -1 };
        let mut zone = [-1; 2];
        // SAFETY: both are ours.
        assert_eq!(unsafe { day(&mut at, &mut zone) }, 0);
        let micros = at.tv_sec as u64 * 1_000_000 + at.tv_usec as u64;
        assert!(before / 1000 <= micros && micros <= real() / 1000, "{before} {micros}");
        assert_eq!(zone, [0, 0]);
        let mut stored = -1;
        // SAFETY: the time is ours.
        let seconds = unsafe { time(&mut stored) };
        assert_eq!(seconds, stored);
        // The seconds of time(2) may lag behind by a tick.
        assert!(
            (before - NANOS / 50) / NANOS <= seconds as u64 && seconds as u64 <= real() / NANOS
        );
    }
    // SAFETY: null asks for nothing.
    unsafe {
        assert_eq!(day(std::ptr::null_mut(), std::ptr::null_mut()), 0);
        assert!(time(std::ptr::null_mut()) > 0);
    }
}

#[test]
fn the_cpu_is_that_of_the_thread() {
    // SAFETY: the symbol is a function with this signature: vdso(7).
    let getcpu: Getcpu = unsafe { std::mem::transmute(functions()["__vdso_getcpu"]) };
    let (mut cpu, mut node) = (u32::MAX, u32::MAX);
    // SAFETY: both are ours.
    assert_eq!(unsafe { getcpu(&mut cpu, &mut node, std::ptr::null_mut()) }, 0);
    // SAFETY: this asks for a number.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    assert!(i64::from(cpu) < count && node == 0, "CPU {cpu} of {count}, node {node}");
    // SAFETY: null asks for nothing.
    assert_eq!(
        unsafe { getcpu(std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut()) },
        0
    );
}

#[test]
fn a_child_inherits_the_image_and_may_unmap_it() {
    let function = clock_gettime();
    let before = by_image(function, libc::CLOCK_MONOTONIC);
    child::run(|| {
        assert!(by_image(function, libc::CLOCK_MONOTONIC) >= before);
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps.lines().find(|line| line.ends_with("[vdso]")).unwrap();
        let mut ends = line.split([' ', '-']).map(|end| usize::from_str_radix(end, 16).unwrap());
        let (start, end) = (ends.next().unwrap(), ends.next().unwrap());
        // SAFETY: nothing in this child reads a clock after that.
        assert_eq!(unsafe { sys::call(libc::SYS_munmap, [start, end - start]) }, Ok(0));
    });
}
