//! Measures system calls that have nothing to do with events: the baseline of the other rows.

use pollux_tests::{child, sys};

use crate::measure::{Bench, expect};

pub fn rows(bench: &Bench) {
    bench.row("null_syscall", 0, |row| {
        // SAFETY: no memory is involved.
        let parent = unsafe { sys::call(libc::SYS_getppid, [])? };
        row.measure(|watch| {
            // SAFETY: no memory is involved.
            let seen = watch.time(|| unsafe { sys::call(libc::SYS_getppid, []) });
            expect("getppid", seen, Ok(parent))
        })
    });
    // As programs do it: by the C library, which asks the vDSO.
    bench.row("clock_by_libc", 0, |row| {
        let mut precise = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let mut coarse = libc::timeval { tv_sec: 0, tv_usec: 0 };
        row.measure_many(3, |watch| {
            // SAFETY: both structures are ours.
            let seconds = watch.time(|| unsafe {
                libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut precise);
                libc::gettimeofday(&raw mut coarse, std::ptr::null_mut());
                libc::time(std::ptr::null_mut())
            });
            expect("time", seconds, coarse.tv_sec)
        })
    });
    bench.row("fork_exit_wait", 0, |row| {
        row.measure(|watch| {
            watch.time(|| {
                // SAFETY: the child does nothing but exit.
                let pid = match unsafe { sys::call(libc::SYS_fork, [])? } {
                    0 => child::exit(7),
                    pid => pid as i32,
                };
                expect("wait4", child::wait4(pid, 0)?, Some((pid, 7 << 8)))
            })
        })
    });
}
