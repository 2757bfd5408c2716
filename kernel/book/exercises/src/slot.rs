//! Exercise: write a new pollable file in 60 lines.
//!
//! A slot holds one message. `put` blocks while it is full, `take` while it is empty. A full slot is readable, an empty
//! one writable. Each `put` is an event for edge-triggered watchers. One message wakes one of several takers.

use std::task::Poll;

use pollee::{Events, Locked, Readiness};

use crate::host::Kernel;

/// What the lock guards.
#[derive(Debug, Default)]
pub struct State(pub Option<u64>);

impl Readiness for State {
    fn readiness(&self) -> Events {
        todo!("which events are ready, as a function of the state alone")
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
        todo!("change the state through `self.0.lock()`; say that an event happened: {message}")
    }

    /// Takes the message, if there is one. Never sleeps.
    pub fn try_take(&self) -> Poll<u64> {
        todo!("as `try_put`")
    }

    /// Puts `message` into the slot; sleeps while it is full.
    pub fn put(&self, message: u64) {
        todo!("`pollee::wait_events` with `try_put`, for `Events::OUT`: {message}")
    }

    /// Takes the message; sleeps while there is none.
    #[must_use]
    pub fn take(&self) -> u64 {
        todo!("as `put`; how many takers should one message wake?")
    }
}
