//! The one loop in which a thread waits for a file: try, register, try again, sleep, unregister.
//!
//! Why: decision 0053, decision 0062.
//!
//! Owns: the loop, the registration that ends with it.   Not here: what is tried, `O_NONBLOCK`, how a thread sleeps (the kernel).
//!
//! # Why no wake is lost
//! ```text
//! waiter                             changer
//! register                           change; notify_events
//! try → Pending                      wake the registered watchers
//! sleep (at once over, if woken since the last sleep)
//! ```
//! A change before the registration is seen by the second try, or by the readiness that is looked at instead. A change
//! after it finds the watcher, and its wake, which sticks, ends the sleep.
//!
//! A thread that gives up may be chosen for an exclusive event at that moment. It looks once more after it has left.

use core::task::Poll;

use crate::pollable::Pollable;
use crate::watcher::{NoMemory, Token, WakeMode, Watcher};
use crate::{Count, Events, Host};

/// A thread, as far as waiting goes.
pub trait Sleep<H: Host> {
    /// A moment in time.
    type Deadline: Copy;

    /// The handle by which events wake this thread.
    fn task(&self) -> H::Task;

    /// Sleeps until this thread is woken, or not at all if it was woken since its last sleep; no longer than to
    /// `until`.
    fn sleep(&self, until: Option<Self::Deadline>) -> WakeReason;

    /// Whether there is a signal to be handled, or the thread is to die.
    fn is_interrupted(&self) -> bool;
}

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WakeReason {
    /// The thread was woken.
    Woken,
    /// The time is up.
    TimedOut,
}

/// Why a wait ended without the event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WaitError {
    /// A signal is to be handled.
    Interrupted,
    /// The time is up.
    TimedOut,
    /// There was no memory to register.
    NoMemory,
}

/// What to wait for.
pub struct WaitTarget<'a, H: Host> {
    /// The file whose changes may end the wait.
    pub file: &'a dyn Pollable<H>,
    /// The changes that may; errors and hang-ups always do.
    pub interest: Events,
    /// How many waiters one event wakes.
    pub mode: WakeMode,
    /// What follows the registration.
    pub recheck: Recheck,
}

/// How a thread that has registered finds out whether the event came before that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recheck {
    /// By another try.
    Try,
    /// By the file's readiness, mostly without a lock: for an operation that finds nothing while the file is not
    /// ready.
    Readiness,
}

/// Tries `attempt` until it is ready, sleeping in between; it is tried before the thread registers.
///
/// An event that has come beats a signal, and a signal beats the deadline.
///
/// # Errors
/// See [`WaitError`]. The last attempt was `Pending`.
pub fn wait_events<H: Host, S: Sleep<H>, T>(
    thread: &S,
    target: WaitTarget<'_, H>,
    deadline: Option<S::Deadline>,
    mut attempt: impl FnMut() -> Poll<T>,
) -> Result<T, WaitError> {
    if let Poll::Ready(value) = attempt() {
        return Ok(value);
    }
    wait_events_after_try(thread, target, deadline, attempt)
}

/// As [`wait_events`], without the try before the registration, which the caller has made.
///
/// # Errors
/// See [`WaitError`]. The last attempt was `Pending`.
pub fn wait_events_after_try<H: Host, S: Sleep<H>, T>(
    thread: &S,
    target: WaitTarget<'_, H>,
    deadline: Option<S::Deadline>,
    mut attempt: impl FnMut() -> Poll<T>,
) -> Result<T, WaitError> {
    let interest = target.interest | Events::ALWAYS;
    let registration = Registration::new(target.file, thread.task(), interest, target.mode)
        .map_err(|NoMemory| WaitError::NoMemory)?;
    let mut is_first = true;
    let looking = || {
        if core::mem::take(&mut is_first) {
            let may_succeed = target.recheck == Recheck::Try || !registration.ready().is_empty();
            return if may_succeed { attempt() } else { Poll::Pending };
        }
        // Mostly the event that the thread waited for is there.
        if let Poll::Ready(value) = attempt() {
            return Poll::Ready(value);
        }
        // Armed before the try: an event that the try does not see may choose this waiter.
        registration.rearm();
        attempt()
    };
    match sleep_between(thread, deadline, looking, || target.file.count(Count::SpuriousWake)) {
        Err(error) => registration.leave(attempt).ok_or(error),
        found => found,
    }
}

/// As [`wait_events`], for an `attempt` that registers by itself, with many files, the first time it finds nothing.
/// Wakes that find nothing are counted for `class`.
///
/// # Errors
/// See [`WaitError`]. The last attempt was `Pending`.
pub fn wait_many<H: Host, S: Sleep<H>, T>(
    thread: &S,
    class: H::Class,
    deadline: Option<S::Deadline>,
    attempt: impl FnMut() -> Poll<T>,
) -> Result<T, WaitError> {
    sleep_between(thread, deadline, attempt, || H::count(class, Count::SpuriousWake))
}

fn sleep_between<H: Host, S: Sleep<H>, T>(
    thread: &S,
    deadline: Option<S::Deadline>,
    mut attempt: impl FnMut() -> Poll<T>,
    count_spurious_wake: impl Fn(),
) -> Result<T, WaitError> {
    let mut reason = None;
    loop {
        if let Poll::Ready(value) = attempt() {
            return Ok(value);
        }
        if thread.is_interrupted() {
            return Err(WaitError::Interrupted);
        }
        match reason {
            Some(WakeReason::TimedOut) => return Err(WaitError::TimedOut),
            Some(WakeReason::Woken) => count_spurious_wake(),
            None => {}
        }
        reason = Some(thread.sleep(deadline));
    }
}

/// A task's registration with one file, for an operation that blocks.
pub struct Registration<'a, H: Host> {
    file: &'a dyn Pollable<H>,
    /// `None` only while it is being dropped.
    token: Option<Token>,
    ready: Events,
}

impl<'a, H: Host> Registration<'a, H> {
    /// Registers `task` with `file`. Before the task sleeps, its operation must be tried once more, or
    /// [`ready`](Self::ready) looked at.
    ///
    /// # Errors
    /// [`NoMemory`]; nothing was registered.
    pub fn new(
        file: &'a dyn Pollable<H>,
        task: H::Task,
        interest: Events,
        mode: WakeMode,
    ) -> Result<Self, NoMemory> {
        let (token, ready) = file.register(Watcher::Task(task), interest, mode)?;
        Ok(Self { file, token: Some(token), ready })
    }

    /// What the file was ready for just after the registration. For an operation that finds nothing where that is
    /// empty, it stands for the try: a change before it would be in it, and one after it wakes the task.
    #[must_use]
    pub const fn ready(&self) -> Events {
        self.ready
    }

    /// Makes an exclusive waiter eligible again: after each wake, before the try.
    pub fn rearm(&self) {
        if let Some(token) = &self.token {
            self.file.rearm(token);
        }
    }
}

impl<H: Host> Registration<'_, H> {
    /// Ends the registration of a task that gives up: one that was chosen for an event makes the last `attempt`.
    fn leave<T>(mut self, mut attempt: impl FnMut() -> Poll<T>) -> Option<T> {
        let mut found = None;
        let mut last_look = || {
            if let Poll::Ready(value) = attempt() {
                found = Some(value);
            }
        };
        let token = self.token.take()?;
        drop(self.file.source().leave(token, &mut last_look));
        found
    }
}

impl<H: Host> Drop for Registration<'_, H> {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            drop(self.file.unregister(token));
        }
    }
}
