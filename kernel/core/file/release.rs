//! The observers of an open file description's release.
//!
//! Owns: the list of observers of one description.   Not here: what an observer does (an epoll instance drops its
//! items).
//! Invariant: no observer is listed twice. Dropped observers leave the list at the next addition, so the list stays
//! short on a description that outlives many epoll instances.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

use ostd::sync::SpinLock;
use rules::abi::errno::Errno;
use rules::machine::fallible;

use super::description::DescriptionId;

/// An observer that keeps state about an open file description without keeping it open.
pub(crate) trait ReleaseObserver: Any + Send + Sync {
    /// Forgets the description, which is being dropped. Called in task context with no lock held; its file still
    /// exists.
    fn released(&self, description: DescriptionId);
}

/// The observers of one description.
pub(super) struct Observers(SpinLock<Vec<Weak<dyn ReleaseObserver>>>);

impl Observers {
    pub(super) const fn new() -> Self {
        Self(SpinLock::new(Vec::new()))
    }

    pub(super) fn add(&self, observer: &Arc<dyn ReleaseObserver>) -> Result<(), Errno> {
        let observer = Arc::downgrade(observer);
        let mut observers = self.0.lock();
        if observers.iter().any(|known| known.ptr_eq(&observer)) {
            return Ok(());
        }
        observers.retain(|known| known.strong_count() > 0);
        fallible::push(&mut observers, observer)
    }

    /// Returns the observers that still exist.
    pub(super) fn all(&self) -> Result<Vec<Arc<dyn ReleaseObserver>>, Errno> {
        let observers = fallible::collect(self.0.lock().iter().cloned())?;
        fallible::collect(observers.iter().filter_map(Weak::upgrade))
    }

    pub(super) fn notify(&self, description: DescriptionId) {
        // No observer can be added: the description is being dropped.
        let observers = core::mem::take(&mut *self.0.lock());
        for observer in observers.iter().filter_map(Weak::upgrade) {
            observer.released(description);
        }
    }
}
