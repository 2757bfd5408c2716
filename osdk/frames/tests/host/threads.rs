//! Threads as CPUs: all frames are in somebody's hands once, and none is ever lost.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use frames::{cache, free_frames};

use crate::machine::Pc;

const CPUS: usize = 4;
const FRAMES: usize = 8 * cache::CAPACITY;
const ROUNDS: usize = 200;

/// Each CPU takes its share to the last frame, so that none may hide from it, and frees it in another order.
#[test]
fn each_cpu_gets_its_share_to_the_last_frame() {
    let pc = Pc::new(CPUS, FRAMES);
    let taken: Vec<AtomicBool> = (0..FRAMES).map(|_| AtomicBool::new(false)).collect();
    let barrier = Barrier::new(CPUS);
    let work = |cpu: usize| {
        for round in 0..ROUNDS {
            barrier.wait();
            let frame = |_| pc.allocate(cpu, 1).expect("a share is free");
            let mut share: Vec<usize> = (0..FRAMES / CPUS).map(frame).collect();
            for &frame in &share {
                assert!(!taken[frame].swap(true, Ordering::Relaxed), "frame {frame} was given twice");
            }
            share.rotate_left(round % (FRAMES / CPUS));
            for &frame in &share {
                taken[frame].store(false, Ordering::Relaxed);
                pc.free(cpu, frame, 1);
            }
        }
    };
    thread::scope(|scope| (0..CPUS).for_each(|cpu| drop(scope.spawn(move || work(cpu)))));
    assert_eq!(free_frames(&pc), FRAMES);
    assert_eq!(pc.allocate(0, FRAMES), Some(0));
}
