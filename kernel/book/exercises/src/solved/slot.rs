//! A solution of the exercise `slot`.

use std::task::Poll;

use pollee::{Events, Locked, Readiness, Recheck, WaitTarget, WakeMode, wait_events};

use crate::host::{Kernel, Task};

/// What the lock guards.
#[derive(Debug, Default)]
pub struct State(pub Option<u64>);

impl Readiness for State {
    fn readiness(&self) -> Events {
        if self.0.is_some() { Events::IN } else { Events::OUT }
    }
}

/// The file.
#[derive(Debug, Default)]
pub struct Slot(Locked<State, Kernel>);

impl Slot {
    /// Where the file can be polled and watched.
    #[must_use]
    pub fn pollable(&self) -> &Locked<State, Kernel> {
        &self.0
    }

    /// Puts `message` into the slot, if it is empty. Never sleeps.
    pub fn try_put(&self, message: u64) -> Poll<()> {
        let mut state = self.0.lock();
        if state.0.is_some() {
            return Poll::Pending;
        }
        state.0 = Some(message);
        state.raise(Events::IN);
        Poll::Ready(())
    }

    /// Takes the message, if there is one. Never sleeps.
    pub fn try_take(&self) -> Poll<u64> {
        self.0.lock().0.take().map_or(Poll::Pending, Poll::Ready)
    }

    /// Puts `message` into the slot; sleeps while it is full.
    pub fn put(&self, message: u64) {
        self.wait(Events::OUT, || self.try_put(message));
    }

    /// Takes the message; sleeps while there is none.
    #[must_use]
    pub fn take(&self) -> u64 {
        self.wait(Events::IN, || self.try_take())
    }

    fn wait<T>(&self, interest: Events, attempt: impl FnMut() -> Poll<T>) -> T {
        let (mode, recheck) = (WakeMode::Exclusive, Recheck::Try);
        let target = WaitTarget { file: &self.0, interest, mode, recheck };
        wait_events(&Task::current(), target, None, attempt).expect("memory to register")
    }
}
