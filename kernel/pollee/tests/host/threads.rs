//! A host of threads and standard locks.

use std::marker::PhantomData;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pollee::{Host, Lock, Policy, Wake};

/// Threads of the standard library, with the policy `P`.
pub(crate) struct Threads<P>(PhantomData<P>);

impl<P: Policy> Host for Threads<P> {
    type Policy = P;
    type OwnerLock<T: Send> = StdLock<T>;
    type ListLock<T: Send> = StdLock<T>;
    type ReadyLock<T: Send> = StdLock<T>;
    type Task = Arc<Sleeper>;
    type Class = ();
}

pub(crate) struct StdLock<T>(Mutex<T>);

impl<T> StdLock<T> {
    pub(crate) const fn with(value: T) -> Self {
        Self(Mutex::new(value))
    }
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
