//! What a thread holds while it waits for many files: its places in their lists.
//!
//! Owns: registrations, which end when their holder is dropped.   Not here: sleeping (`wait`).

use alloc::vec::Vec;
use core::ops::Deref;

use crate::pollable::Pollable;
use crate::watcher::{NoMemory, Token, WakeMode, Watcher};
use crate::{Events, Host};

/// A task's registrations with many files, for select and poll.
///
/// Meant to be kept by the thread: handles and room are used again, so that the next sleep allocates nothing
/// and touches no reference count of the task.
///
/// The order of use: poll every file with no poller at all; only if none is ready, [`watch`](Self::watch) each
/// (and stop at the first that is ready by then), sleep, poll again, [`clear`](Self::clear).
pub struct Poller<H: Host, F>
where
    F: Deref<Target: Pollable<H>>,
{
    task: H::Task,
    spare: Vec<Watcher<H>>,
    watched: Vec<(F, Token)>,
}

impl<H: Host, F> Poller<H, F>
where
    F: Deref<Target: Pollable<H>>,
{
    /// A poller that wakes `task`.
    pub const fn new(task: H::Task) -> Self {
        Self { task, spare: Vec::new(), watched: Vec::new() }
    }

    /// Registers with `file` and then gives its readiness.
    ///
    /// # Errors
    /// [`NoMemory`]; this file is not watched, those before it are.
    pub fn watch(&mut self, file: F, interest: Events) -> Result<Events, NoMemory> {
        self.watched.try_reserve(1).map_err(|_| NoMemory)?;
        let watcher = self.spare.pop().unwrap_or_else(|| Watcher::Task(self.task.clone()));
        let (token, ready) = file.register(watcher, interest, WakeMode::All)?;
        self.watched.push((file, token));
        Ok(ready)
    }

    /// How many files are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.watched.len()
    }

    /// Whether no file is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// Ends every registration and keeps the room for the next.
    pub fn clear(&mut self) {
        while let Some((file, token)) = self.watched.pop() {
            if crate::fault::is_seeded(crate::fault::Fault::LeakWatcher) {
                continue;
            }
            let watcher = file.unregister(token);
            // Without room the handle is dropped, and cloned again when needed.
            if self.spare.try_reserve(1).is_ok() {
                self.spare.push(watcher);
            }
        }
    }
}

impl<H: Host, F> Drop for Poller<H, F>
where
    F: Deref<Target: Pollable<H>>,
{
    fn drop(&mut self) {
        self.clear();
    }
}
