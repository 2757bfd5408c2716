//! sched(7), nice(2): who gets how much of a CPU, and how soon.

use std::thread;
use std::time::{Duration, Instant};

use pollux_tests::{child, sys};

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) {
    // SAFETY: what the kernel reads is the caller's.
    unsafe { sys::call(number, arguments) }.expect("the call succeeds");
}

/// Keeps the process on one CPU.
fn stay() {
    let one = 1_u64;
    call(libc::SYS_sched_setaffinity, [0, 8, (&raw const one).addr()]);
}

fn nice(value: i32) {
    call(libc::SYS_setpriority, [0, 0, value as usize]);
}

/// Starts a child that computes without end.
fn computing(before: impl FnOnce()) -> child::Child {
    child::spawn(|| {
        before();
        loop {
            std::hint::spin_loop();
        }
    })
}

/// Returns the processor time that a child has used.
fn used(child: &child::Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/schedstat", child.pid())).ok();
    let nanos = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| ticks(child), Duration::from_nanos)
}

/// Returns the same in hundredths of a second.
fn ticks(child: &child::Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let count = |field: usize| fields[field].parse::<u64>().unwrap();
    Duration::from_millis(10 * (count(11) + count(12)))
}

/// Lets two children compute on one CPU; returns how much more the first got.
fn ratio(first: impl FnOnce(), second: impl FnOnce(), time: Duration) -> f64 {
    let shared = pollux_tests::fd::pipe2(0).unwrap();
    child::run(|| {
        stay();
        let children = [computing(first), computing(second)];
        // The parent must not wait for the CPU itself.
        call(libc::SYS_sched_setscheduler, [0, 1, (&raw const PRIORITY).addr()]);
        thread::sleep(Duration::from_millis(100));
        let before = children.each_ref().map(used);
        thread::sleep(time);
        let after = children.each_ref().map(used);
        let [first, second] = [0, 1].map(|nr| (after[nr] - before[nr]).as_secs_f64());
        let ratio = first / second.max(0.001);
        shared.1.write(&ratio.to_le_bytes()).unwrap();
    });
    f64::from_le_bytes(shared.0.read(8).unwrap().try_into().unwrap())
}

static PRIORITY: i32 = 10;

#[test]
fn equal_processes_share_equally() {
    let ratio = ratio(|| (), || (), Duration::from_secs(1));
    assert!((0.8..1.25).contains(&ratio), "{ratio}");
}

#[test]
fn five_steps_of_nice_are_a_factor_of_three() {
    let ratio = ratio(|| nice(5), || nice(10), Duration::from_secs(2));
    assert!((2.5..3.7).contains(&ratio), "{ratio}");
}

#[test]
fn an_idle_process_gets_nearly_nothing() {
    let idle = || call(libc::SYS_sched_setscheduler, [0, 5, (&raw const ZERO).addr()]);
    let ratio = ratio(|| (), idle, Duration::from_secs(2));
    assert!(ratio > 30.0, "{ratio}");
}

static ZERO: i32 = 0;

#[test]
fn a_sleeper_runs_soon_beside_many_that_compute() {
    child::run(|| {
        stay();
        let computing: Vec<_> = (0..50).map(|_| computing(|| ())).collect();
        thread::sleep(Duration::from_millis(300));
        let mut late: Vec<_> = (0..200)
            .map(|_| {
                let start = Instant::now();
                thread::sleep(Duration::from_millis(1));
                start.elapsed() - Duration::from_millis(1)
            })
            .collect();
        late.sort_unstable();
        // Of a busy host, a few may be later.
        assert!(late[190] <= Duration::from_millis(20), "{:?}", &late[190..]);
        let start = Instant::now();
        child::run(|| ());
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
        drop(computing);
    });
}
