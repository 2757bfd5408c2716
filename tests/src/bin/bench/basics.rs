//! Measures the basics of a kernel beside events: programs, pages, switches, signals.

use std::process::Command;

use pollux_tests::child::{self, Child};
use pollux_tests::{memory, signal, sys};

use crate::measure::{Bench, Outcome, expect};

/// The argument that makes this program do nothing.
pub const NOTHING: &str = "nothing";

/// The number of pages to touch one after the other.
const PAGES: usize = 256;

pub fn rows(bench: &Bench) {
    bench.row("spawn_exec_exit_wait", 0, |row| {
        row.measure(|watch| {
            let status = watch.time(|| Command::new("/proc/self/exe").arg(NOTHING).status());
            expect("the status", status.ok().and_then(|status| status.code()), Some(0))
        })
    });
    bench.row("page_first_touch", 0, |row| {
        row.measure_many(PAGES, |watch| {
            let pages = memory::map(PAGES)?;
            let seen = watch.time(|| touch(pages));
            memory::unmap(pages, PAGES);
            expect("what was in the pages", seen, 0)
        })
    });
    bench.row("page_copied_after_fork", 0, |row| {
        row.measure_many(PAGES, |watch| {
            let pages = memory::map(PAGES)?;
            touch(pages);
            let sharer = sleeper();
            let seen = watch.time(|| touch(pages));
            drop(sharer);
            memory::unmap(pages, PAGES);
            expect("what was in the pages", seen, PAGES)
        })
    });
    bench.row("sched_yield_to_a_process", 0, |row| {
        let other = child::spawn(|| while yields().is_ok() {});
        // There and back.
        let figure = row.measure_many(2, |watch| watch.time(yields));
        drop(other);
        figure
    });
    bench.row("signal_to_oneself_handled", 0, |row| {
        signal::count(libc::SIGUSR1, 0);
        // SAFETY: no memory is involved.
        let own = unsafe { sys::call(libc::SYS_getpid, [])? } as i32;
        row.measure(|watch| {
            let before = signal::seen(libc::SIGUSR1);
            watch.time(|| signal::send(own, libc::SIGUSR1))?;
            expect("signals", signal::seen(libc::SIGUSR1), before + 1)
        })
    });
}

/// Forks a child that shares all memory until one of the two writes to it.
fn sleeper() -> Child {
    child::spawn(|| {
        loop {
            std::thread::park();
        }
    })
}

/// Writes one byte to each page, and returns the sum of what was there.
fn touch(pages: usize) -> usize {
    let byte = |page: usize| (pages + page * memory::PAGE) as *mut u8;
    // SAFETY: the pages are the caller's, and no other thread uses them.
    (0..PAGES).map(|page| unsafe { usize::from(core::ptr::replace(byte(page), 1)) }).sum()
}

fn yields() -> Outcome {
    // SAFETY: no memory is involved.
    expect("sched_yield", unsafe { sys::call(libc::SYS_sched_yield, []) }, Ok(0))
}
