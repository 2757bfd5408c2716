//! Random sequences of operations, against a set of the frames that are free.

use std::collections::BTreeSet;

use frames::{cache, free_frames};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{collection, proptest, sample};

use crate::machine::Pc;

const CPUS: usize = 3;

/// Both sides of what is plenty, and not a power of two.
const FRAMES: usize = 6 * cache::CAPACITY + 5;

#[derive(Clone, Debug)]
enum Operation {
    /// So many contiguous frames with this alignment.
    Allocate { cpu: usize, frames: usize, alignment: usize },
    /// A burst of single frames, as page faults ask for them.
    AllocateSingles { cpu: usize, count: usize },
    /// One of the allocations, the first frames of it.
    Free { cpu: usize, which: sample::Index, frames: usize },
    /// Several of the allocations.
    FreeMany { cpu: usize, which: Vec<sample::Index> },
    /// All single frames that there are, on one CPU.
    Exhaust { cpu: usize },
}

fn operation() -> impl Strategy<Value = Operation> {
    let cpu = 0..CPUS;
    prop_oneof![
        4 => (cpu.clone(), 1usize..20, prop_oneof![4 => Just(0), 1 => 0usize..5])
            .prop_map(|(cpu, frames, alignment)| Operation::Allocate { cpu, frames, alignment }),
        4 => (cpu.clone(), 1usize..2 * cache::CAPACITY)
            .prop_map(|(cpu, count)| Operation::AllocateSingles { cpu, count }),
        4 => (cpu.clone(), any::<sample::Index>(), 1usize..20)
            .prop_map(|(cpu, which, frames)| Operation::Free { cpu, which, frames }),
        4 => (cpu.clone(), collection::vec(any::<sample::Index>(), 0..2 * cache::CAPACITY))
            .prop_map(|(cpu, which)| Operation::FreeMany { cpu, which }),
        1 => cpu.prop_map(|cpu| Operation::Exhaust { cpu }),
    ]
}

/// The allocator, and what it should have.
struct Pair {
    pc: Pc,
    free: BTreeSet<usize>,
    /// First frames and lengths.
    held: Vec<(usize, usize)>,
}

impl Pair {
    fn run(&mut self, operation: &Operation) {
        match operation {
            &Operation::Allocate { cpu, frames, alignment } => self.allocate(cpu, frames, alignment),
            &Operation::AllocateSingles { cpu, count } => (0..count).for_each(|_| self.allocate(cpu, 1, 0)),
            Operation::Free { cpu, which, frames } => self.free(*cpu, which, *frames),
            Operation::FreeMany { cpu, which } => {
                which.iter().for_each(|which| self.free(*cpu, which, usize::MAX));
            }
            &Operation::Exhaust { cpu } => {
                (0..self.free.len()).for_each(|_| self.allocate(cpu, 1, 0));
                assert!(self.free.is_empty());
                self.allocate(cpu, 1, 0);
            }
        }
        assert_eq!(free_frames(&self.pc), self.free.len());
    }

    fn allocate(&mut self, cpu: usize, frames: usize, alignment: usize) {
        let start = frames::allocate(&self.pc, cpu, frames, alignment);
        let Some(start) = start else {
            assert!(!self.has_block(frames::block::order_of(frames).max(alignment)), "a request failed");
            return;
        };
        assert!(start.is_multiple_of(1 << alignment));
        for frame in start..start + frames {
            assert!(self.free.remove(&frame), "frame {frame} was not free");
        }
        self.held.push((start, frames));
    }

    /// Whether the free frames have an aligned block of this order in them.
    fn has_block(&self, order: usize) -> bool {
        let size = 1 << order;
        (0..FRAMES).step_by(size).any(|start| self.free.range(start..start + size).count() == size)
    }

    fn free(&mut self, cpu: usize, which: &sample::Index, frames: usize) {
        if self.held.is_empty() {
            return;
        }
        let place = which.index(self.held.len());
        let (start, length) = self.held.swap_remove(place);
        let frames = frames.min(length);
        if frames < length {
            self.held.push((start + frames, length - frames));
        }
        self.pc.free(cpu, start, frames);
        self.free.extend(start..start + frames);
    }
}

proptest! {
    #[test]
    fn sequences_of_operations_do_what_a_set_does(operations in collection::vec(operation(), 1..60)) {
        let mut pair = Pair { pc: Pc::new(CPUS, FRAMES), free: (0..FRAMES).collect(), held: Vec::new() };
        operations.iter().for_each(|operation| pair.run(operation));
        // When all is back, the largest block is, and so is every other.
        while let Some((start, frames)) = pair.held.pop() {
            pair.pc.free(start % CPUS, start, frames);
        }
        assert_eq!(free_frames(&pair.pc), FRAMES);
        let blocks: Vec<_> = frames::block::blocks(0..FRAMES).collect();
        for block in blocks {
            assert_eq!(pair.pc.allocate(0, block.frames()), Some(block.frame));
        }
    }
}
