//! A lock, and beside it how many frames are free under it.

use core::marker::PhantomData;

use crate::sync::{AtomicUsize, Ordering};

/// A lock around a `T`.
pub trait Lock<T> {
    /// Runs an action under the lock.
    fn with<R>(&self, action: impl FnOnce(&mut T) -> R) -> R;
}

/// Something that has free frames.
pub trait FreeFrames {
    /// How many.
    fn free_frames(&self) -> usize;
}

/// A `T` under its lock, whose free frames can be counted without the lock.
pub struct Counted<T, L> {
    /// What `free_frames` said at the last unlock. Written under the lock alone, so that a store suffices.
    free: AtomicUsize,
    lock: L,
    subject: PhantomData<fn(T)>,
}

impl<T, L> Counted<T, L> {
    /// Under `lock` nothing must be free yet.
    #[cfg(not(feature = "loom"))]
    pub const fn new(lock: L) -> Self {
        Self { free: AtomicUsize::new(0), lock, subject: PhantomData }
    }

    /// Under `lock` nothing must be free yet.
    #[cfg(feature = "loom")]
    pub fn new(lock: L) -> Self {
        Self { free: AtomicUsize::new(0), lock, subject: PhantomData }
    }

    /// How many frames are free under the lock.
    #[inline]
    pub fn free_frames(&self) -> usize {
        self.free.load(Ordering::Relaxed)
    }
}

impl<T: FreeFrames, L: Lock<T>> Counted<T, L> {
    /// Runs an action under the lock, and counts.
    #[inline]
    pub fn with<R>(&self, action: impl FnOnce(&mut T) -> R) -> R {
        self.lock.with(|subject| {
            let result = action(subject);
            self.free.store(subject.free_frames(), Ordering::Relaxed);
            result
        })
    }
}
