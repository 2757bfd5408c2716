//! A host of threads and standard locks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pollee::{Events, Host, Lock, Mark, Marked, Taker, Wake};

/// Threads of the standard library.
pub(crate) struct Threads;

impl Host for Threads {
    type OwnerLock<T: Send> = StdLock<T>;
    type ListLock<T: Send> = StdLock<T>;
    type Task = Arc<Sleeper>;
    type Mark = Arc<Flag>;
    type Class = ();
}

pub(crate) struct StdLock<T>(Mutex<T>);

impl<T: Send> Lock<T> for StdLock<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.0)
    }
}

/// A place to sleep, with a sticky wake.
#[derive(Default)]
pub(crate) struct Sleeper {
    is_woken: Mutex<bool>,
    changed: Condvar,
}

impl Sleeper {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn wait(&self) {
        let mut is_woken = lock(&self.is_woken);
        while !std::mem::take(&mut *is_woken) {
            is_woken = self.changed.wait(is_woken).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the pending wake, if there is one.
    pub(crate) fn take_wake(&self) -> bool {
        std::mem::take(&mut *lock(&self.is_woken))
    }
}

impl Wake for Sleeper {
    fn wake(&self) -> bool {
        let mut is_woken = lock(&self.is_woken);
        self.changed.notify_one();
        !std::mem::replace(&mut *is_woken, true)
    }
}

/// A ready queue with one place, for which somebody may be waiting.
#[derive(Default)]
pub(crate) struct Flag {
    pub(crate) has_waiter: bool,
    pub(crate) marks: AtomicUsize,
    pub(crate) announcements: AtomicUsize,
}

impl Mark for Flag {
    fn mark(&self, _: Events) -> Marked {
        self.marks.fetch_add(1, Ordering::Relaxed);
        if self.has_waiter { Marked::Announce(Taker::Waits) } else { Marked::Quietly }
    }

    fn announce(&self) {
        self.announcements.fetch_add(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
