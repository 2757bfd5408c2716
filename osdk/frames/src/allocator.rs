//! The paths that frames take between the zone, the caches and the callers.
//!
//! Locks: a cache alone (fast path), or the zone and then one cache after the other. A caller that found its cache
//! empty or full lets go of it before it takes the zone's lock.
//!
//! Why a failure is the truth: frames move between zone and caches under the zone's lock alone, and a drained cache is
//! closed under its own lock. Say CPU 2 looks for a frame:
//! ```text
//! CPU 2 (has the zone's lock)        CPUs 0 and 1
//! drain and close cache 0: empty
//!                                    free into cache 0: closed, so wait for the zone's lock
//! drain and close cache 1: its frame goes to the zone
//!                                    allocate from cache 1: empty, so wait for the zone's lock
//! take from the zone: succeeds
//! ```
//! Without the closing, the frame freed would hide in cache 0 while CPU 1 takes the other, and CPU 2 would fail
//! although one frame was free at every moment.

use core::ops::Range;

use crate::block::Block;
use crate::cache::{BATCH, CAPACITY, Cache};
use crate::counted::{Counted, FreeFrames, Lock};
use crate::fault::{self, Fault};
use crate::zone::{Links, Zone};

/// A zone with fewer frames than this is not spread over caches: frames freed go back to it, where they coalesce.
const PLENTY: usize = 4 * CAPACITY;

/// Where zone and caches are.
pub trait Machine {
    /// A CPU's name.
    type Cpu: Copy;
    /// How free blocks are linked.
    type Links: Links;
    /// The zone's lock.
    type ZoneLock: Lock<Zone<Self::Links>>;
    /// A cache's lock.
    type CacheLock: Lock<Cache>;

    /// The zone.
    fn zone(&self) -> &Counted<Zone<Self::Links>, Self::ZoneLock>;

    /// The cache of a CPU.
    fn cache(&self, cpu: Self::Cpu) -> &Counted<Cache, Self::CacheLock>;

    /// All CPUs.
    fn cpus(&self) -> impl Iterator<Item = Self::Cpu>;
}

/// Allocates contiguous frames, the first a multiple of `2^alignment`, and gives the number of the first.
///
/// The caller runs on `cpu` and stays there. `None` for one frame: no frame was free at some moment of the call.
#[inline]
pub fn allocate<M: Machine>(machine: &M, cpu: M::Cpu, frames: usize, alignment: usize) -> Option<usize> {
    if frames != 1 || alignment != 0 {
        return allocate_from_zone(machine, frames, alignment);
    }
    machine.cache(cpu).with(Cache::take).or_else(|| refill(machine, cpu))
}

/// Frees frames that were allocated, all or a part of them.
///
/// The caller runs on `cpu` and stays there.
#[inline]
pub fn free<M: Machine>(machine: &M, cpu: M::Cpu, frames: Range<usize>) {
    if frames.len() != 1 {
        machine.zone().with(|zone| zone.insert_range(frames));
    } else if !machine.cache(cpu).with(|cache| cache.put(frames.start)) {
        free_to_zone(machine, cpu, frames.start);
    }
}

/// How many frames are free.
#[inline]
pub fn free_frames<M: Machine>(machine: &M) -> usize {
    let cached: usize = machine.cpus().map(|cpu| machine.cache(cpu).free_frames()).sum();
    machine.zone().free_frames() + cached
}

/// Allocates one frame for a CPU whose cache is empty, and refills the cache if there is plenty.
#[cold]
fn refill<M: Machine>(machine: &M, cpu: M::Cpu) -> Option<usize> {
    machine.zone().with(|zone| {
        let is_plenty = zone.free_frames() >= PLENTY;
        let cached = machine.cache(cpu).with(|cache| {
            cache.set_open(is_plenty);
            if is_plenty {
                zone.take_singles(BATCH, |frame| assert!(cache.put(frame), "no room in an empty cache"));
            }
            cache.take()
        });
        cached.or_else(|| zone.take(0)).or_else(|| {
            drain_caches(machine, zone);
            zone.take(0)
        })
    })
}

fn allocate_from_zone<M: Machine>(machine: &M, frames: usize, alignment: usize) -> Option<usize> {
    machine.zone().with(|zone| {
        zone.take_range(frames, alignment).or_else(|| {
            drain_caches(machine, zone);
            zone.take_range(frames, alignment)
        })
    })
}

/// Frees one frame for a CPU whose cache is full or closed.
#[cold]
fn free_to_zone<M: Machine>(machine: &M, cpu: M::Cpu, frame: usize) {
    machine.zone().with(|zone| {
        zone.insert(Block { frame, order: 0 });
        let is_plenty = zone.free_frames() >= PLENTY;
        machine.cache(cpu).with(|cache| {
            cache.set_open(is_plenty);
            if cache.free_frames() == CAPACITY {
                cache.drain(BATCH, |frames| zone.insert_sorted(frames));
            }
        });
    });
}

/// Brings every cached frame back to the zone, and closes the caches.
#[cold]
fn drain_caches<M: Machine>(machine: &M, zone: &mut Zone<M::Links>) {
    if fault::is_seeded(Fault::NoSteal) {
        return;
    }
    for cpu in machine.cpus() {
        machine.cache(cpu).with(|cache| {
            if !fault::is_seeded(Fault::StayOpen) {
                cache.set_open(false);
            }
            cache.drain(CAPACITY, |frames| zone.insert_sorted(frames));
        });
    }
}
