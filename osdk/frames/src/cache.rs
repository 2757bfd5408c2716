//! One CPU's cache of single frames: a stack that is open or closed.
//!
//! Owns: the frames in it.   Not here: where they come from and go to (`allocator`).

use crate::counted::FreeFrames;

/// Frames that a cache has room for. Small under the model checker, which has to fill it.
pub const CAPACITY: usize = if cfg!(feature = "loom") { 2 } else { 64 };

/// Frames that are moved between zone and cache at once.
pub const BATCH: usize = CAPACITY / 2;

/// Single frames, the last one freed on top.
pub struct Cache {
    frames: [usize; CAPACITY],
    len: usize,
    /// The frames that it takes: all that there is room for, or none while it is closed.
    limit: usize,
}

impl Cache {
    /// A closed cache without frames.
    #[must_use]
    pub const fn new() -> Self {
        Self { frames: [0; CAPACITY], len: 0, limit: 0 }
    }

    /// Takes the frame on top.
    #[inline]
    pub fn take(&mut self) -> Option<usize> {
        let top = self.len.checked_sub(1)?;
        let frame = *self.frames.get(top)?;
        self.len = top;
        Some(frame)
    }

    /// Puts a frame on top; false if the cache is full or closed.
    #[inline]
    #[must_use]
    pub fn put(&mut self, frame: usize) -> bool {
        if self.len >= self.limit {
            return false;
        }
        let Some(place) = self.frames.get_mut(self.len) else { return false };
        *place = frame;
        self.len += 1;
        true
    }

    /// Lets [`Self::put`] fill the cache, or makes it refuse.
    pub const fn set_open(&mut self, is_open: bool) {
        self.limit = if is_open { CAPACITY } else { 0 };
    }

    /// Hands the `count` frames that were cached longest over, sorted, and forgets them.
    pub fn drain(&mut self, count: usize, insert: impl FnOnce(&[usize])) {
        let count = count.min(self.len);
        if let Some(oldest) = self.frames.get_mut(..count) {
            oldest.sort_unstable();
            insert(oldest);
        }
        self.frames.copy_within(count..self.len, 0);
        self.len -= count;
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl FreeFrames for Cache {
    #[inline]
    fn free_frames(&self) -> usize {
        self.len
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::{BATCH, CAPACITY, Cache};
    use crate::counted::FreeFrames;

    #[test]
    fn a_closed_cache_refuses_and_a_full_one_too() {
        let mut cache = Cache::new();
        assert!(!cache.put(1));
        cache.set_open(true);
        assert!((0..CAPACITY).all(|frame| cache.put(frame)));
        assert!(!cache.put(CAPACITY));
        assert_eq!(cache.take(), Some(CAPACITY - 1));
        cache.set_open(false);
        assert!(!cache.put(CAPACITY - 1));
        assert_eq!(cache.free_frames(), CAPACITY - 1);
    }

    #[test]
    fn draining_takes_the_oldest_and_sorts_them() {
        let mut cache = Cache::new();
        cache.set_open(true);
        (0..CAPACITY).for_each(|age| assert!(cache.put(1000 - age)));
        let mut drained = Vec::new();
        cache.drain(BATCH, |frames| drained.extend_from_slice(frames));
        assert_eq!(drained, (1001 - BATCH..=1000).collect::<Vec<_>>());
        assert_eq!(cache.free_frames(), CAPACITY - BATCH);
        assert_eq!(cache.take(), Some(1001 - CAPACITY));
        cache.drain(CAPACITY, |_| ());
        assert_eq!(cache.take(), None);
    }
}
