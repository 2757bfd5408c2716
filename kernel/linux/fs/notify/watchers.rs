//! The watches of one file.
//!
//! Owns: the list, and which events somebody wants.   Not here: the watches of one instance (`group`).
//! Invariant: `interest` has every event that a watch in the list wants. A watch that has ended leaves the list soon,
//! and is told nothing more.
//! Source: Linux 6.1 fs/notify/mark.c, fs/notify/fsnotify.c (`fsnotify`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::linux::inotify::mask::{Happened, NameState, Request, WatchFlags};
use rules::linux::inotify::record::WatchNumber;
use rules::machine::fallible;

use super::group::{Group, Watch};
use crate::linux::fs::tmpfs::names::Name;

/// What happened.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) happened: Happened,
    /// The name in the watched directory.
    pub(crate) name: Option<&'a Name>,
    /// Whether that name leads to the file still.
    pub(crate) state: NameState,
    /// Joins two events.
    pub(crate) cookie: u32,
}

impl Default for Told<'_> {
    fn default() -> Self {
        Self { happened: Happened::empty(), name: None, state: NameState::Present, cookie: 0 }
    }
}

/// The watches of a file.
pub(crate) struct Watchers {
    /// The bits of [`Happened`]. Relaxed: whoever sees an old value acts before the change.
    interest: AtomicU32,
    watches: SpinLock<Vec<Arc<Watch>>>,
}

impl Default for Watchers {
    fn default() -> Self {
        Self { interest: AtomicU32::new(0), watches: SpinLock::new(Vec::new()) }
    }
}

impl Watchers {
    /// Tells those who want to know.
    pub(super) fn tell(&self, told: &Told<'_>) {
        if self.interest.load(Ordering::Relaxed) & told.happened.bits() == 0 {
            return;
        }
        let mut has_ended = false;
        // Not unlocked between two watches: the list could change, and one would not be told.
        for watch in self.watches.lock().iter() {
            has_ended |= watch.tell(told);
        }
        if has_ended {
            self.remove_ended();
        }
    }

    /// Changes the watch that `group` has of this file and returns its number; `None`: it has none.
    ///
    /// # Errors
    /// `EEXIST`: `IN_MASK_CREATE`.
    pub(super) fn update(&self, group: &Arc<Group>, request: Request) -> Result<Option<WatchNumber>, Errno> {
        let watches = self.watches.lock();
        let Some(watch) = watches.iter().find(|watch| watch.is_of(group)) else { return Ok(None) };
        if request.flags.contains(WatchFlags::MASK_CREATE) {
            return Err(Errno::EEXIST);
        }
        watch.update(request);
        self.note_interest(&watches);
        Ok(Some(watch.number()))
    }

    /// Adds a watch.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn add(&self, watch: &Arc<Watch>) -> Result<(), Errno> {
        let mut watches = self.watches.lock();
        fallible::reserve(&mut *watches, 1)?;
        watches.push(watch.clone());
        self.note_interest(&watches);
        Ok(())
    }

    /// Removes the watches that have ended, here and from their instances.
    pub(super) fn remove_ended(&self) {
        loop {
            let mut watches = self.watches.lock();
            let Some(at) = watches.iter().position(|watch| watch.has_ended()) else { return };
            let watch = watches.swap_remove(at);
            self.note_interest(&watches);
            drop(watches);
            watch.forget();
        }
    }

    /// Tells all watches of the `last` event, and ends them: the file is being dropped.
    pub(crate) fn end(&mut self, last: Happened) {
        for watch in core::mem::take(self.watches.get_mut()) {
            watch.tell(&Told { happened: last, ..Told::default() });
            watch.end();
            watch.forget();
        }
    }

    fn note_interest(&self, watches: &[Arc<Watch>]) {
        let interest = watches.iter().fold(Happened::empty(), |all, watch| all | watch.wanted().events());
        self.interest.store(interest.bits(), Ordering::Relaxed);
    }
}
