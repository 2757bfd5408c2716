//! What it takes to be watched.

use alloc::sync::Arc;
use core::fmt;

use crate::{Count, Events, Host, Standing};

/// Who is told when a watched file changes: a closed set, so that no foreign code runs in a notification.
pub enum Watcher<H: Host> {
    /// A task that sleeps.
    Task(H::Task),
    /// A place in a ready queue.
    Mark(H::Mark),
    /// A task that sleeps now and then.
    Standing(Arc<Standing<H>>),
}

/// How many of those who wait for the same event are told of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Share {
    /// Every one.
    All,
    /// One of those who say so: each event suffices for one of them only.
    One,
    /// As [`One`](Self::One), and the next is told in any case when this one leaves while the file is ready:
    /// for one who takes a part and leaves the rest, as `epoll_wait` does.
    Relay,
}

/// A watcher's place in a file's list. Not `Clone`: removing consumes it.
#[derive(Debug)]
#[must_use]
pub struct Token(pub(crate) u32);

/// There was no memory for another watcher; nothing was registered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoMemory;

/// A file that can be watched: [`Locked`](crate::Locked), or what delegates to one, perhaps with a mask.
///
/// Interests are taken as they are: a caller that wants [`Events::ALWAYS`] adds it, a file that is only one
/// end of an object takes the other end's events out.
pub trait Watch<H: Host> {
    /// Registers `watcher` and *then* gives the present readiness, so that no change falls between.
    ///
    /// # Errors
    /// [`NoMemory`]; the watcher was dropped.
    fn register(
        &self,
        watcher: Watcher<H>,
        interest: Events,
        share: Share,
    ) -> Result<(Token, Events), NoMemory>;

    /// Replaces the interest, and then gives the present readiness.
    fn set_interest(&self, token: &Token, interest: Events) -> Events;

    /// Makes an exclusive watcher eligible again, behind the others. To be called *before* the try whose
    /// failure leads back to sleep.
    fn rearm(&self, token: &Token);

    /// Ends the registration and gives the watcher back.
    ///
    /// If it was chosen for an exclusive event and the file is still ready for its interest, the next one is
    /// chosen: whatever the reason for leaving, success included, no event is lost with the one who leaves.
    fn unregister(&self, token: Token) -> Watcher<H>;

    /// Counts `what` for the class of this file.
    fn count(&self, what: Count);
}

impl<H: Host> fmt::Debug for Watcher<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task(_) => "Task",
            Self::Mark(_) => "Mark",
            Self::Standing(_) => "Standing",
        })
    }
}
