//! Kernel tasks, each of which sleeps until there is work for it.
//!
//! Not here: threads of programs (`linux/task`), deadlines (`clock/timer`).
//! Invariant: a wake-up after the last sleep ends the next sleep at once. A task that checks for work before each
//! sleep misses none.

use alloc::sync::Arc;

use ostd::sync::{Waiter, Waker};
use ostd::task::TaskOptions;
use rules::abi::errno::Errno;
use spin::Once;

/// A kernel task, as those that give it work see it.
pub(crate) struct KernelTask(Once<Arc<Waker>>);

/// A kernel task, as its own code sees it.
pub(crate) struct Sleeper(Waiter);

impl KernelTask {
    /// Makes a task that does not run yet.
    pub(crate) const fn new() -> Self {
        Self(Once::new())
    }

    /// Starts the task. Only the first call's `work` is woken.
    ///
    /// # Errors
    /// `ENOMEM`: there is no memory for a task.
    pub(crate) fn spawn(&'static self, work: impl FnOnce(&Sleeper) + Send + 'static) -> Result<(), Errno> {
        let run = move || {
            let (waiter, waker) = Waiter::new_pair();
            self.0.call_once(|| waker);
            work(&Sleeper(waiter));
        };
        TaskOptions::new(run).spawn().map(|_| ()).map_err(|_| Errno::ENOMEM)
    }

    /// Ends the task's sleep, or its next one. A task that does not run yet checks for work when it starts.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.0.get() {
            waker.wake_up();
        }
    }
}

impl Sleeper {
    /// Sleeps until woken, or not at all if a wake-up came since the last sleep.
    pub(crate) fn sleep(&self) {
        self.0.wait();
    }

    /// Returns what ends the sleep.
    pub(crate) fn waker(&self) -> Arc<Waker> {
        self.0.waker()
    }
}
