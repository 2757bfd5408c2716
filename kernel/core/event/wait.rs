//! The one place where a thread waits for a file: try, register, try again, sleep, unregister.
//!
//! Owns: the loop.   Not here: what is tried, `O_NONBLOCK` (`syscall`); how a thread sleeps (`task`).
//!
//! # Why no wake is lost
//! ```text
//! waiter                             changer
//! register                           change; publish
//! try → Pending                      wake whoever is registered
//! sleep (at once over, if woken since the last sleep)
//! ```
//! A change before the registration is seen by the second try, or by the readiness that is looked at instead. A change
//! after it finds the watcher, and its wake, which sticks, ends the sleep.
//!
//! Why: decision 0053, decision 0062.

use core::task::Poll;

use pollee::{Count, Events, Share, Waiting};
use rules::abi::errno::Errno;

use super::class::{self, Class};
use super::{Task, Watch};

/// A thread, as far as waiting goes; `task` implements it.
pub(crate) trait Sleep {
    /// A moment in time.
    type Deadline: Copy;

    /// The handle by which events wake this thread.
    fn task(&self) -> Task;

    /// Sleeps until somebody wakes this thread, or it was woken since its last sleep, or `until` is reached.
    fn sleep(&self, until: Option<Self::Deadline>) -> Wake;

    /// Whether there is a signal to be handled, or the thread is to die.
    fn is_interrupted(&self) -> bool;
}

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wake {
    /// Somebody called.
    Called,
    /// The time is up.
    TimedOut,
}

/// Why waiting ended without the event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    /// A signal is to be handled.
    Interrupted,
    /// The time is up.
    TimedOut,
    /// There was no memory to register.
    NoMemory,
}

impl From<Stop> for Errno {
    /// What a blocking operation without a special rule for timeouts returns.
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Interrupted => Self::EINTR,
            Stop::TimedOut => Self::EAGAIN,
            Stop::NoMemory => Self::ENOMEM,
        }
    }
}

/// What to wait for.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The file whose changes may end the wait.
    pub(crate) file: &'a Watch,
    /// The changes that may; errors and hang-ups always do.
    pub(crate) interest: Events,
    /// Whether one event suffices for one waiter only.
    pub(crate) share: Share,
    /// What follows the registration.
    pub(crate) check: Check,
}

/// How a thread that has registered finds out whether it was too late.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Check {
    /// By another try.
    Try,
    /// By the file's readiness, mostly without a lock: where a try would find nothing as long as the file is not
    /// ready.
    Readiness,
}

/// Tries `attempt` until it is ready, sleeping in between; it is tried before the thread registers.
///
/// An event that has come beats a signal, and a signal beats the deadline.
///
/// # Errors
/// See [`Stop`]. The last attempt was `Pending`.
pub(crate) fn until<S: Sleep, T>(
    thread: &S,
    source: Source<'_>,
    deadline: Option<S::Deadline>,
    mut attempt: impl FnMut() -> Poll<T>,
) -> Result<T, Stop> {
    if let Poll::Ready(value) = attempt() {
        return Ok(value);
    }
    registered(thread, source, deadline, attempt)
}

/// As [`until`], without the try before the registration, which the caller has made.
///
/// # Errors
/// See [`Stop`]. The last attempt was `Pending`.
pub(crate) fn registered<S: Sleep, T>(
    thread: &S,
    source: Source<'_>,
    deadline: Option<S::Deadline>,
    mut attempt: impl FnMut() -> Poll<T>,
) -> Result<T, Stop> {
    let interest = source.interest | Events::ALWAYS;
    let waiting = Waiting::new(source.file, thread.task(), interest, source.share)
        .map_err(|pollee::NoMemory| Stop::NoMemory)?;
    let mut is_first = true;
    again(
        thread,
        deadline,
        || {
            if core::mem::take(&mut is_first) {
                let is_late = source.check == Check::Try || !waiting.ready().is_empty();
                return if is_late { attempt() } else { Poll::Pending };
            }
            // Mostly the wake was meant for this thread, and what it waited for is there.
            if let Poll::Ready(value) = attempt() {
                return Poll::Ready(value);
            }
            // Armed before the try: an event that the try does not see may choose this waiter.
            waiting.rearm();
            attempt()
        },
        || source.file.count(Count::VainWake),
    )
}

/// As [`until`], for an attempt that registers by itself, with many files, the first time it finds nothing.
///
/// # Errors
/// See [`Stop`]. The last attempt was `Pending`.
pub(crate) fn many<S: Sleep, T>(
    thread: &S,
    deadline: Option<S::Deadline>,
    attempt: impl FnMut() -> Poll<T>,
) -> Result<T, Stop> {
    again(thread, deadline, attempt, || {
        class::count(Class::PollSet, Count::VainWake);
    })
}

fn again<S: Sleep, T>(
    thread: &S,
    deadline: Option<S::Deadline>,
    mut attempt: impl FnMut() -> Poll<T>,
    count_vain_wake: impl Fn(),
) -> Result<T, Stop> {
    let mut wake = None;
    loop {
        if let Poll::Ready(value) = attempt() {
            return Ok(value);
        }
        if thread.is_interrupted() {
            return Err(Stop::Interrupted);
        }
        match wake {
            Some(Wake::TimedOut) => return Err(Stop::TimedOut),
            Some(Wake::Called) => count_vain_wake(),
            None => {}
        }
        wake = Some(thread.sleep(deadline));
    }
}
