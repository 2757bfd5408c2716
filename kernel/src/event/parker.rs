//! Where a thread sleeps: woken once, it stays awake until its next sleep.
//!
//! OSTD's `Waiter` may not leave the task that made it and so cannot be kept with a thread; each sleep makes one.
//!
//! # Why no wake is lost
//! ```text
//! sleeper                          waker
//! put the OSTD waker in its place  set `is_woken`
//! `is_woken` set? do not sleep     OSTD waker in its place? wake it
//! ```
//! Each side writes before it reads, and the place is behind a lock: one of them sees the other.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use ostd::sync::{LocalIrqDisabled, SpinLock, Waiter, Waker};

use crate::clock::timer::Expire;

/// A thread's bed.
pub(crate) struct Parker {
    is_woken: AtomicBool,
    /// The waker of the sleep that goes on. Timers take it in interrupt handlers.
    sleep: SpinLock<Option<Arc<Waker>>, LocalIrqDisabled>,
}

impl Default for Parker {
    fn default() -> Self {
        Self { is_woken: AtomicBool::new(false), sleep: SpinLock::new(None) }
    }
}

impl Parker {
    /// Sleeps until woken, or not at all if that has happened since the last sleep. For the owner only.
    pub(crate) fn park(&self) {
        let (waiter, waker) = Waiter::new_pair();
        *self.sleep.lock() = Some(waker);
        while !self.is_woken.swap(false, Ordering::SeqCst) {
            waiter.wait();
        }
        // Dropped after the lock is free.
        let _waker = self.sleep.lock().take();
    }

    /// Ends the sleep, or the next one. Says whether it had not been ended yet.
    pub(crate) fn unpark(&self) -> bool {
        if self.is_woken.swap(true, Ordering::SeqCst) {
            return false;
        }
        let waker = self.sleep.lock().clone();
        if let Some(waker) = waker {
            waker.wake_up();
        }
        true
    }
}

impl Expire for Parker {
    fn expire(&self) {
        self.unpark();
    }
}
