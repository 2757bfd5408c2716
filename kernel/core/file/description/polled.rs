//! The file of a description, as poll, select and blocking calls see it.
//!
//! Owns: the way from a description to the file's readiness, and the registration that stays.
//! Not here: what readiness is (`pollee`), the passes over many descriptions (`poll_set`).
//!
//! select(2) and poll(2) ask thousands of files. So what a file lends for polling is looked up once, when the
//! description is made, and most polls are one load of the file's readiness word, without a call.
//! Why: decision 0054, decision 0055.

use alloc::sync::Arc;

use pollee::{Events, NoMemory};
use spin::Once;
use yoke::Yoke;

use super::super::traits::File;
use super::OpenFile;
use crate::core::event;
use crate::core::event::class::Hits;
use crate::machine::memory::budget;
use crate::machine::memory::layout::PAGE_SIZE;

/// A file and what it lends for polling.
pub(super) struct PolledFile {
    pollability: Pollability,
    /// Which of the header's events are the file's.
    mask: Events,
    /// The file with its pollable, and with the header of that where a look at it answers a poll.
    file: Yoke<PollParts, Arc<dyn File>>,
    /// For the first thread that waits for this file among many.
    registration: Once<Arc<event::PersistentRegistration>>,
}

type PollParts = (Option<&'static event::Pollable>, Option<&'static event::ReadinessHeader>);

/// Who answers a poll.
#[derive(Clone, Copy)]
enum Pollability {
    /// Nobody, as if it were not open: `O_PATH`.
    Closed,
    /// The description: a file that cannot be watched does not change.
    Always(Events),
    /// The file's pollable.
    Watchable,
}

impl PolledFile {
    /// Wraps `file`, or what is only its place in the tree.
    pub(super) fn new(file: Arc<dyn File>, is_path: bool) -> Self {
        let mut mask = Events::empty();
        let file: Yoke<PollParts, _> = Yoke::attach_to_cart(file, |file| {
            let pollable = file.pollable().filter(|_| !is_path);
            let header = pollable.and_then(|pollable| pollable.header()).map(|(header, events)| {
                mask = events;
                header
            });
            (pollable, header)
        });
        let pollability = match file.get() {
            _ if is_path => Pollability::Closed,
            (Some(_), _) => Pollability::Watchable,
            (None, _) => Pollability::Always(Events::READABLE | Events::WRITABLE),
        };
        Self { pollability, mask, file, registration: Once::new() }
    }

    /// The file itself.
    #[inline]
    pub(super) fn get(&self) -> &Arc<dyn File> {
        self.file.backing_cart()
    }

    /// Ends the registration that was kept for further waits. To be called once, when nobody waits any more.
    pub(super) fn end_registration(&self) {
        if let (Some(registration), Some(pollable)) = (self.registration.get(), self.pollable()) {
            registration.unregister(pollable);
        }
    }

    #[inline]
    fn pollable(&self) -> Option<&event::Pollable> {
        self.file.get().0
    }

    /// The readiness, if it is cached where it can be seen.
    #[inline]
    fn header(&self) -> Option<&event::ReadinessHeader> {
        self.file.get().1
    }
}

impl OpenFile {
    /// What to poll and to register with, of a file that may become ready or cease to be.
    #[inline]
    pub(crate) fn pollable(&self) -> Option<&event::Pollable> {
        self.file.pollable()
    }

    /// Whether the readiness word alone says that it is not ready for `interest`, and has neither failed nor ended.
    #[inline]
    pub(crate) fn is_known_unready(&self, interest: Events) -> bool {
        let known = self.file.header().and_then(event::ReadinessHeader::events);
        known.is_some_and(|events| !events.intersects(self.file.mask & (interest | Events::ALWAYS)))
    }

    /// What is ready, as far as `interest` asks; `None` if it is only a place in the tree.
    #[inline]
    pub(crate) fn poll(&self, interest: Events) -> Option<Events> {
        match self.file.pollability {
            Pollability::Watchable => self.pollable().map(|pollable| pollable.poll(interest)),
            Pollability::Always(events) => Some(events & interest),
            Pollability::Closed => None,
        }
    }

    /// As [`poll`](Self::poll), for one of many files: from the readiness word if it is cached there, which is then left
    /// to be counted in `hits`.
    #[inline]
    pub(crate) fn poll_cached(&self, interest: Events, hits: &mut Hits) -> Option<Events> {
        if let Some(header) = self.file.header()
            && let Some(events) = header.events()
        {
            hits.add(header.class());
            return Some(events & self.file.mask & interest);
        }
        self.poll(interest)
    }

    /// Whether it may become ready or cease to be.
    #[inline]
    pub(crate) const fn is_watchable(&self) -> bool {
        matches!(self.file.pollability, Pollability::Watchable)
    }

    /// What to register with, of a file that [can be watched](Self::is_watchable).
    pub(crate) fn watched(&self) -> &event::Pollable {
        #[expect(clippy::expect_used, reason = "`Pollability::Watchable` means that it is there")]
        self.pollable().expect("a file that can be watched")
    }

    /// Makes a file that [can be watched](Self::is_watchable) part of a wait for many, and then polls it. `None`: its
    /// persistent registration is another thread's.
    ///
    /// # Errors
    /// [`NoMemory`].
    #[inline]
    pub(crate) fn arm(
        &self,
        epochs: &event::WaitEpochs,
        interest: Events,
        hits: &mut Hits,
    ) -> Result<Option<Events>, NoMemory> {
        let Some(registration) = self.file.registration.get() else {
            return self.register(epochs, interest);
        };
        let is_armed = registration.join(|| self.watched(), epochs, interest);
        Ok(if is_armed { self.poll_cached(interest, hits) } else { None })
    }

    /// Registers for this wait and those after it, and then polls. `None`: another thread was quicker.
    #[cold]
    fn register(&self, epochs: &event::WaitEpochs, interest: Events) -> Result<Option<Events>, NoMemory> {
        let mut begun = None;
        self.file.registration.try_call_once(|| {
            budget::try_reserve(PAGE_SIZE).map_err(|_| NoMemory)?;
            let (registration, ready) =
                event::PersistentRegistration::register(self.watched(), epochs, interest)?;
            begun = Some(ready);
            Ok(registration)
        })?;
        Ok(begun)
    }
}
