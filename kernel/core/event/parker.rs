//! Parking: a wake that comes before the sleep ends that sleep at once.
//!
//! A thread owns its [`Parker`]; other threads and timers wake it through its [`Unparker`]. OSTD's waker remembers a
//! wake until the next sleep, so none is lost, whether it comes before the sleep or during it. A wake that comes
//! before the parker exists finds a thread that has not begun to run and waits for nothing.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ostd::sync::{LocalIrqDisabled, SpinLock, Waiter, Waker};
use pollee::Wake;

use crate::machine::clock::timer::Expire;

/// The handle that wakes a thread.
pub(crate) struct Unparker {
    /// `None` before and after the thread runs: the waker holds the task, and the task its thread. Timers lock it in
    /// interrupt handlers.
    waker: SpinLock<Option<Arc<Waker>>, LocalIrqDisabled>,
    /// A statistic; nothing is ordered by it.
    sleeps: AtomicU64,
    /// Whether the thread sleeps; a hint for `/proc`.
    is_asleep: AtomicBool,
}

/// A thread's own side: it sleeps here. Bound to its task.
pub(crate) struct Parker {
    waiter: Waiter,
    unparker: Arc<Unparker>,
}

impl Default for Unparker {
    fn default() -> Self {
        Self { waker: SpinLock::new(None), sleeps: AtomicU64::new(0), is_asleep: AtomicBool::new(false) }
    }
}

impl Unparker {
    /// Returns how often the thread has slept: `ru_nvcsw` of getrusage(2). A sleep that ended before it began counts,
    /// too.
    pub(crate) fn sleeps(&self) -> u64 {
        self.sleeps.load(Ordering::Relaxed)
    }

    /// Returns whether the thread sleeps; a woken thread still does until it runs.
    pub(crate) fn is_asleep(&self) -> bool {
        self.is_asleep.load(Ordering::Relaxed)
    }
}

impl Wake for Unparker {
    /// Ends the present sleep, or the next one. Returns whether this is the first wake since the last sleep.
    fn wake(&self) -> bool {
        self.waker.lock().as_ref().is_some_and(|waker| waker.wake_up())
    }
}

impl Expire for Unparker {
    fn expire(&self) {
        self.wake();
    }
}

impl Parker {
    /// Makes the parker of the current task, which `unparker` wakes from now on.
    pub(crate) fn new(unparker: &Arc<Unparker>) -> Self {
        let (waiter, waker) = Waiter::new_pair();
        *unparker.waker.lock() = Some(waker);
        Self { waiter, unparker: unparker.clone() }
    }

    /// Sleeps until woken, or returns at once if a wake has come since the last sleep.
    pub(crate) fn park(&self) {
        self.unparker.sleeps.fetch_add(1, Ordering::Relaxed);
        self.unparker.is_asleep.store(true, Ordering::Relaxed);
        self.waiter.wait();
        self.unparker.is_asleep.store(false, Ordering::Relaxed);
    }
}

impl Drop for Parker {
    fn drop(&mut self) {
        // Dropped only after the lock is free.
        let _waker = self.unparker.waker.lock().take();
    }
}
