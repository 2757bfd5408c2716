//! A kernel of threads and mutexes, for the exercises that do not write their own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

use pollee::{Host, Hybrid, Lock, Sleep, Wake, WakeReason};

/// The kernel.
#[derive(Debug)]
pub enum Kernel {}

/// A lock.
#[derive(Debug)]
pub struct StdLock<T>(Mutex<T>);

/// A thread that sleeps by `park`, whose wake sticks.
#[derive(Clone, Debug)]
pub struct Task(Thread);

impl Host for Kernel {
    type Policy = Hybrid;
    type OwnerLock<T: Send> = StdLock<T>;
    type ListLock<T: Send> = StdLock<T>;
    type ReadyLock<T: Send> = StdLock<T>;
    type Task = Task;
    type Class = ();
}

impl<T: Send> Lock<T> for StdLock<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    /// The calling thread.
    #[must_use]
    pub fn current() -> Self {
        Self(thread::current())
    }
}

impl Wake for Task {
    fn wake(&self) -> bool {
        self.0.unpark();
        true
    }
}

impl Sleep<Kernel> for Task {
    type Deadline = Instant;

    fn task(&self) -> Self {
        self.clone()
    }

    fn sleep(&self, until: Option<Instant>) -> WakeReason {
        match until {
            None => thread::park(),
            Some(until) => thread::park_timeout(until.saturating_duration_since(Instant::now())),
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            WakeReason::TimedOut
        } else {
            WakeReason::Woken
        }
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}
