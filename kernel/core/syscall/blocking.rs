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
use crate::core::event::Pollable;
use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::Timeout;
use crate::core::file::traits::{File, WaitPolicy};
use crate::machine::clock;

/// Tries `attempt` until it is ready; what it waits for is [`Events::READABLE`] or [`Events::WRITABLE`].
///
/// # Errors
/// `EAGAIN`: `O_NONBLOCK`, and it was not ready; or a socket's time is up. `EINTR`: a signal came first. `ENOMEM`: no memory to wait with.
/// Those of `attempt`.
#[inline(always)]
pub(crate) fn until_ready<T>(
    cx: &impl Caller,
    file: &OpenFile,
    waits_for: Events,
    mut attempt: impl FnMut() -> Poll<Result<T, Errno>>,
) -> Result<T, Errno> {
    match attempt() {
        Poll::Ready(result) => result,
        Poll::Pending => after_a_try(cx, file, waits_for, attempt),
    }
}

/// As [`until_ready`], after the caller has tried once, where it costs less than here.
///
/// # Errors
/// As [`until_ready`].
#[cold]
pub(crate) fn after_a_try<T>(
    cx: &impl Caller,
    file: &OpenFile,
    waits_for: Events,
    attempt: impl FnMut() -> Poll<Result<T, Errno>>,
) -> Result<T, Errno> {
    if file.is_nonblocking() {
        return Err(Errno::EAGAIN);
    }
    wait(cx, file, (waits_for, Recheck::Try), None, attempt)
}

/// Whether it is known without a try that a read of `len` bytes would find nothing.
#[inline]
pub(crate) fn read_would_block(file: &OpenFile, len: usize) -> bool {
    file.is_known_unready(Events::READABLE) && file.file().reads_when_ready(len)
}

/// Waits until a read of `len` bytes that has found nothing, by a [look](read_would_block) or a try, finds something.
///
/// # Errors
/// As [`until_ready`].
#[cold]
pub(crate) fn until_read<T>(
    cx: &impl Caller,
    file: &OpenFile,
    len: usize,
    attempt: impl FnMut() -> Poll<Result<T, Errno>>,
) -> Result<T, Errno> {
    if file.is_nonblocking() {
        return Err(Errno::EAGAIN);
    }
    wait(cx, file, (Events::READABLE, check_of_read(file, len)), None, attempt)
}

/// How a read that has registered finds out whether it was too late.
pub(crate) fn check_of_read(file: &OpenFile, len: usize) -> Recheck {
    if file.file().reads_when_ready(len) { Recheck::Readiness } else { Recheck::Try }
}

/// As [`until_ready`], for no longer than until `limit`, whatever `O_NONBLOCK` says; `recheck` as in [`WaitTarget`].
///
/// # Errors
/// `EAGAIN`: the time is up. `EINTR`: a signal came first. `ENOMEM`: no memory to wait with. Those of `attempt`.
pub(crate) fn within<T>(
    cx: &impl Caller,
    file: &OpenFile,
    (waits_for, recheck): (Events, Recheck),
    limit: Timeout<Duration>,
    mut attempt: impl FnMut() -> Poll<Result<T, Errno>>,
) -> Result<T, Errno> {
    match attempt() {
        Poll::Ready(result) => result,
        Poll::Pending => within_after_a_try(cx, file, (waits_for, recheck), limit, attempt),
    }
}

/// As [`within`], after the caller has tried once, or [knows](read_would_block) what comes of it.
///
/// # Errors
/// As [`within`].
pub(crate) fn within_after_a_try<T>(
    cx: &impl Caller,
    file: &OpenFile,
    how: (Events, Recheck),
    limit: Timeout<Duration>,
    attempt: impl FnMut() -> Poll<Result<T, Errno>>,
) -> Result<T, Errno> {
    let deadline = deadline(limit)?;
    wait(cx, file, how, Some(deadline), attempt)
}

/// As [`within`], waiting for changes of something else than the file.
///
/// # Errors
/// As [`within`].
pub(crate) fn until_changed<T>(
    cx: &impl Caller,
    (file, interest, mode): (&Pollable, Events, WakeMode),
    limit: Timeout<Duration>,
    mut attempt: impl FnMut() -> Poll<Result<T, Errno>>,
) -> Result<T, Errno> {
    if let Poll::Ready(result) = attempt() {
        return result;
    }
    let deadline = deadline(limit)?;
    limit_restarts(cx, deadline);
    let target = WaitTarget { file, interest, mode, recheck: Recheck::Try };
    pollee::wait_events_after_try(cx.sleeper(), target, deadline, attempt)?
}

/// signal(7): a call of a socket with a time limit fails with `EINTR` whatever handlers say, and after a stop, too.
fn limit_restarts(cx: &impl Caller, deadline: Option<Duration>) {
    if deadline.is_some() {
        cx.set_restart(Restart::Never);
    }
}

/// When patience ends.
///
/// # Errors
/// `EAGAIN`: there is none.
fn deadline(limit: Timeout<Duration>) -> Result<Option<Duration>, Errno> {
    match limit {
        Timeout::Now => Err(Errno::EAGAIN),
        Timeout::At(deadline) => Ok(Some(deadline)),
        Timeout::Never => Ok(None),
    }
}

/// Waits until open(2) may return `file`: until somebody has come to the other end of a FIFO. By then the description is
/// still to be made, so that it finds the file as it will stay.
///
/// # Errors
/// `EINTR`: a signal came first. `ENOMEM`: no memory to wait with.
pub(crate) fn wait_for_open(cx: &impl Caller, file: &dyn File, access: AccessMode) -> Result<(), Errno> {
    let attempt = || file.finish_open().map(Ok);
    if attempt().is_ready() {
        return Ok(());
    }
    let waits_for = if access.reads() { Events::READABLE } else { Events::WRITABLE };
    let Some(file) = file.pollable() else { return Ok(()) };
    // One partner suffices for all who wait for one.
    until_changed(cx, (file, waits_for, WakeMode::All), Timeout::Never, attempt)
}

/// Waits until `deadline`, or as long as the file's wait policy says.
#[inline(never)]
fn wait<T>(
    cx: &impl Caller,
    file: &OpenFile,
    (interest, recheck): (Events, Recheck),
    deadline: Option<Option<Duration>>,
    attempt: impl FnMut() -> Poll<Result<T, Errno>>,
) -> Result<T, Errno> {
    let WaitPolicy { mode, limit } = file.file().wait_policy(interest);
    let deadline = deadline.unwrap_or_else(|| limit.map(|limit| clock::now() + limit));
    // What is not ready and never changes would be waited for in vain.
    let file = file.pollable().ok_or(Errno::EAGAIN)?;
    limit_restarts(cx, deadline);
    let target = WaitTarget { file, interest, mode, recheck };
    pollee::wait_events_after_try(cx.sleeper(), target, deadline, attempt)?
}
