//! What can be polled and watched: files, seen through one trait.
//!
//! A [`ReadinessSource`] is where readiness is kept and watchers are registered: a [`Locked`](crate::Locked) or a
//! [`ReadyList`](crate::ReadyList). A [`Pollable`] is a file as others see it. Most files show their source as it is;
//! an end of a pipe shows some of its events, an end of a terminal translates them.

use crate::watcher::{NoMemory, Token, WakeMode, Watcher};
use crate::word::ReadinessHeader;
use crate::{Count, Events, Host};

/// Where readiness is kept and watchers are registered.
pub trait ReadinessSource<H: Host> {
    /// The readiness word, for looks without a lock.
    fn header(&self) -> &ReadinessHeader<H>;

    /// The readiness, as far as `interest` asks: cached, or computed under the owner's lock.
    fn poll(&self, interest: Events) -> Events;

    /// Registers `watcher` and *then* gives the present readiness, so that no change falls between.
    ///
    /// # Errors
    /// [`NoMemory`]; the watcher was dropped.
    fn register(
        &self,
        watcher: Watcher<H>,
        interest: Events,
        mode: WakeMode,
    ) -> Result<(Token, Events), NoMemory>;

    /// Replaces the interest, and then gives the present readiness.
    fn set_interest(&self, token: &Token, interest: Events) -> Events;

    /// Makes an exclusive watcher eligible again, behind the others. To be called *before* the try whose
    /// failure leads back to sleep.
    fn rearm(&self, token: &Token);

    /// Ends the registration and gives the watcher back.
    ///
    /// If the watcher was chosen for an exclusive event and the file is still ready for its interest, the event is
    /// handed on to the next one, however the watcher leaves: by success, timeout or signal.
    fn unregister(&self, token: Token) -> Watcher<H> {
        self.leave(token, &mut || ())
    }

    /// As [`unregister`](Self::unregister), for a watcher that gives up. If it was chosen for an event since it was last
    /// armed, `last_look` is called once, after it has left and before the event is handed on: no other watcher may know
    /// of that event.
    fn leave(&self, token: Token, last_look: &mut dyn FnMut()) -> Watcher<H>;
}

/// A file that can be polled and watched.
///
/// An implementation names its source. One that shows only some of its source's events implements
/// [`source_interest`](Self::source_interest), [`show`](Self::show) and [`header`](Self::header) as well; the rest
/// follows.
///
/// Interests are taken as they are: a caller that wants [`Events::ALWAYS`] adds it.
pub trait Pollable<H: Host> {
    /// Where this file's readiness is kept.
    fn source(&self) -> &dyn ReadinessSource<H>;

    /// The source's events that answer for `interest`.
    #[inline]
    fn source_interest(&self, interest: Events) -> Events {
        interest
    }

    /// What this file shows of its source's `events`.
    #[inline]
    fn show(&self, events: Events) -> Events {
        events
    }

    /// The header of the source and the mask of its events that are this file's; `None` if [`show`](Self::show)
    /// does more than to mask.
    fn header(&self) -> Option<(&ReadinessHeader<H>, Events)> {
        Some((self.source().header(), Events::all()))
    }

    /// The readiness, as far as `interest` asks.
    fn poll(&self, interest: Events) -> Events {
        self.show(self.source().poll(self.source_interest(interest))) & interest
    }

    /// As [`ReadinessSource::register`].
    ///
    /// # Errors
    /// [`NoMemory`]; the watcher was dropped.
    fn register(
        &self,
        watcher: Watcher<H>,
        interest: Events,
        mode: WakeMode,
    ) -> Result<(Token, Events), NoMemory> {
        let (token, events) = self.source().register(watcher, self.source_interest(interest), mode)?;
        Ok((token, self.show(events) & interest))
    }

    /// As [`ReadinessSource::set_interest`].
    fn set_interest(&self, token: &Token, interest: Events) -> Events {
        self.show(self.source().set_interest(token, self.source_interest(interest))) & interest
    }

    /// As [`ReadinessSource::rearm`].
    fn rearm(&self, token: &Token) {
        self.source().rearm(token);
    }

    /// As [`ReadinessSource::unregister`].
    fn unregister(&self, token: Token) -> Watcher<H> {
        self.source().unregister(token)
    }

    /// Counts `what` for the class of this file.
    fn count(&self, what: Count) {
        self.source().header().count(what);
    }
}
