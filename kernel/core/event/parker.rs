//! Where a thread sleeps: woken once, it stays awake until its next sleep.
//!
//! The thread itself has a [`Parker`] for as long as it lives; others have its [`Unparker`], which knows the way there.
//! A wake goes to OSTD's waker, which remembers the first since the last sleep: none is lost, whether it comes
//! before the sleep or during it. One that comes before the bed is made finds a thread that has not begun to run,
//! and so waits for nothing.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ostd::sync::{LocalIrqDisabled, SpinLock, Waiter, Waker};

use crate::machine::clock::timer::Expire;

/// The way to a thread's bed.
pub(crate) struct Unparker {
    /// `None` before the thread runs and after: the waker holds the task, and the task its thread. Timers use it
    /// in interrupt handlers.
    waker: SpinLock<Option<Arc<Waker>>, LocalIrqDisabled>,
    /// A statistic, by which nothing is ordered.
    sleeps: AtomicU64,
    /// Whether it sleeps, for those who only look.
    is_asleep: AtomicBool,
}

/// A thread's bed. It cannot leave its task.
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
    /// Ends the sleep, or the next one. Says whether it had not been ended yet.
    pub(crate) fn unpark(&self) -> bool {
        self.waker.lock().as_ref().is_some_and(|waker| waker.wake_up())
    }

    /// How often the thread has slept: `ru_nvcsw` of getrusage(2). A sleep that was over before it began counts.
    pub(crate) fn sleeps(&self) -> u64 {
        self.sleeps.load(Ordering::Relaxed)
    }

    /// Whether the thread sleeps; one that was woken does until it runs.
    pub(crate) fn is_asleep(&self) -> bool {
        self.is_asleep.load(Ordering::Relaxed)
    }
}

impl Expire for Unparker {
    fn expire(&self) {
        self.unpark();
    }
}

impl Parker {
    /// The bed of the current task, to which `unparker` is to show the way.
    pub(crate) fn new(unparker: &Arc<Unparker>) -> Self {
        let (waiter, waker) = Waiter::new_pair();
        *unparker.waker.lock() = Some(waker);
        Self { waiter, unparker: unparker.clone() }
    }

    /// Sleeps until woken, or not at all if that has happened since the last sleep.
    pub(crate) fn park(&self) {
        self.unparker.sleeps.fetch_add(1, Ordering::Relaxed);
        self.unparker.is_asleep.store(true, Ordering::Relaxed);
        self.waiter.wait();
        self.unparker.is_asleep.store(false, Ordering::Relaxed);
    }
}

impl Drop for Parker {
    fn drop(&mut self) {
        // Dropped after the lock is free.
        let _waker = self.unparker.waker.lock().take();
    }
}
