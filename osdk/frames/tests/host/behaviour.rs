//! What is promised, by example.

use frames::{cache, free_frames};

use crate::machine::Pc;

/// More than is plenty: caches open.
const MANY: usize = 16 * cache::CAPACITY;

/// Allocates single frames on a CPU until there is none.
fn take_all(pc: &Pc, cpu: usize) -> Vec<usize> {
    std::iter::from_fn(|| pc.allocate(cpu, 1)).collect()
}

#[test]
fn every_frame_can_be_had_as_a_single_one() {
    let pc = Pc::new(1, 1000);
    let mut all = take_all(&pc, 0);
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    assert_eq!(free_frames(&pc), 0);
}

#[test]
fn a_frame_in_the_cache_of_another_cpu_is_found() {
    let pc = Pc::new(4, MANY);
    let held: Vec<usize> = (0..4).map(|cpu| pc.allocate(cpu, 1).unwrap()).collect();
    assert_eq!(take_all(&pc, 3).len(), MANY - held.len());
    assert_eq!(free_frames(&pc), 0);
}

#[test]
fn every_second_frame_is_enough_for_single_ones() {
    let pc = Pc::new(2, MANY);
    let all = take_all(&pc, 0);
    all.iter().filter(|frame| *frame % 2 == 1).for_each(|&frame| pc.free(0, frame, 1));
    assert_eq!(free_frames(&pc), MANY / 2);
    assert_eq!(pc.allocate(1, 2), None);
    assert_eq!(take_all(&pc, 1).len(), MANY / 2);
}

#[test]
fn cached_frames_coalesce_before_a_large_request_fails() {
    let pc = Pc::new(2, MANY);
    let (lower, upper): (Vec<usize>, Vec<usize>) =
        take_all(&pc, 0).into_iter().partition(|frame| frame % 2 == 0);
    lower.iter().for_each(|&frame| pc.free(0, frame, 1));
    upper.iter().for_each(|&frame| pc.free(1, frame, 1));
    assert_eq!(pc.allocate(0, MANY), Some(0));
}

#[test]
fn near_exhaustion_nothing_is_cached() {
    let pc = Pc::new(2, MANY);
    let all = take_all(&pc, 0);
    all[..cache::CAPACITY].iter().for_each(|&frame| pc.free(1, frame, 1));
    let zone = frames::Machine::zone(&pc);
    assert_eq!(zone.free_frames(), cache::CAPACITY);
}

#[test]
fn a_range_of_any_length_is_allocated_without_waste() {
    let pc = Pc::new(1, 64);
    let start = pc.allocate(0, 11).unwrap();
    assert_eq!(free_frames(&pc), 64 - 11);
    pc.free(0, start, 4);
    pc.free(0, start + 4, 7);
    assert_eq!(pc.allocate(0, 64), Some(0));
}

#[test]
fn an_alignment_larger_than_the_size_is_kept() {
    let pc = Pc::new(1, 64);
    assert_eq!(pc.allocate(0, 1), Some(0));
    let aligned = frames::allocate(&pc, 0, 1, 4).unwrap();
    assert!(aligned.is_multiple_of(16));
    assert_eq!(free_frames(&pc), 62);
}

#[test]
fn more_than_the_largest_block_is_refused() {
    let pc = Pc::new(1, 64);
    assert_eq!(pc.allocate(0, 1 << frames::ORDERS), None);
    assert_eq!(frames::allocate(&pc, 0, 1, frames::ORDERS), None);
    assert_eq!(pc.allocate(0, 64), Some(0));
}
