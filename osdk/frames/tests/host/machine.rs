//! A machine for tests: free lists in plain vectors, and as many CPUs as a test wants.

use frames::{Block, Cache, Counted, Lock, Machine, ORDERS, Zone};

#[cfg(feature = "loom")]
use loom::sync::Mutex;
#[cfg(not(feature = "loom"))]
use std::sync::Mutex;

/// A mutex in the place of a spin lock.
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T> Lock<T> for Guarded<T> {
    fn with<R>(&self, action: impl FnOnce(&mut T) -> R) -> R {
        action(&mut self.0.lock().unwrap())
    }
}

/// The free lists. Checks that nothing is freed twice.
#[derive(Default)]
pub(crate) struct Lists([Vec<usize>; ORDERS]);

impl frames::Links for Lists {
    fn push(&mut self, block: Block) {
        assert!(block.frame.is_multiple_of(block.frames()), "{block:?} is not aligned");
        for (order, list) in self.0.iter().enumerate() {
            for &frame in list {
                let other = Block { frame, order };
                let is_apart = other.frame + other.frames() <= block.frame
                    || block.frame + block.frames() <= other.frame;
                assert!(is_apart, "{block:?} is freed and {other:?} is free already");
            }
        }
        self.0[block.order].push(block.frame);
    }

    fn pop(&mut self, order: usize) -> Option<usize> {
        self.0[order].pop()
    }

    fn remove(&mut self, block: Block) -> bool {
        let list = &mut self.0[block.order];
        let place = list.iter().position(|&frame| frame == block.frame);
        place.map(|place| list.swap_remove(place)).is_some()
    }

    fn is_empty(&self, order: usize) -> bool {
        self.0[order].is_empty()
    }
}

pub(crate) struct Pc {
    zone: Counted<Zone<Lists>, Guarded<Zone<Lists>>>,
    caches: Vec<Counted<Cache, Guarded<Cache>>>,
}

impl Pc {
    /// A machine whose memory is frames `0..frames`.
    pub(crate) fn new(cpus: usize, frames: usize) -> Self {
        let zone = Counted::new(Guarded(Mutex::new(Zone::new(Lists::default()))));
        zone.with(|zone: &mut Zone<Lists>| zone.insert_range(0..frames));
        let cache = |_| Counted::new(Guarded(Mutex::new(Cache::new())));
        Self { zone, caches: (0..cpus).map(cache).collect() }
    }

    pub(crate) fn allocate(&self, cpu: usize, frames: usize) -> Option<usize> {
        frames::allocate(self, cpu, frames, 0)
    }

    pub(crate) fn free(&self, cpu: usize, start: usize, frames: usize) {
        frames::free(self, cpu, start..start + frames);
    }
}

impl Machine for Pc {
    type Cpu = usize;
    type Links = Lists;
    type ZoneLock = Guarded<Zone<Lists>>;
    type CacheLock = Guarded<Cache>;

    fn zone(&self) -> &Counted<Zone<Lists>, Self::ZoneLock> {
        &self.zone
    }

    fn cache(&self, cpu: usize) -> &Counted<Cache, Self::CacheLock> {
        &self.caches[cpu]
    }

    fn cpus(&self) -> impl Iterator<Item = usize> {
        0..self.caches.len()
    }
}
