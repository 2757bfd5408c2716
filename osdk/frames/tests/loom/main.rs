//! The allocator under the model checker: two threads, every interleaving with at most `PREEMPTIONS` preemptions.
//!
//! `cargo test -p frames --release --features loom --test loom`. A cache has room for two frames here, and eight frames
//! are plenty.

#![expect(clippy::unwrap_used, reason = "in a test the panic is the report")]

#[path = "../host/machine.rs"]
mod machine;

use frames::free_frames;
use loom::sync::Arc;
use loom::thread;

use machine::Pc;

/// Interleavings with more were not tried.
const PREEMPTIONS: usize = 3;

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(model);
}

/// A machine of which all but `left` frames are allocated on CPU 0. Its cache has been filled on the way.
fn nearly_exhausted(cpus: usize, frames: usize, left: usize) -> (Arc<Pc>, Vec<usize>) {
    let pc = Pc::new(cpus, frames);
    let held = (left..frames).map(|_| pc.allocate(0, 1).unwrap()).collect();
    (Arc::new(pc), held)
}

#[test]
fn two_cpus_share_the_last_two_frames() {
    check(|| {
        let (pc, _held) = nearly_exhausted(2, 8, 2);
        let other = Arc::clone(&pc);
        let other = thread::spawn(move || other.allocate(1, 1));
        let mine = pc.allocate(0, 1);
        let theirs = other.join().unwrap();
        assert!(mine.is_some() && theirs.is_some() && mine != theirs);
        assert_eq!(free_frames(&*pc), 0);
    });
}

/// One frame is free at every moment; the thread that moves it visits the caches against the order of a drain.
#[test]
fn a_frame_that_moves_between_caches_is_found() {
    check(|| {
        // Full enough that frames freed stay in the caches.
        let pc = Pc::new(3, 10);
        let cached = pc.allocate(1, 1).unwrap();
        let moved = pc.allocate(0, 1).unwrap();
        pc.free(1, cached, 1);
        while frames::Machine::zone(&pc).free_frames() > 0 {
            pc.allocate(2, 4).or_else(|| pc.allocate(2, 2)).or_else(|| {
                // The rest by the frame, past the caches.
                frames::Machine::zone(&pc).with(|zone| zone.take(0))
            });
        }
        let free = free_frames(&pc);
        let pc = Arc::new(pc);
        let mover = Arc::clone(&pc);
        let mover = thread::spawn(move || {
            mover.free(0, moved, 1);
            (0..free).all(|_| mover.allocate(1, 1).is_some())
        });
        let found = pc.allocate(2, 1);
        assert!(mover.join().unwrap() && found.is_some());
        assert_eq!(free_frames(&*pc), 0);
    });
}

#[test]
fn frames_freed_by_two_cpus_coalesce() {
    check(|| {
        let (pc, held) = nearly_exhausted(2, 8, 6);
        let (first, second) = (held[0], held[1]);
        let other = Arc::clone(&pc);
        let other = thread::spawn(move || other.free(1, second, 1));
        pc.free(0, first, 1);
        other.join().unwrap();
        assert_eq!(free_frames(&*pc), 8);
        assert_eq!(pc.allocate(0, 8), Some(0));
    });
}

#[test]
fn a_large_request_beside_a_single_one_loses_nothing() {
    check(|| {
        let (pc, held) = nearly_exhausted(2, 10, 9);
        let single = held[0];
        let other = Arc::clone(&pc);
        let other = thread::spawn(move || {
            other.free(1, single, 1);
            other.allocate(1, 1)
        });
        let block = pc.allocate(0, 4);
        let single = other.join().unwrap();
        assert!(block.is_some() && single.is_some());
        pc.free(0, block.unwrap(), 4);
        pc.free(0, single.unwrap(), 1);
        assert_eq!(free_frames(&*pc), 10);
        assert_eq!(pc.allocate(1, 8), Some(0));
    });
}

/// A count between two moments is off by a batch at most, and right when nothing moves.
#[test]
fn the_count_is_off_by_a_batch_at_most() {
    check(|| {
        let (pc, _) = nearly_exhausted(2, 10, 10);
        let other = Arc::clone(&pc);
        let other = thread::spawn(move || other.allocate(1, 1).unwrap());
        let counted = free_frames(&*pc);
        assert!((9 - frames::cache::BATCH..=10 + frames::cache::BATCH).contains(&counted));
        other.join().unwrap();
        assert_eq!(free_frames(&*pc), 9);
    });
}
