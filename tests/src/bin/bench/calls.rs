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
