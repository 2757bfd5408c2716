//! A host whose locks and sleeps are the random scheduler's.

use std::sync::Arc;

use pollee::{Host, Lock, Wake};
use shuttle::sync::{Condvar, Mutex, MutexGuard};

use crate::ready_queue::Place;

pub(crate) struct Shuttle;

impl Host for Shuttle {
    type OwnerLock<T: Send> = ShuttleLock<T>;
    type ListLock<T: Send> = ShuttleLock<T>;
    type Task = Arc<Sleeper>;
    type Mark = Place;
    type Class = ();
}

pub(crate) struct ShuttleLock<T>(Mutex<T>);

impl<T: Send> Lock<T> for ShuttleLock<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap()
    }
}

/// A thread that sleeps, with a wake that sticks.
pub(crate) struct Sleeper {
    is_woken: Mutex<bool>,
    changed: Condvar,
}

impl Sleeper {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { is_woken: Mutex::new(false), changed: Condvar::new() })
    }

    pub(crate) fn wait(&self) {
        let mut is_woken = self.is_woken.lock().unwrap();
        while !std::mem::take(&mut *is_woken) {
            is_woken = self.changed.wait(is_woken).unwrap();
        }
    }
}

impl Wake for Sleeper {
    fn wake(&self) -> bool {
        let mut is_woken = self.is_woken.lock().unwrap();
        self.changed.notify_one();
        !std::mem::replace(&mut *is_woken, true)
    }
}
