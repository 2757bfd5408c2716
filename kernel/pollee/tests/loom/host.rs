//! A host whose locks and sleeps are the model checker's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::{Mutex, MutexGuard, Notify};
use pollee::{Events, Host, Lock, Mark, Marked, Wake};

pub(crate) struct Model;

impl Host for Model {
    type OwnerLock<T: Send> = ModelLock<T>;
    type ListLock<T: Send> = ModelLock<T>;
    type Task = Arc<Sleeper>;
    type Mark = NoMark;
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

/// Ready queues are not part of these models.
#[derive(Clone)]
pub(crate) enum NoMark {}

impl Mark for NoMark {
    fn mark(&self, _: Events) -> Marked {
        match *self {}
    }

    fn announce(&self) {
        match *self {}
    }
}
