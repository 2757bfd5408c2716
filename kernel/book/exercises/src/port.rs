//! Exercise: port the Pollee.
//!
//! Another kernel has spin locks without guards, and sleeps by a monitor: a mutex with a condition. Its wakes do not
//! stick: `notify` wakes whoever sleeps *now*. Write the glue that the crate `pollee` needs: a lock, a task, a sleep.
//! The lock may be a mutex, if the guard is right; the sleep is where wakes get lost.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
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
        todo!("wait for the lock")
    }
}

impl Wake for Task {
    fn wake(&self) -> bool {
        todo!("end the sleep, or the next one; say whether this is the first wake since the last sleep")
    }
}

impl Sleep<Kernel> for Task {
    type Deadline = Instant;

    fn task(&self) -> Self {
        self.clone()
    }

    fn sleep(&self, until: Option<Instant>) -> WakeReason {
        todo!("sleep until woken, no longer than to {until:?}; not at all if woken since the last sleep")
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}
