//! Replaces the signal mask during one system call: ppoll(2), pselect(2), epoll_pwait(2).
//!
//! The mask is replaced atomically with the wait: a signal that it lets through ends the sleep even if it comes
//! between the replacement and the sleep. The handler then runs with the new mask, and its return restores the old one
//! (`linux/task/signal`).
//! Source: Linux 6.1 kernel/signal.c (`set_user_sigmask`, `restore_saved_sigmask_unless`).

use rules::abi::errno::Errno;
use rules::abi::signal::SigSet;

use super::context::Context;
use crate::core::syscall::caller::SysResult;
use crate::linux::task::signal;
use crate::linux::task::thread::Thread;

/// Runs `wait` with the signal mask `mask`.
///
/// # Errors
/// Those of `wait`.
pub(super) fn replaced<'a>(
    cx: &mut Context<'a>,
    mask: Option<SigSet>,
    wait: impl FnOnce(&mut Context<'a>) -> SysResult,
) -> SysResult {
    let Some(mask) = mask else {
        return wait(cx);
    };
    let thread = cx.thread();
    {
        let mut signals = thread.signals.lock();
        signals.saved_mask = Some(signals.mask);
        signals.mask = mask;
    }
    attend(thread);
    let result = wait(cx);
    if result != Err(Errno::EINTR) {
        let mut signals = thread.signals.lock();
        if let Some(saved) = signals.saved_mask.take() {
            signals.mask = saved;
        }
        drop(signals);
        attend(thread);
    }
    result
}

/// Makes the thread check for signals that the other mask let through.
fn attend(thread: &Thread) {
    if signal::has_deliverable(thread) {
        thread.call_attention();
    }
}
