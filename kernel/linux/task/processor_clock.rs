//! Clocks of processor time: of a process or a thread, also of another one.
//!
//! Owns: what such a clock counts, and who waits for one.   Not here: the time itself (`usage`), timers (`timer`).
//! Whoever waits for a process's time is notified after each tick of the process.
//! Source: clock_getcpuclockid(3); Linux 6.1 kernel/time/posix-cpu-timers.c (`pid_for_clock`, `do_cpu_nanosleep`).

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use ostd::sync::SpinLock;
use pollee::Wake as _;
use rules::abi::errno::Errno;
use rules::machine::fallible;

use super::process::Process;
use super::thread::Thread;
use super::usage::Usage;
use crate::core::event::parker::Unparker;

/// A clock of processor time. It keeps nobody alive.
#[derive(Clone, Debug)]
pub(crate) struct ProcessorClock {
    owner: Owner,
    share: Share,
}

#[derive(Clone, Debug)]
enum Owner {
    Process(Weak<Process>),
    Thread(Weak<Thread>),
}

/// The part of the time that a clock counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Share {
    /// In user mode.
    User,
    /// In user mode and in the kernel.
    All,
}

impl ProcessorClock {
    /// The clock of a process.
    pub(crate) fn of_process(process: &Arc<Process>, share: Share) -> Self {
        Self { owner: Owner::Process(Arc::downgrade(process)), share }
    }

    /// The clock of a thread.
    pub(crate) fn of_thread(thread: &Arc<Thread>, share: Share) -> Self {
        Self { owner: Owner::Thread(Arc::downgrade(thread)), share }
    }

    /// Returns the time; `None` once the process or the thread is gone.
    pub(crate) fn read(&self) -> Option<Duration> {
        self.read_knowing(None)
    }

    /// Returns the time, given the usage of one process: to add up the usage of many threads costs time.
    pub(crate) fn read_knowing(&self, known: Option<(&Arc<Process>, Usage)>) -> Option<Duration> {
        let usage = match &self.owner {
            Owner::Thread(thread) => thread.upgrade()?.usage(),
            Owner::Process(process) => match known {
                Some((known, usage)) if core::ptr::eq(Arc::as_ptr(known), process.as_ptr()) => usage,
                _ => process.upgrade()?.usage(),
            },
        };
        Some(match self.share {
            Share::User => usage.user(),
            Share::All => usage.time,
        })
    }

    /// Returns whether it is the clock of `thread`.
    pub(crate) fn is_of(&self, thread: &Arc<Thread>) -> bool {
        matches!(&self.owner, Owner::Thread(owner) if core::ptr::eq(owner.as_ptr(), Arc::as_ptr(thread)))
    }

    /// Returns the process whose time passes with this clock's.
    pub(crate) fn process(&self) -> Option<Arc<Process>> {
        match &self.owner {
            Owner::Process(process) => process.upgrade(),
            Owner::Thread(thread) => thread.upgrade().map(|thread| thread.process().clone()),
        }
    }
}

/// Who waits for a process's time.
enum Watcher {
    /// Another process, which has timers of this time.
    Timers(Weak<Process>),
    /// A thread in clock_nanosleep(2).
    Sleeper(Arc<Unparker>),
}

/// Those who wait for the time of one process.
pub(crate) struct TimeWatchers {
    list: SpinLock<Vec<Watcher>>,
    /// A copy of "the list is not empty", read without the lock.
    is_watched: AtomicBool,
}

impl Default for TimeWatchers {
    fn default() -> Self {
        Self { list: SpinLock::new(Vec::new()), is_watched: AtomicBool::new(false) }
    }
}

impl TimeWatchers {
    /// Returns whether anybody waits. Called in interrupt context.
    pub(super) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    /// Has the timers of `owner`, another process, checked after each tick, as long as it has such timers.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn add_timers(&self, owner: &Arc<Process>) -> Result<(), Errno> {
        let is_same = |other: &Watcher| matches!(other, Watcher::Timers(other) if core::ptr::eq(other.as_ptr(), Arc::as_ptr(owner)));
        let mut list = self.list.lock();
        if !list.iter().any(is_same) {
            fallible::reserve(&mut *list, 1)?;
            list.push(Watcher::Timers(Arc::downgrade(owner)));
            self.is_watched.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Has a thread woken after each tick until [`remove_sleeper`](Self::remove_sleeper).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn add_sleeper(&self, thread: &Thread) -> Result<(), Errno> {
        let mut list = self.list.lock();
        fallible::reserve(&mut *list, 1)?;
        list.push(Watcher::Sleeper(thread.unparker().clone()));
        self.is_watched.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Undoes [`add_sleeper`](Self::add_sleeper).
    pub(crate) fn remove_sleeper(&self, thread: &Thread) {
        self.retain(
            |watcher| !matches!(watcher, Watcher::Sleeper(other) if Arc::ptr_eq(other, thread.unparker())),
        );
    }

    /// Wakes the sleepers, and calls `check` with each process that has timers of this time. Those for which it
    /// returns `false` are forgotten.
    pub(super) fn notify(&self, mut check: impl FnMut(&Arc<Process>) -> bool) {
        // The list is unlocked during each call. An entry that moves meanwhile is met after the next tick.
        for at in 0.. {
            let owner = match self.list.lock().get(at) {
                None => return,
                Some(Watcher::Sleeper(unparker)) => {
                    unparker.wake();
                    continue;
                }
                Some(Watcher::Timers(owner)) => owner.clone(),
            };
            if !owner.upgrade().is_some_and(|owner| check(&owner)) {
                self.retain(|watcher| !matches!(watcher, Watcher::Timers(other) if other.ptr_eq(&owner)));
            }
        }
    }

    fn retain(&self, keep: impl FnMut(&Watcher) -> bool) {
        let mut list = self.list.lock();
        list.retain(keep);
        self.is_watched.store(!list.is_empty(), Ordering::Relaxed);
    }
}
