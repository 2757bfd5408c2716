//! A signal mask for the time of one system call: ppoll(2), pselect(2), epoll_pwait(2).
//!
//! The mask is exchanged in one step with the wait: a signal that it lets through cannot come between the exchange and
//! the sleep without ending the sleep. Then the handler runs with the new mask, and its return restores the old one
//! (`linux/task/signal`).
//! Source: Linux 6.1 kernel/signal.c (`set_user_sigmask`, `restore_saved_sigmask_unless`).

use rules::abi::errno::Errno;
use rules::abi::signal::SigSet;

use super::context::Context;
use crate::core::syscall::caller::SysResult;
use crate::linux::task::signal;
use crate::linux::task::thread::Thread;

/// Performs `wait` with `mask`.
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

/// Signals that waited for another mask are to be looked at.
fn attend(thread: &Thread) {
    if signal::has_deliverable(thread) {
        thread.call_attention();
    }
}
