//! Kernel tasks, each of which sleeps until there is work for it.
//!
//! Not here: threads of programs (`linux/task`), deadlines (`clock/timer`).
//! Invariant: a wake-up after the last sleep ends the next sleep at once. A task that checks for work before each
//! sleep misses none.

use alloc::boxed::Box;
use alloc::sync::Arc;

use ostd::sync::{SpinLock, Waiter, Waker};
use ostd::task::{Task, TaskOptions};
use rules::abi::errno::Errno;
use rules::machine::scheduling::{Class, Entity, Manner};
use spin::Once;

/// Where a task keeps its entity while it is in no run queue. Interrupt handlers lock it.
pub(crate) type Seat = SpinLock<Option<Box<Entity<Arc<Task>>>>>;

/// What a kernel task's data are.
pub(crate) struct KernelTaskData {
    /// The entity, while the task sleeps.
    pub(crate) seat: Seat,
}

/// How soon a kernel task must run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Urgency {
    /// At once.
    Immediate,
    /// Before programs, but not at once: it would cost a switch for each piece of work.
    Soon,
    /// As programs do.
    Background,
}

impl Urgency {
    fn class(self) -> Class {
        match self {
            Self::Immediate => Class::fair(-20, Manner::Eager),
            Self::Soon => Class::fair(-20, Manner::Patient),
            Self::Background => Class::fair(0, Manner::Patient),
        }
    }
}

/// A kernel task, as those that give it work see it.
pub(crate) struct KernelTask {
    waker: Once<Arc<Waker>>,
    urgency: Urgency,
}

/// A kernel task, as its own code sees it.
pub(crate) struct Sleeper(Waiter);

impl KernelTask {
    /// Makes a task that does not run yet.
    pub(crate) const fn new(urgency: Urgency) -> Self {
        Self { waker: Once::new(), urgency }
    }

    /// Starts the task. Only the first call's `work` is woken.
    ///
    /// # Errors
    /// `ENOMEM`: there is no memory for a task.
    pub(crate) fn spawn(&'static self, work: impl FnOnce(&Sleeper) + Send + 'static) -> Result<(), Errno> {
        let run = move || {
            let (waiter, waker) = Waiter::new_pair();
            self.waker.call_once(|| waker);
            work(&Sleeper(waiter));
        };
        let data = KernelTaskData { seat: SpinLock::new(Some(Entity::new(self.urgency.class()))) };
        TaskOptions::new(run).data(data).spawn().map(|_| ()).map_err(|_| Errno::ENOMEM)
    }

    /// Ends the task's sleep, or its next one. A task that does not run yet checks for work when it starts.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.get() {
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
