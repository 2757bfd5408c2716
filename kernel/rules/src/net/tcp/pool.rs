//! A pool of objects that are out of use, kept for the next user.
//! Why: decision 0041.

use crate::machine::fallible;
use alloc::vec::Vec;

use spin::Mutex;

/// A pool. No caller ever waits for its lock: a caller that does not get it at once allocates or drops instead.
pub(super) struct Pool<T> {
    things: Mutex<Vec<T>>,
    most: usize,
}

impl<T> Pool<T> {
    /// Creates a pool that keeps at most `most` objects.
    pub(super) const fn new(most: usize) -> Self {
        Self { things: Mutex::new(Vec::new()), most }
    }

    /// Takes the object that was used last, with the contents it was left with.
    pub(super) fn take(&self) -> Option<T> {
        self.things.try_lock()?.pop()
    }

    /// Keeps `thing`, or drops it if the pool is full.
    pub(super) fn give(&self, thing: T) {
        if let Some(mut things) = self.things.try_lock()
            && things.len() < self.most
            && fallible::reserve(&mut *things, 1).is_ok()
        {
            things.push(thing);
        }
    }
}
