//! A solution of the exercise `port`: a wake is remembered under the monitor's mutex, so it sticks.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pollee::{Host, Hybrid, Lock, Sleep, Wake, WakeReason};

/// The kernel.
#[derive(Debug)]
pub enum Kernel {}

/// A lock.
#[derive(Debug)]
pub struct KernelLock<T>(Mutex<T>);

/// A thread, to be woken. Cloning it must not allocate.
#[derive(Clone, Debug, Default)]
pub struct Task(pub Arc<Monitor>);

/// What a thread sleeps by.
#[derive(Debug, Default)]
pub struct Monitor {
    /// Whether it was woken since its last sleep.
    pub is_woken: Mutex<bool>,
    /// What `notify` wakes.
    pub condition: Condvar,
}

impl Host for Kernel {
    type Policy = Hybrid;
    type OwnerLock<T: Send> = KernelLock<T>;
    type ListLock<T: Send> = KernelLock<T>;
    type ReadyLock<T: Send> = KernelLock<T>;
    type Task = Task;
    type Class = ();
}

impl<T: Send> Lock<T> for KernelLock<T> {
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

impl Wake for Task {
    fn wake(&self) -> bool {
        let mut is_woken = self.0.is_woken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = !core::mem::replace(&mut *is_woken, true);
        self.0.condition.notify_one();
        is_first
    }
}

impl Sleep<Kernel> for Task {
    type Deadline = Instant;

    fn task(&self) -> Self {
        self.clone()
    }

    fn sleep(&self, until: Option<Instant>) -> WakeReason {
        let mut is_woken = self.0.is_woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !core::mem::take(&mut *is_woken) {
            let Some(until) = until else {
                is_woken = self.0.condition.wait(is_woken).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return WakeReason::TimedOut;
            }
            is_woken =
                self.0.condition.wait_timeout(is_woken, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        WakeReason::Woken
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}
