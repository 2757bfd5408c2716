//! A host whose locks and sleeps are the random scheduler's.

use std::marker::PhantomData;
use std::sync::Arc;

use pollee::{Host, Lock, Policy, Sleep, Wake, WakeReason};
use shuttle::sync::{Condvar, Mutex, MutexGuard};

/// A host with the policy `P`.
pub(crate) struct Shuttle<P>(PhantomData<P>);

impl<P: Policy> Host for Shuttle<P> {
    type Policy = P;
    type OwnerLock<T: Send> = ShuttleLock<T>;
    type ListLock<T: Send> = ShuttleLock<T>;
    type ReadyLock<T: Send> = ShuttleLock<T>;
    type Task = Arc<Sleeper>;
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

    pub(crate) fn is_woken(&self) -> bool {
        *self.is_woken.lock().unwrap()
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

/// A thread that is never interrupted and has all the time.
impl<P: Policy> Sleep<Shuttle<P>> for Arc<Sleeper> {
    type Deadline = ();

    fn task(&self) -> Self {
        Self::clone(self)
    }

    fn sleep(&self, _: Option<()>) -> WakeReason {
        self.wait();
        WakeReason::Woken
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}
