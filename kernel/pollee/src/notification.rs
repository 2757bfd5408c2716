//! A notification that is owed: which watchers are to be woken once the changer's locks are gone.

use crate::header::ReadinessHeader;
use crate::watchers::Watchers;
use crate::{Events, Host};

/// A notification that is owed. Delivered when dropped, which must not happen under a lock.
#[must_use]
pub struct Notification<'a, H: Host> {
    header: &'a ReadinessHeader<H>,
    watchers: &'a Watchers<H>,
    hint: Events,
    /// What the seeded fault writes too late.
    #[cfg(loom)]
    late: Option<Events>,
}

impl<'a, H: Host> Notification<'a, H> {
    #[inline]
    pub(crate) fn new(header: &'a ReadinessHeader<H>, watchers: &'a Watchers<H>, hint: Events) -> Self {
        Self {
            header,
            watchers,
            hint,
            #[cfg(loom)]
            late: None,
        }
    }

    /// Wakes the watchers now.
    pub fn deliver(self) {}

    pub(crate) fn header(&self) -> &'a ReadinessHeader<H> {
        self.header
    }

    pub(crate) fn set(&mut self, hint: Events) {
        self.hint = hint;
    }

    #[cfg(loom)]
    pub(crate) fn set_late(&mut self, after: Events) {
        self.late = Some(after);
    }

    /// Gives up the notification; the caller delivers the events in another way.
    pub(crate) fn give_up(mut self) -> Events {
        core::mem::take(&mut self.hint)
    }

    pub(crate) fn take(&mut self) -> Self {
        let hint = core::mem::take(&mut self.hint);
        Self {
            hint,
            #[cfg(loom)]
            late: self.late.take(),
            ..*self
        }
    }
}

impl<H: Host> Drop for Notification<'_, H> {
    #[inline]
    fn drop(&mut self) {
        #[cfg(loom)]
        if let Some(after) = self.late.take() {
            self.hint |= after & self.header.word.replace_late(after);
        }
        if !self.hint.is_empty() {
            self.watchers.notify(self.header, self.hint);
        }
    }
}
