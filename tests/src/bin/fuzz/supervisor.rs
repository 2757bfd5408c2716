//! Starting victims, and ending those that do not get on.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pollux_tests::child;
use pollux_tests::memory;

use crate::calls;
use crate::victim::{self, Tally};

/// Victims at a time.
const CROWD: usize = 6;

/// A victim that makes no call for so long sleeps for ever.
const PATIENCE: Duration = Duration::from_millis(150);

/// What the kernel may take to end a victim that was killed, with its calls under way.
const LAST: Duration = Duration::from_secs(20);

/// So many victims in a row that make no call say that none can.
const FUTILE: u32 = 100;

/// How often the host hears which seeds run.
const REPORT: u64 = 20_000;

/// Words with a bit for each number of a call.
pub(crate) const SUCCESSES: usize = 8;

/// Where victims have their directories.
pub(crate) const PLAYGROUND: &str = "/tmp/fuzz";

/// The victims, one for each place.
pub(crate) struct Supervisor {
    seed: u64,
    /// The index of the next victim.
    next: u64,
    /// Calls made, by place, and the numbers that succeeded; in memory that victims share.
    made: &'static [AtomicU64; CROWD],
    succeeded: &'static [AtomicU64; SUCCESSES],
    places: [Option<Victim>; CROWD],
    killed: u64,
    /// Victims in a row that ended without a call.
    idle: u32,
    reported: u64,
}

/// A process that makes calls.
struct Victim {
    pid: i32,
    index: u64,
    /// The calls of its place when it began; when it was last looked at; and when they last grew.
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

    /// Goes on until so many calls are made in all, and every victim is gone.
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
        // SAFETY: no memory is involved. Everybody but init and this process: children of victims, too.
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

    /// Reaps who has ended and kills who sleeps.
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

/// Waits for all who have ended. With ptrace(2), which Linux has, a thread of a victim may have made this process its
/// tracer: it is waited for like a child, and its process does not end before.
fn reap() -> Vec<i32> {
    let mut reaped = Vec::new();
    while let Ok(Some((pid, status))) = child::wait4(-1, libc::WNOHANG | libc::__WALL) {
        // A tracer hears of stops, too; who is stopped makes no calls, and is killed.
        if !libc::WIFSTOPPED(status) {
            reaped.push(pid);
        }
    }
    reaped
}
