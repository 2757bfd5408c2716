//! The frame allocator: a buddy system behind one lock, and a cache of single frames for each CPU.
//!
//! It promises what a kernel needs near exhaustion:
//! - *Reach*: a request for one frame succeeds while any frame is free, in the zone or in any CPU's cache.
//! - *Whole*: before a request for contiguous frames fails, all cached frames are back in the zone, coalesced.
//! - *Exact*: the sum that [`free_frames`] reports can be had as single frames; a frame is in the zone, in one
//!   cache, or allocated. Only in the middle of a move between zone and cache is a batch counted twice or not at all.
//! - *Frugal*: nothing is allocated to allocate or to free; the free lists live in the frames' metadata.
//!
//! # How it works
//! ```text
//! allocate 1 frame ─→ this CPU's cache ─ empty ─→ zone: refill, the smallest blocks first
//!                                                   └─ empty ─→ drain and close every cache, and try again
//! free 1 frame ────→ this CPU's cache ─ full or closed ─→ zone: coalesce
//! several frames ──────────────────────────────────→ zone ─ none ─→ drain and close every cache, and try again
//! ```
//! Two locks are never waited for in the wrong order: the fast path takes its cache's lock alone, and frames move
//! between zone and cache under the zone's lock and then the cache's. A cache is *closed* as it is drained: frames
//! freed from then on go to the zone, whose lock the drainer holds. So when all caches are drained, all are empty at
//! the same moment, and "no frame" is the truth and not a race. A cache opens again when the zone has plenty.
//!
//! | module | its subject |
//! |---|---|
//! | [`block`] | the arithmetic of buddies |
//! | [`zone`] | the free lists: split, coalesce, refill |
//! | [`cache`] | one CPU's single frames |
//! | [`allocator`] | the paths between them, and the lock order |
//! | `installed` | OSTD's lists, locks and CPUs under it |
//!
//! All but the last are plain Rust, generic over the storage of the free lists and the locks. `tests/host` checks them
//! against a set of free frames, `tests/loom` under every interleaving of two threads.
#![no_std]
#![forbid(unsafe_code)]

pub mod allocator;
pub mod block;
pub mod cache;
mod counted;
#[cfg(not(feature = "loom"))]
#[expect(dead_code, unreachable_pub, reason = "seeding exists only with the feature")]
mod fault;
#[cfg(feature = "loom")]
pub mod fault;
#[cfg(target_os = "none")]
mod installed;
mod sync;
pub mod zone;

pub use allocator::{Machine, allocate, free, free_frames};
pub use block::{Block, ORDERS};
pub use cache::Cache;
pub use counted::{Counted, FreeFrames, Lock};
#[cfg(target_os = "none")]
pub use installed::{free_bytes, pooled_bytes};
pub use zone::{Links, Zone};
