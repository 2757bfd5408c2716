//! sched(7): how long a call keeps the CPU from a real-time thread.
//!
//! A `SCHED_FIFO` thread on the same CPU sleeps for a fraction of a millisecond again and again, and notes how late it
//! runs; so long did the call not let the CPU go, by a lock or by a loop without a pause. The bound holds where guest
//! time is the number of executed instructions (`--icount`), which the test finds out: elsewhere the host's other work
//! counts, too, and only what takes tens of milliseconds is told apart.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pollux_tests::{child, signal, sys};

const MIB: usize = 1 << 20;

/// The lateness that a real-time thread has beside a program that only computes: timers and interrupts.
const BASE: Duration = Duration::from_micros(150);
/// What a call may add, with exact time.
const BOUND: Duration = Duration::from_micros(350);
/// With other time: Linux has no bound without preemption, and the host has other work.
const LOOSE: Duration = Duration::from_millis(80);

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> usize {
    // SAFETY: the ranges are the test's own.
    unsafe { sys::call(number, arguments) }.expect("the call succeeds")
}

fn set_policy(policy: usize, priority: i32) {
    call(libc::SYS_sched_setscheduler, [0, policy, (&raw const priority).addr()]);
}

/// A thread that wants to run often.
struct Watcher {
    worst: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
}

impl Watcher {
    fn start() -> Self {
        let watcher = Self { worst: Arc::default(), ends: Arc::default() };
        let (worst, ends) = (watcher.worst.clone(), watcher.ends.clone());
        thread::spawn(move || {
            set_policy(1, 50);
            const NAP: Duration = Duration::from_micros(300);
            while !ends.load(Ordering::Relaxed) {
                let start = Instant::now();
                thread::sleep(NAP);
                let late = start.elapsed().saturating_sub(NAP);
                worst.fetch_max(late.as_nanos() as u64, Ordering::Relaxed);
            }
        });
        watcher
    }

    /// Returns the worst lateness while `work` ran.
    fn watch(&self, work: impl FnOnce()) -> Duration {
        // The watcher's next nap begins after this.
        thread::sleep(Duration::from_millis(3));
        self.worst.store(0, Ordering::Relaxed);
        work();
        thread::sleep(Duration::from_millis(3));
        Duration::from_nanos(self.worst.load(Ordering::Relaxed))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

/// Maps private memory, with all of its pages.
fn map(len: usize) -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    call(libc::SYS_mmap, [0, len, prot as usize, flags as usize, usize::MAX, 0])
}

fn unmap(at: usize, len: usize) {
    call(libc::SYS_munmap, [at, len]);
}

/// Returns whether guest time is the number of instructions: then a loop always takes the same time.
fn time_is_exact() -> bool {
    let spin = || {
        let start = Instant::now();
        for round in 0..100_000_u64 {
            std::hint::black_box(round);
        }
        start.elapsed()
    };
    let times: Vec<_> = (0..12).map(|_| spin()).collect();
    let mut sorted = times.clone();
    sorted.sort_unstable();
    // A tick or two may be in some of them.
    sorted[8] - sorted[0] < sorted[0] / 200
}

/// Runs each call beside a watcher on one CPU, and names those that keep the CPU too long.
fn check(calls: Vec<(&'static str, Box<dyn FnOnce()>)>) {
    child::run(|| {
        let one = 1_u64;
        call(libc::SYS_sched_setaffinity, [0, 8, (&raw const one).addr()]);
        let bound = if time_is_exact() { BASE + BOUND } else { LOOSE };
        let watcher = Watcher::start();
        let mut all = Vec::new();
        let mut late = Vec::new();
        for (name, work) in calls {
            let worst = watcher.watch(work);
            all.push(format!("{name}: {worst:?}"));
            if worst > bound {
                late.push(name);
            }
        }
        assert!(late.is_empty(), "over {bound:?}: {late:?} of {all:?}");
    });
}

macro_rules! calls {
    ($($name:literal => $work:expr),* $(,)?) => {
        vec![$(($name, Box::new($work) as Box<dyn FnOnce()>)),*]
    };
}

#[test]
fn calls_on_memory_let_a_real_time_thread_run() {
    const LEN: usize = 64 * MIB;
    check(calls! {
        "nothing" => || thread::sleep(Duration::from_millis(10)),
        "a loop" => || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(50) {}
        },
        "mmap(MAP_POPULATE)" => || unmap(map(LEN), LEN),
        "munmap" => || {
            let at = map(LEN);
            thread::sleep(Duration::from_millis(1));
            unmap(at, LEN);
        },
        "mprotect" => || {
            let at = map(LEN);
            call(libc::SYS_mprotect, [at, LEN, libc::PROT_READ as usize]);
            unmap(at, LEN);
        },
        "mremap" => || {
            let at = map(LEN);
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            let to = call(libc::SYS_mmap, [0, LEN, 0, flags as usize, usize::MAX, 0]);
            let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as usize;
            assert_eq!(call(libc::SYS_mremap, [at, LEN, LEN, flags, to]), to);
            unmap(to, LEN);
        },
        "madvise(MADV_DONTNEED)" => || {
            let at = map(LEN);
            call(libc::SYS_madvise, [at, LEN, libc::MADV_DONTNEED as usize]);
            unmap(at, LEN);
        },
        "mmap(MAP_FIXED)" => || {
            let at = map(LEN);
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            call(libc::SYS_mmap, [at, LEN, libc::PROT_READ as usize, flags as usize, usize::MAX, 0]);
            unmap(at, LEN);
        },
        "mlock" => || {
            let at = map(4096);
            call(libc::SYS_mlock, [at, 4096]);
            unmap(at, 4096);
        },
        "mincore" => || {
            let at = map(LEN);
            let mut answers = vec![0_u8; LEN / 4096];
            call(libc::SYS_mincore, [at, LEN, answers.as_mut_ptr().addr()]);
            unmap(at, LEN);
        },
    });
}

#[test]
fn forks_and_ends_of_large_processes_let_a_real_time_thread_run() {
    const LEN: usize = 64 * MIB;
    check(calls! {
        "fork and exit" => || {
            let at = map(LEN);
            child::run(|| ());
            unmap(at, LEN);
        },
        "exit" => || child::run(|| {
            map(LEN);
        }),
        "kill" => || {
            let large = child::spawn(|| {
                map(LEN);
                loop {
                    thread::park();
                }
            });
            thread::sleep(Duration::from_millis(100));
            large.kill(libc::SIGKILL);
            assert_eq!(large.wait(), child::Status::Killed(libc::SIGKILL));
        },
        "kill of a group" => || child::run(|| {
            // SAFETY: no memory is involved.
            assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
            signal::block(&[libc::SIGUSR1]);
            let group: Vec<_> = (0..100)
                .map(|_| {
                    child::spawn(|| {
                        signal::unblock(&[libc::SIGUSR1]);
                        loop {
                            thread::park();
                        }
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(20));
            // SAFETY: no memory is involved.
            assert_eq!(unsafe { libc::kill(0, libc::SIGUSR1) }, 0);
            for child in group {
                assert_eq!(child.wait(), child::Status::Killed(libc::SIGUSR1));
            }
        }),
    });
}

#[test]
fn long_reads_let_a_real_time_thread_run() {
    check(calls! {
        "getrandom" => || {
            let mut bytes = vec![0_u8; 4 * MIB];
            call(libc::SYS_getrandom, [bytes.as_mut_ptr().addr(), bytes.len(), 0]);
        },
        "read of /dev/urandom" => || {
            File::open("/dev/urandom").unwrap().read_exact(&mut vec![0_u8; 4 * MIB]).unwrap();
        },
        "read of /dev/zero" => || {
            File::open("/dev/zero").unwrap().read_exact(&mut vec![1_u8; 32 * MIB]).unwrap();
        },
        "write and read of a file" => || {
            let path = "/tmp/latency";
            std::fs::write(path, vec![7_u8; 32 * MIB]).unwrap();
            assert_eq!(std::fs::read(path).unwrap().len(), 32 * MIB);
        },
    });
}

#[test]
fn a_long_call_ends_when_its_process_is_killed() {
    // Seconds of work, in memory that is one page again and again.
    let long = child::spawn(|| {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let at = call(
            libc::SYS_mmap,
            [0, 1 << 40, libc::PROT_NONE as usize, flags as usize, usize::MAX, 0],
        );
        let mut answers = vec![0_u8; 1 << 22];
        loop {
            call(libc::SYS_mincore, [at, 1 << 34, answers.as_mut_ptr().addr()]);
            // SAFETY: the buffer is the test's.
            let _ = unsafe {
                sys::call(libc::SYS_getrandom, [answers.as_mut_ptr().addr(), 1 << 22, 0])
            };
        }
    });
    thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    long.kill(libc::SIGKILL);
    assert_eq!(long.wait(), child::Status::Killed(libc::SIGKILL));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}
