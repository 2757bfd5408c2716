//! Changes that poll(2) tells of as `POLLPRI | POLLERR`: of the mounts, in `/proc/self/mounts` and `mountinfo`, and of the
//! machine's names, in `/proc/sys/kernel`.
//!
//! Owns: how often the thing changed, and how often it had when an open file told of it last. A poll tells of a change
//! once, so it changes the open file's state, and its readiness is in no word.
//! Not here: the texts (`linux/proc`).
//! Source: proc(5); Linux 6.1 fs/proc_namespace.c (`mounts_poll`), fs/namespace.c (`touch_mnt_namespace`), fs/proc/inode.c
//! (`proc_reg_poll`), fs/proc/proc_sysctl.c (`proc_sys_poll`), include/linux/poll.h (`DEFAULT_POLLMASK`).

use core::sync::atomic::{AtomicU64, Ordering};

use pollee::{Events, NoMemory, Readiness, ReadinessHeader, ReadinessSource, Token, WakeMode, Watcher};
use spin::Once;

use crate::core::event::class::Class;
use crate::core::event::{self, Pollux};

/// A thing that changes now and then.
pub(crate) struct Changes {
    count: AtomicU64,
    watchers: Once<event::Locked<Steady>>,
}

/// The readiness of a file of which nothing has to be told; its watchers are in this, too.
struct Steady;

impl Readiness for Steady {
    fn readiness(&self) -> Events {
        Events::READABLE
    }
}

impl Changes {
    /// Of something that has not changed yet.
    pub(crate) const fn new() -> Self {
        Self { count: AtomicU64::new(0), watchers: Once::new() }
    }

    /// Tells the open files of a change that is complete. No lock may be held.
    pub(crate) fn tell(&self) {
        // The count changes before watchers are looked for, and a watcher is registered before it compares the counts.
        self.count.fetch_add(1, Ordering::SeqCst);
        self.watchers().notify(Events::all());
    }

    fn watchers(&self) -> &event::Locked<Steady> {
        self.watchers.call_once(|| event::Locked::new(Class::Inode, Steady))
    }
}

/// Never changes.
static NOTHING: Changes = Changes::new();

/// What epoll(7) makes of a file.
#[derive(Clone, Copy)]
pub(crate) enum FileChanges {
    /// It refuses the file with `EPERM`, as those in `/proc/PID`.
    Refused,
    /// It takes the file, which is always ready for these events.
    Never(Events),
    /// It takes the file, which tells of these changes, and is ready for these events if there is none.
    Of(&'static Changes, Events),
}

impl FileChanges {
    /// Of a file that Linux's `proc_create` makes: always ready.
    pub(crate) const ORDINARY: Self = Self::Never(Events::READABLE.union(Events::WRITABLE));

    /// Of a list of the mounts.
    pub(crate) const fn of_mounts(changes: &'static Changes) -> Self {
        Self::Of(changes, Events::READABLE)
    }

    /// Of a parameter that changes.
    pub(crate) const fn of_parameter(changes: &'static Changes) -> Self {
        Self::Of(changes, Events::READABLE.union(Events::WRITABLE))
    }

    /// Watches it from an open file; `None`: it cannot be watched.
    pub(crate) fn watch(self) -> Option<WatchedFile> {
        let (changes, steady) = match self {
            Self::Refused => return None,
            Self::Never(steady) => (&NOTHING, steady),
            Self::Of(changes, steady) => (changes, steady),
        };
        Some(WatchedFile { changes, steady, told: AtomicU64::new(changes.count.load(Ordering::SeqCst)) })
    }
}

/// What an open file shows to poll(2).
pub(crate) struct WatchedFile {
    changes: &'static Changes,
    steady: Events,
    /// The count of changes that was told last.
    told: AtomicU64,
}

impl WatchedFile {
    fn tell(&self) -> Events {
        let count = self.changes.count.load(Ordering::SeqCst);
        let has_news = self.told.swap(count, Ordering::Relaxed) != count;
        if has_news { Events::READABLE | Events::PRI | Events::ERR } else { self.steady }
    }
}

impl pollee::Pollable<Pollux> for WatchedFile {
    fn source(&self) -> &dyn ReadinessSource<Pollux> {
        self.changes.watchers()
    }

    fn header(&self) -> Option<(&ReadinessHeader<Pollux>, Events)> {
        None
    }

    fn poll(&self, interest: Events) -> Events {
        self.tell() & interest
    }

    fn register(
        &self,
        watcher: Watcher<Pollux>,
        interest: Events,
        mode: WakeMode,
    ) -> Result<(Token, Events), NoMemory> {
        let (token, _) = self.source().register(watcher, interest, mode)?;
        Ok((token, self.tell() & interest))
    }

    fn set_interest(&self, token: &Token, interest: Events) -> Events {
        self.source().set_interest(token, interest);
        self.tell() & interest
    }
}
