//! Whether and how an operation on a file waits.
//!
//! Owns: `O_NONBLOCK`.   Not here: the wait itself (`pollee::wait`), what is tried (the callers).
//! Why: decision 0062.

use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Recheck, WaitTarget, WakeMode};
use rules::abi::errno::Errno;
use rules::abi::open::AccessMode;

use super::caller::{Caller, Restart};
use crate::core::event::Pollux;
use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::Timeout;
use crate::core::file::traits::{File, WaitPolicy};
use crate::machine::clock;

/// An operation that waits until a file is ready for it.
#[must_use = "nothing is tried before `run`"]
pub(crate) struct Blocking<'a, C> {
    cx: &'a C,
    file: &'a OpenFile,
    interest: Events,
    /// `None`: `O_NONBLOCK` and the file's wait policy decide.
    timeout: Option<Timeout<Duration>>,
    recheck: Recheck,
    /// How many bytes a read asks for; the file then chooses between the two rechecks.
    read_len: Option<usize>,
}

impl<'a, C: Caller> Blocking<'a, C> {
    /// Prepares an operation that waits for [`Events::READABLE`] or [`Events::WRITABLE`], unless the file has
    /// `O_NONBLOCK`.
    #[inline(always)]
    pub(crate) const fn new(cx: &'a C, file: &'a OpenFile, interest: Events) -> Self {
        Self { cx, file, interest, timeout: None, recheck: Recheck::Try, read_len: None }
    }

    /// Prepares a read of `len` bytes.
    #[inline(always)]
    pub(crate) const fn read(cx: &'a C, file: &'a OpenFile, len: usize) -> Self {
        Self { read_len: Some(len), ..Self::new(cx, file, Events::READABLE) }
    }

    /// Waits no longer than `timeout`, whatever `O_NONBLOCK` and the file's wait policy say.
    #[inline(always)]
    pub(crate) const fn timeout(self, timeout: Timeout<Duration>) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Chooses what follows the registration, as in [`WaitTarget`]; by default another try.
    #[inline(always)]
    pub(crate) const fn recheck(self, recheck: Recheck) -> Self {
        Self { recheck, ..self }
    }

    /// Tries `attempt` until it is ready; a read not even once if the readiness word alone says that it finds nothing.
    ///
    /// # Errors
    /// The operation did not happen. `EAGAIN`: it was not ready, and may not wait, or not for longer. `EINTR`: a
    /// signal came first. `ENOMEM`: no memory to wait with. Those of `attempt`.
    #[inline(always)]
    pub(crate) fn run<T>(self, mut attempt: impl FnMut() -> Poll<Result<T, Errno>>) -> Result<T, Errno> {
        if !self.finds_nothing()
            && let Poll::Ready(result) = attempt()
        {
            return result;
        }
        self.run_after_try(attempt)
    }

    /// Returns whether this is a read, and the readiness word alone says that it finds nothing.
    #[inline(always)]
    pub(crate) fn finds_nothing(&self) -> bool {
        self.read_len.is_some_and(|len| {
            self.file.is_known_unready(Events::READABLE) && self.file.file().reads_when_ready(len)
        })
    }

    /// As [`run`](Self::run), after the caller has tried once.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    #[inline(always)]
    pub(crate) fn run_after_try<T>(
        self,
        attempt: impl FnMut() -> Poll<Result<T, Errno>>,
    ) -> Result<T, Errno> {
        if self.timeout.is_none() && self.file.is_nonblocking() {
            return Err(Errno::EAGAIN);
        }
        self.wait(attempt)
    }

    #[cold]
    #[inline(never)]
    fn wait<T>(self, attempt: impl FnMut() -> Poll<Result<T, Errno>>) -> Result<T, Errno> {
        let Self { cx, file, interest, timeout, recheck, read_len } = self;
        let WaitPolicy { mode, limit } = file.file().wait_policy(interest);
        let deadline = match timeout {
            Some(timeout) => timeout.deadline()?,
            None => limit.map(|limit| clock::now() + limit),
        };
        let recheck = match read_len {
            Some(len) if file.file().reads_when_ready(len) => Recheck::Readiness,
            _ => recheck,
        };
        // A file that cannot be watched never becomes ready.
        let file = file.pollable().ok_or(Errno::EAGAIN)?;
        wait_until(cx, WaitTarget { file, interest, mode, recheck }, deadline, attempt)
    }
}

/// Tries `attempt` until it is ready, as [`Blocking::run`] does, and waits for changes of `target` rather than of a
/// descriptor's file.
///
/// # Errors
/// As [`Blocking::run`].
pub(crate) fn wait_for<T>(
    cx: &impl Caller,
    target: WaitTarget<'_, Pollux>,
    timeout: Timeout<Duration>,
    mut attempt: impl FnMut() -> Poll<Result<T, Errno>>,
) -> Result<T, Errno> {
    match attempt() {
        Poll::Ready(result) => result,
        Poll::Pending => wait_until(cx, target, timeout.deadline()?, attempt),
    }
}

/// Waits until open(2) may return `file`: until the other end of a FIFO is open. The description is made only after
/// that, so that it looks its pollable up on a file that has reached its final state.
///
/// # Errors
/// The file was not opened. `EINTR`: a signal came first. `ENOMEM`: no memory to wait with.
pub(crate) fn wait_for_open(cx: &impl Caller, file: &dyn File, access: AccessMode) -> Result<(), Errno> {
    let attempt = || file.finish_open().map(Ok);
    if attempt().is_ready() {
        return Ok(());
    }
    let interest = if access.reads() { Events::READABLE } else { Events::WRITABLE };
    let Some(file) = file.pollable() else { return Ok(()) };
    // One partner lets all waiters go on.
    let target = WaitTarget { file, interest, mode: WakeMode::All, recheck: Recheck::Try };
    wait_for(cx, target, Timeout::Never, attempt)
}

fn wait_until<T>(
    cx: &impl Caller,
    target: WaitTarget<'_, Pollux>,
    deadline: Option<Duration>,
    attempt: impl FnMut() -> Poll<Result<T, Errno>>,
) -> Result<T, Errno> {
    // signal(7): a socket call with a timeout fails with `EINTR` after any handler, and after a stop, too.
    if deadline.is_some() {
        cx.set_restart(Restart::Never);
    }
    pollee::wait_events_after_try(cx.sleeper(), target, deadline, attempt)?
}
