//! Watchers, which are registered with a file, and how many of them one event wakes.

use alloc::sync::Arc;
use core::fmt;

use crate::ready_list::ReadyListEntry;
use crate::{Events, Host, PersistentRegistration};

/// A watcher, notified when its file changes. A notification runs no code of the host but [`Wake`](crate::Wake) and
/// [`Observe`].
pub enum Watcher<H: Host> {
    /// A task that sleeps until the file is ready.
    Task(H::Task),
    /// An entry of a ready list, such as one item of an epoll instance.
    ReadyListEntry(ReadyListEntry<H>),
    /// A task that waits for this file among many, again and again.
    PersistentRegistration(Arc<PersistentRegistration<H>>),
    /// What is told of every event, such as signal-driven I/O.
    Observer(Arc<dyn Observe>),
}

/// An observer of a file's events.
pub trait Observe: Send + Sync {
    /// Called after `events` of the interest happened; the file was not ready for those that it has `gained`. It may be
    /// unregistered at the same time, and be called once more after that. No lock of this crate is held.
    fn observe(&self, events: Events, gained: Events);
}

/// How many of the watchers that wait for the same event are woken by it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WakeMode {
    /// All of them.
    All,
    /// One of those with this mode: each event lets only one of them go on.
    Exclusive,
    /// As [`Exclusive`](Self::Exclusive), and the next one is woken in any case when this one leaves while the file
    /// is ready: for a watcher that takes a part and leaves the rest, as `epoll_wait` does.
    Handoff,
}

/// A watcher's place in a file's list. Not `Clone`: unregistering consumes it.
///
/// It belongs to the file that gave it. Another file panics, or takes it for one of its own watchers; in neither case
/// is its list damaged.
#[derive(Debug)]
#[must_use]
pub struct Token {
    pub(crate) index: u32,
    pub(crate) generation: u16,
}

/// There was no memory for another watcher or entry; nothing was registered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoMemory;

impl<H: Host> fmt::Debug for Watcher<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task(_) => "Task",
            Self::ReadyListEntry(_) => "ReadyListEntry",
            Self::PersistentRegistration(_) => "PersistentRegistration",
            Self::Observer(_) => "Observer",
        })
    }
}
