//! The file of a description, as poll, select and blocking calls see it.
//!
//! Owns: the link from a description to its file's readiness, and the persistent registration.
//! Not here: how readiness is computed (`pollee`), the passes over many descriptions (`poll_set`).
//!
//! select(2) and poll(2) poll thousands of files. So a description looks its file's pollable up once, when it is
//! made, and most polls are one load of the readiness word, without a call.
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

/// A file with references to what answers its polls.
pub(super) struct PolledFile {
    pollability: Pollability,
    /// The header's events that are the file's.
    mask: Events,
    /// The file with its pollable, and with the pollable's header if that alone can answer a poll.
    file: Yoke<PollParts, Arc<dyn File>>,
    /// The registration of the first thread that waited for this file among many.
    registration: Once<Arc<event::PersistentRegistration>>,
}

type PollParts = (Option<&'static event::Pollable>, Option<&'static event::ReadinessHeader>);

/// What answers a poll.
#[derive(Clone, Copy)]
enum Pollability {
    /// Nothing, as if the file were not open: `O_PATH`.
    Closed,
    /// These events: the readiness of a file that cannot be watched never changes.
    Always(Events),
    /// The file's pollable.
    Watchable,
}

impl PolledFile {
    /// Wraps `file`; `is_path`: it was opened with `O_PATH`, and is not polled.
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

    /// Returns the file itself.
    #[inline]
    pub(super) fn get(&self) -> &Arc<dyn File> {
        self.file.backing_cart()
    }

    /// Ends the persistent registration. The description calls it once, when it is dropped.
    pub(super) fn end_registration(&self) {
        if let (Some(registration), Some(pollable)) = (self.registration.get(), self.pollable()) {
            registration.unregister(pollable);
        }
    }

    #[inline]
    fn pollable(&self) -> Option<&event::Pollable> {
        self.file.get().0
    }

    /// Returns the header of the readiness word, if it can answer a poll.
    #[inline]
    fn header(&self) -> Option<&event::ReadinessHeader> {
        self.file.get().1
    }
}

impl OpenFile {
    /// Returns the file's pollable; `None`: its readiness never changes.
    #[inline]
    pub(crate) fn pollable(&self) -> Option<&event::Pollable> {
        self.file.pollable()
    }

    /// Returns whether the readiness word alone says that neither an event of `interest` nor an error or a hang-up is
    /// ready.
    #[inline]
    pub(crate) fn is_known_unready(&self, interest: Events) -> bool {
        let known = self.file.header().and_then(event::ReadinessHeader::events);
        known.is_some_and(|events| !events.intersects(self.file.mask & (interest | Events::ALWAYS)))
    }

    /// Returns which events of `interest` are ready; `None` for `O_PATH`.
    #[inline]
    pub(crate) fn poll(&self, interest: Events) -> Option<Events> {
        match self.file.pollability {
            Pollability::Watchable => self.pollable().map(|pollable| pollable.poll(interest)),
            Pollability::Always(events) => Some(events & interest),
            Pollability::Closed => None,
        }
    }

    /// Polls one of many files as [`poll`](Self::poll) does, from the readiness word if that is cached; `hits` counts
    /// that.
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

    /// Returns whether the readiness can change.
    #[inline]
    pub(crate) const fn is_watchable(&self) -> bool {
        matches!(self.file.pollability, Pollability::Watchable)
    }

    /// Returns the pollable of a file that [can be watched](Self::is_watchable).
    pub(crate) fn watched(&self) -> &event::Pollable {
        #[expect(clippy::expect_used, reason = "`Pollability::Watchable` means that it is there")]
        self.pollable().expect("a file that can be watched")
    }

    /// Adds a file that [can be watched](Self::is_watchable) to a wait for many, and then polls it. `None`: its
    /// persistent registration belongs to another thread.
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

    /// Registers for this wait and later ones, and then polls. `None`: another thread registered first.
    #[cold]
    fn register(&self, epochs: &event::WaitEpochs, interest: Events) -> Result<Option<Events>, NoMemory> {
        let mut begun = None;
        self.file.registration.try_call_once(|| {
            let _grant = budget::grant(PAGE_SIZE).map_err(|_| NoMemory)?;
            let (registration, ready) =
                event::PersistentRegistration::register(self.watched(), epochs, interest)?;
            begun = Some(ready);
            Ok(registration)
        })?;
        Ok(begun)
    }
}
