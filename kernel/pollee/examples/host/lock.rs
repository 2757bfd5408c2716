//! A host of standard locks: all that the crate asks of a kernel but its tasks.

use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pollee::{Host, Hybrid, Lock, Wake};

/// A kernel with tasks `T`.
pub(crate) struct Std<T>(PhantomData<fn() -> T>);

impl<T: Wake + Clone + 'static> Host for Std<T> {
    type Policy = Hybrid;
    type OwnerLock<S: Send> = StdLock<S>;
    type ListLock<S: Send> = StdLock<S>;
    type ReadyLock<S: Send> = StdLock<S>;
    type Task = T;
    type Class = ();
}

/// A lock; a kernel has a spin lock here.
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
