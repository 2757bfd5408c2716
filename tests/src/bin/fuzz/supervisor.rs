//! Starts victims, and kills those that make no progress.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pollux_tests::child;
use pollux_tests::memory;

use crate::calls;
use crate::victim::{self, Tally};

/// The number of victims at a time.
const CROWD: usize = 6;

/// The time without a call after which a victim counts as asleep for ever.
const PATIENCE: Duration = Duration::from_millis(150);

/// The time limit for the kernel to end a killed victim, with its calls in progress.
const LAST: Duration = Duration::from_secs(20);

/// The number of victims in a row without a call that proves that none can make one.
const FUTILE: u32 = 100;

/// The interval between reports of the running seeds to the host.
const REPORT: u64 = 20_000;

/// Words with a bit for each number of a call.
pub(crate) const SUCCESSES: usize = 8;

/// The directory of the victims' directories.
pub(crate) const PLAYGROUND: &str = "/tmp/fuzz";

/// The victims, one for each place.
pub(crate) struct Supervisor {
    seed: u64,
    /// The index of the next victim.
    next: u64,
    /// The calls of each place, and the numbers that succeeded, in memory that victims share.
    made: &'static [AtomicU64; CROWD],
    succeeded: &'static [AtomicU64; SUCCESSES],
    places: [Option<Victim>; CROWD],
    killed: u64,
    /// The number of victims in a row that ended without a call.
    idle: u32,
    reported: u64,
}

/// A process that makes calls.
struct Victim {
    pid: i32,
    index: u64,
    /// The calls of its place at its start and at the last look, and the time at which they last grew.
    first: u64,
    seen: u64,
    alive: Instant,
    killed: bool,
}

impl Supervisor {
    pub(crate) fn new(seed: u64) -> Self {
        let page = memory::map_shared(2).expect("two pages");
        // SAFETY: the pages are never unmapped here, and hold nothing but these counters.
        let (made, succeeded) = unsafe {
            let successes = page + memory::PAGE;
            (&*(page as *const [AtomicU64; CROWD]), &*(successes as *const [AtomicU64; SUCCESSES]))
        };
        fs::create_dir_all(PLAYGROUND).expect("a directory");
        Self {
            seed,
            next: 0,
            made,
            succeeded,
            places: [const { None }; CROWD],
            killed: 0,
            idle: 0,
            reported: 0,
        }
    }

    /// Runs victims until they have made this many calls in total and all are gone.
    pub(crate) fn run(&mut self, operations: u64) {
        while self.total() < operations {
            for place in 0..CROWD {
                if self.places[place].is_none() {
                    self.start(place);
                }
            }
            self.look();
            self.report();
            thread::sleep(Duration::from_millis(2));
        }
        // SAFETY: no memory is involved. This kills all processes but init and this one: children of victims, too.
        unsafe { libc::kill(-1, libc::SIGKILL) };
        while self.places.iter().any(Option::is_some) {
            self.look();
            thread::sleep(Duration::from_millis(2));
        }
        let _ = fs::remove_dir_all(PLAYGROUND);
        fs::create_dir_all(PLAYGROUND).expect("a directory");
    }

    pub(crate) fn summary(&self) -> String {
        let known = calls::CALLS.len();
        let succeeded =
            calls::CALLS.iter().filter(|(number, _)| self.has_succeeded(*number as usize)).count();
        format!(
            "{} calls by {} victims, {} of them stopped; {succeeded} of {known} kinds succeeded",
            self.total(),
            self.next,
            self.killed,
        )
    }

    fn has_succeeded(&self, number: usize) -> bool {
        self.succeeded[number / 64].load(Ordering::Relaxed) & 1 << (number % 64) != 0
    }

    fn total(&self) -> u64 {
        self.made.iter().map(|made| made.load(Ordering::Relaxed)).sum()
    }

    fn start(&mut self, place: usize) {
        let (index, seed) = (self.next, self.seed.wrapping_add(self.next));
        self.next += 1;
        let (made, succeeded) = (&self.made[place], self.succeeded);
        // SAFETY: this process has one thread, so the child may go on as if it were the only copy.
        match unsafe { libc::fork() } {
            0 => {
                victim::run(seed, Tally { made, succeeded });
                child::exit(0)
            }
            // Memory may be short for a moment.
            -1 => {}
            pid => {
                let first = made.load(Ordering::Relaxed);
                let alive = Instant::now();
                self.places[place] =
                    Some(Victim { pid, index, first, seen: first, alive, killed: false });
            }
        }
    }

    /// Reaps victims that have ended and kills those that sleep.
    fn look(&mut self) {
        let reaped = reap();
        for (place, made) in self.places.iter_mut().zip(self.made) {
            let Some(victim) = place else { continue };
            let ended = reaped.contains(&victim.pid);
            let seen = made.load(Ordering::Relaxed);
            if ended {
                self.idle = if seen == victim.first { self.idle + 1 } else { 0 };
                assert!(
                    self.idle < FUTILE,
                    "victims end without a call: the last had index {}",
                    victim.index
                );
                let _ = fs::remove_dir_all(victim::directory(self.seed.wrapping_add(victim.index)));
                *place = None;
                continue;
            }
            if seen != victim.seen {
                (victim.seen, victim.alive) = (seen, Instant::now());
            } else if !victim.killed && victim.alive.elapsed() > PATIENCE {
                // SAFETY: no memory is involved.
                unsafe { libc::kill(victim.pid, libc::SIGKILL) };
                victim.killed = true;
                self.killed += 1;
            }
            assert!(
                victim.alive.elapsed() < LAST,
                "victim {} with seed {} cannot be killed",
                victim.index,
                self.seed.wrapping_add(victim.index)
            );
        }
    }

    fn report(&mut self) {
        let total = self.total();
        if total / REPORT > self.reported {
            self.reported = total / REPORT;
            let oldest =
                self.places.iter().flatten().map(|victim| victim.index).min().unwrap_or(self.next);
            println!("{total} calls, seeds from {}", self.seed.wrapping_add(oldest));
        }
    }
}

/// Reaps all processes that have ended. With ptrace(2), which Linux has, a thread of a victim may have made this
/// process its tracer: this must wait for it like for a child, because its process does not end before.
fn reap() -> Vec<i32> {
    let mut reaped = Vec::new();
    while let Ok(Some((pid, status))) = child::wait4(-1, libc::WNOHANG | libc::__WALL) {
        // A tracer also gets stops. A stopped process makes no calls, so it is killed later.
        if !libc::WIFSTOPPED(status) {
            reaped.push(pid);
        }
    }
    reaped
}
