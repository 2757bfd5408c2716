//! Threads that sleep: `park` and `unpark` have a wake that sticks, as is needed.

use std::thread::{self, Thread};
use std::time::Instant;

use pollee::{Sleep, Wake, WakeReason};

use crate::lock::Std;

/// A thread.
#[derive(Clone)]
pub(crate) struct Sleeper(Thread);

impl Sleeper {
    /// The thread that calls.
    pub(crate) fn current() -> Self {
        Self(thread::current())
    }
}

impl Wake for Sleeper {
    fn wake(&self) -> bool {
        self.0.unpark();
        true
    }
}

impl Sleep<Std<Self>> for Sleeper {
    type Deadline = Instant;

    fn task(&self) -> Self {
        self.clone()
    }

    fn sleep(&self, until: Option<Instant>) -> WakeReason {
        match until {
            None => thread::park(),
            Some(until) => thread::park_timeout(until.saturating_duration_since(Instant::now())),
        }
        let is_late = until.is_some_and(|until| until <= Instant::now());
        if is_late { WakeReason::TimedOut } else { WakeReason::Woken }
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}
