//! A host whose locks and sleeps are the model checker's.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::{Mutex, MutexGuard, Notify};
use pollee::{Host, Lock, Policy, Sleep, Wake, WakeReason};

/// A host with the policy `P`.
pub(crate) struct Model<P>(PhantomData<P>);

impl<P: Policy> Host for Model<P> {
    type Policy = P;
    type OwnerLock<T: Send> = ModelLock<T>;
    type ListLock<T: Send> = ModelLock<T>;
    type ReadyLock<T: Send> = ModelLock<T>;
    type Task = Arc<Sleeper>;
    type Class = ();
}

pub(crate) struct ModelLock<T>(Mutex<T>);

impl<T: Send> Lock<T> for ModelLock<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A thread of the model. The count is outside the model: it is read when all threads have ended.
pub(crate) struct Sleeper {
    notify: Notify,
    wakes: AtomicUsize,
}

impl Sleeper {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { notify: Notify::new(), wakes: AtomicUsize::new(0) })
    }

    pub(crate) fn wait(&self) {
        self.notify.wait();
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(Ordering::Relaxed)
    }
}

impl Wake for Sleeper {
    fn wake(&self) -> bool {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.notify.notify();
        true
    }
}

/// A thread that is never interrupted and has all the time.
impl<P: Policy> Sleep<Model<P>> for Arc<Sleeper> {
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
