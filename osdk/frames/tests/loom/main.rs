//! The allocator under the model checker: two threads, every interleaving.
//!
//! `cargo test -p frames --release --features loom --test loom`. A cache has room for two frames here, and eight frames
//! are plenty.

#![expect(clippy::unwrap_used, reason = "in a test the panic is the report")]

#[path = "../host/machine.rs"]
mod machine;

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use frames::fault::{self, Fault};
use frames::free_frames;
use loom::sync::Arc;
use loom::thread;

use machine::Pc;

/// In the environment of a process that is to run one check with a fault: the fault's place in `FAULTS`.
const FAULT: &str = "FRAMES_FAULT";

/// Faults, and the check that must catch each.
const FAULTS: [(Fault, &str); 3] = [
    (Fault::NoSteal, "a_cpu_finds_the_frames_of_another"),
    (Fault::NoSteal, "frames_freed_by_two_cpus_coalesce"),
    (Fault::StayOpen, "a_frame_that_moves_between_caches_is_found"),
];

fn check(model: impl Fn() + Sync + Send + 'static) {
    if let Ok(place) = env::var(FAULT) {
        fault::seed(FAULTS[place.parse::<usize>().unwrap()].0);
    }
    static INTERLEAVINGS: AtomicUsize = AtomicUsize::new(0);
    loom::model(move || {
        INTERLEAVINGS.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{} interleavings so far", INTERLEAVINGS.load(Ordering::Relaxed));
}

#[test]
fn each_fault_is_caught() {
    for (place, (fault, check)) in FAULTS.iter().enumerate() {
        let mut program = Command::new(env::current_exe().unwrap());
        program.args([check, "--exact"]).env(FAULT, place.to_string());
        let output = program.output().unwrap();
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(report.contains("1 failed"), "{fault:?} was not noticed by {check}:\n{report}");
    }
}

/// A machine with one frame in the cache of each of these CPUs, and none else free. The caches are open.
fn with_cached(cpus: usize, cached: &[usize]) -> (Arc<Pc>, Vec<usize>) {
    let pc = Pc::new(cpus, 12);
    let lent: Vec<usize> = cached.iter().map(|&cpu| pc.allocate(cpu, 1).unwrap()).collect();
    // Past the caches.
    let held = std::iter::from_fn(|| frames::Machine::zone(&pc).with(|zone| zone.take(0))).collect();
    cached.iter().zip(lent).for_each(|(&cpu, frame)| pc.free(cpu, frame, 1));
    assert_eq!(free_frames(&pc), cached.len());
    (Arc::new(pc), held)
}

#[test]
fn a_cpu_finds_the_frames_of_another() {
    check(|| {
        let (pc, _) = with_cached(2, &[0, 0]);
        let other = Arc::clone(&pc);
        let other = thread::spawn(move || other.allocate(1, 1));
        let mine = pc.allocate(0, 1);
        let theirs = other.join().unwrap();
        assert!(mine.is_some() && theirs.is_some() && mine != theirs, "a frame was free");
        assert_eq!(free_frames(&*pc), 0);
    });
}

/// One frame is free at every moment; the other thread moves it against the order in which a drain visits the caches.
#[test]
fn a_frame_that_moves_between_caches_is_found() {
    check(|| {
        let (pc, _) = with_cached(3, &[0, 1]);
        let moved = pc.allocate(0, 1).unwrap();
        let mover = Arc::clone(&pc);
        let mover = thread::spawn(move || {
            mover.free(0, moved, 1);
            mover.allocate(1, 1)
        });
        let found = pc.allocate(2, 1);
        let kept = mover.join().unwrap();
        assert!(found.is_some() && kept.is_some() && found != kept, "a frame was free");
        assert_eq!(free_frames(&*pc), 0);
    });
}

#[test]
fn frames_freed_by_two_cpus_coalesce() {
    check(|| {
        let pc = Arc::new(Pc::new(2, 16));
        let (mine, theirs) = (pc.allocate(0, 1).unwrap(), pc.allocate(1, 1).unwrap());
        let other = Arc::clone(&pc);
        let other = thread::spawn(move || other.free(1, theirs, 1));
        pc.free(0, mine, 1);
        other.join().unwrap();
        assert_eq!(free_frames(&*pc), 16);
        assert_eq!(pc.allocate(0, 16), Some(0), "all was free");
    });
}

#[test]
fn a_large_request_beside_single_ones_loses_nothing() {
    check(|| {
        let pc = Arc::new(Pc::new(2, 12));
        let single = pc.allocate(1, 1).unwrap();
        let other = Arc::clone(&pc);
        let other = thread::spawn(move || {
            other.free(1, single, 1);
            other.allocate(1, 1)
        });
        let block = pc.allocate(0, 4).unwrap();
        let single = other.join().unwrap().unwrap();
        assert!(!(block..block + 4).contains(&single));
        pc.free(0, block, 4);
        pc.free(0, single, 1);
        assert_eq!(free_frames(&*pc), 12);
        assert_eq!(pc.allocate(1, 8), Some(0));
    });
}

/// A count in the middle of a move is off by a batch at most, and right when nothing moves.
#[test]
fn the_count_is_off_by_a_batch_at_most() {
    check(|| {
        let pc = Arc::new(Pc::new(2, 12));
        let other = Arc::clone(&pc);
        let other = thread::spawn(move || other.allocate(1, 1).unwrap());
        let counted = free_frames(&*pc);
        assert!((11 - frames::cache::BATCH..=12 + frames::cache::BATCH).contains(&counted));
        other.join().unwrap();
        assert_eq!(free_frames(&*pc), 11);
    });
}
