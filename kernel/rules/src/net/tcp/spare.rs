//! A few things that are out of use, kept for the next who needs one.
//!
//! Why: decision 0041.

use alloc::vec::Vec;

use spin::Mutex;

/// Things of one kind. Nobody ever waits for the lock: who does not get it at once does without.
pub(super) struct Spares<T> {
    things: Mutex<Vec<T>>,
    most: usize,
}

impl<T> Spares<T> {
    /// Keeps at most `most`.
    pub(super) const fn new(most: usize) -> Self {
        Self { things: Mutex::new(Vec::new()), most }
    }

    /// The thing that was in use last, as it was left.
    pub(super) fn take(&self) -> Option<T> {
        self.things.try_lock()?.pop()
    }

    /// Keeps `thing`, or drops it if there are enough.
    pub(super) fn give(&self, thing: T) {
        if let Some(mut things) = self.things.try_lock()
            && things.len() < self.most
            && things.try_reserve(1).is_ok()
        {
            things.push(thing);
        }
    }
}
