//! sigsuspend(2), pause(2), sigtimedwait(2).
//!
//! Source: Linux 6.1 kernel/signal.c (`sigsuspend`, `do_sigtimedwait`).

use pollee::{Sleep, WakeReason};
use rules::abi::errno::Errno;

use super::context::{Caller, Context, SysResult};
use super::time;
use crate::core::syscall::caller::Restart;
use crate::core::syscall::mask;
use crate::linux::task::signal::dequeue;
use crate::linux::task::signal::pending::{INFO_WORDS, Info};
use crate::machine::clock;
use crate::machine::memory::user::UserPtr;
use rules::abi::signal::SigSet;

/// rt_sigsuspend(2).
///
/// # Errors
/// `EINTR`: always, after a handler ran. `EINVAL`: wrong size of the set. `EFAULT`.
pub(crate) fn rt_sigsuspend(cx: &mut Context<'_>, at: usize, size: usize) -> SysResult {
    mask::check_set_size(size)?;
    let mask = SigSet::mask(UserPtr::<u64>::new(cx.space(), at).read()?);
    cx.with_mask(Some(mask), pause)
}

/// pause(2).
///
/// # Errors
/// `EINTR`: always, after a handler ran.
pub(crate) fn pause(cx: &mut Context<'_>) -> SysResult {
    cx.restart.set(Restart::WithoutHandler);
    while !cx.sleeper().is_interrupted() {
        cx.sleeper().sleep(None);
    }
    Err(Errno::EINTR)
}

/// rt_sigtimedwait(2).
///
/// # Errors
/// `EAGAIN`: none of the signals came in time. `EINTR`: another signal came. `EINVAL`: wrong size of the set, or an
/// invalid timeout. `EFAULT`.
pub(crate) fn rt_sigtimedwait(
    cx: &mut Context<'_>,
    set: usize,
    info: usize,
    timeout: usize,
    size: usize,
) -> SysResult {
    mask::check_set_size(size)?;
    let wanted = SigSet::mask(UserPtr::<u64>::new(cx.space(), set).read()?);
    let deadline = match timeout {
        0 => None,
        at => Some(clock::now().saturating_add(time::read_timespec(cx.space(), at)?)),
    };
    cx.restart.set(Restart::Never);
    let thread = cx.sleeper();
    let take = || dequeue::take(thread, wanted).map(|(info, _)| info);
    // The thread blocks none of them while it waits, so that senders choose this thread; but those that it blocked are
    // kept even if they are ignored.
    let before = {
        let mut own = thread.signals.lock();
        let before = own.mask;
        own.mask = before.without(wanted);
        own.awaited = before.intersection(wanted);
        before
    };
    let mut is_over = false;
    let found = loop {
        if let Some(found) = take() {
            break Ok(found);
        }
        if is_over {
            break Err(Errno::EAGAIN);
        }
        if thread.is_interrupted() {
            // One of the signals may have come after the check.
            break take().ok_or(Errno::EINTR);
        }
        is_over = thread.sleep(deadline) == WakeReason::TimedOut;
    };
    {
        let mut own = thread.signals.lock();
        own.mask = before;
        own.awaited = SigSet::EMPTY;
    }
    let found = found?;
    write_info(cx, found, info)
}

fn write_info(cx: &Context<'_>, found: Info, at: usize) -> SysResult {
    if at != 0 {
        UserPtr::<[u64; INFO_WORDS]>::new(cx.space(), at).write(&found.to_words())?;
    }
    Ok(usize::from(found.signal.number()))
}
