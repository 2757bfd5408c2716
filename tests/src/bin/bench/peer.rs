//! The other side of a row: a second thread or process that serves until it is told to stop.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use pollux_tests::{child, sys};

use crate::measure::{Outcome, expect};

/// A process that serves, and that the benchmark waits for in the end.
#[derive(Debug)]
pub struct Process(i32);

impl Process {
    /// Forks; `serve` runs in the child and ends when its pipe or socket does.
    pub fn start(serve: impl FnOnce() -> Outcome) -> Outcome<Self> {
        // SAFETY: the child uses only what the fork copied; no other thread runs in this process.
        match unsafe { sys::call(libc::SYS_fork, [])? } {
            0 => {
                let outcome = serve();
                if let Err(failure) = &outcome {
                    eprintln!("bench: in the other process: {failure:?}");
                }
                child::exit(i32::from(outcome.is_err()))
            }
            pid => Ok(Self(pid as i32)),
        }
    }

    /// Waits for its end, and fails unless it succeeded.
    pub fn finish(self) -> Outcome {
        expect("wait4", child::wait4(self.0, 0)?, Some((self.0, 0)))
    }
}

/// Waits for the end of a thread, and fails unless it succeeded.
pub fn join(thread: JoinHandle<Outcome>) -> Outcome {
    match thread.join() {
        Ok(outcome) => outcome,
        Err(_) => expect("a thread", "panicked", "finished"),
    }
}

/// A number in memory that both processes share.
#[derive(Clone, Copy, Debug)]
pub struct Shared(&'static AtomicU32);

impl Shared {
    /// Makes a zero in a page of its own, which children inherit.
    pub fn new() -> Outcome<Self> {
        const PAGE: usize = 4096;
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as usize;
        // SAFETY: new memory is placed where nothing is.
        let address =
            unsafe { sys::call(libc::SYS_mmap, [0, PAGE, protection, flags, usize::MAX, 0])? };
        // SAFETY: the page is zero, large enough, never unmapped, and used as this number alone.
        Ok(Self(unsafe { &*(address as *const AtomicU32) }))
    }

    /// Sets it.
    pub fn set(self, value: u32) {
        self.0.store(value, Ordering::SeqCst);
    }

    /// Yields the processor until the number has this value.
    pub fn wait_for(self, value: u32) -> Outcome {
        while self.0.load(Ordering::SeqCst) != value {
            yield_now()?;
        }
        Ok(())
    }

    /// Returns its value.
    pub fn get(self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Calls sched_yield(2).
pub fn yield_now() -> Outcome {
    // SAFETY: no memory is involved.
    expect("sched_yield", unsafe { sys::call(libc::SYS_sched_yield, []) }, Ok(0))
}
