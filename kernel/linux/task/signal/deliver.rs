//! Delivers signals on the way back to user mode.
//!
//! Source: signal(7); Linux 6.1 kernel/signal.c (`get_signal`), arch/x86/kernel/signal.c (`handle_signal`).

use core::time::Duration;

use ostd::arch::cpu::context::UserContext;

use super::super::oom::{self, Relief};
use super::super::process::ExitStatus;
use super::super::session;
use super::super::thread::{CurrentThread, Thread};
use super::pending::Info;
use super::{action, dequeue, frame, job, send};
use crate::core::syscall::caller::Restart;
use rules::abi::signal::{SigSet, Signal};

/// What the thread does after delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// Continues in user mode.
    Run,
    /// Ends its process.
    EndProcess(ExitStatus),
}

/// A system call that a signal interrupted before it had an effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted {
    /// Its number, which a restart puts back into the register.
    pub(crate) number: usize,
    /// Whether and how it is restarted.
    pub(crate) restart: Restart,
}

/// Delivers signals until a handler is set up or none is left.
///
/// `resume` receives the deadline of a system call that is restarted.
pub(crate) fn deliver(
    thread: &CurrentThread,
    context: &mut UserContext,
    interrupted: Option<Interrupted>,
    resume: &mut Option<Duration>,
) -> Next {
    let mut interrupted = interrupted;
    loop {
        job::wait_while_stopped(thread);
        if thread.is_dying() {
            return Next::Run;
        }
        let Some((info, continues)) = take(thread) else { break };
        let is_immune;
        let action = {
            let mut signals = thread.process().signals.lock();
            is_immune = thread.process().is_init() && !signals.is_vulnerable;
            let action = signals.actions.get(info.signal);
            if action.flags.contains(action::Flags::RESETHAND) && action.handler > action::IGNORE {
                signals.actions.set(info.signal, action::Action { handler: action::DEFAULT, ..action });
            }
            action
        };
        match action.handler {
            action::IGNORE => {}
            action::DEFAULT if is_immune => {}
            action::DEFAULT if info.signal.is_ignored_by_default() => {}
            action::DEFAULT if info.signal.stops_by_default() => {
                // signal(7): SIGTSTP, SIGTTIN and SIGTTOU do not stop an orphaned group.
                if info.signal == Signal::STOP || !session::is_orphaned(thread.process().group()) {
                    job::stop(thread.process(), info.signal, continues);
                }
            }
            action::DEFAULT => return Next::EndProcess(ExitStatus::Killed(info.signal.number())),
            _ => {
                *resume = None;
                if let Some(call) = interrupted.take()
                    && call.survives(action.flags)
                {
                    call.begin_again(context);
                }
                let mut pushed = frame::push(thread, context, &info, &action);
                while pushed.is_err() && thread.take_starved() && oom::relieve(thread) == Relief::Retry {
                    if thread.is_dying() {
                        return Next::Run;
                    }
                    pushed = frame::push(thread, context, &info, &action);
                }
                if pushed.is_err() {
                    if info.signal == Signal::SEGV {
                        return Next::EndProcess(ExitStatus::Killed(Signal::SEGV.number()));
                    }
                    send::fault(thread, Info::kernel(Signal::SEGV));
                }
            }
        }
    }
    if let Some(call) = interrupted
        && call.restart != Restart::Never
    {
        // No handler ran, even if signals came: the registers are still the system call's.
        call.begin_again(context);
        if let Restart::Until(deadline) = call.restart {
            *resume = Some(deadline);
        }
    }
    // No handler was set up, whose return would restore the mask.
    let mut own = thread.signals.lock();
    if let Some(mask) = own.saved_mask.take() {
        own.mask = mask;
        drop(own);
        thread.recheck_signals();
    }
    Next::Run
}

impl Interrupted {
    /// Returns whether the call is restarted after a handler with these flags.
    fn survives(self, flags: action::Flags) -> bool {
        match self.restart {
            Restart::Always => true,
            Restart::AsHandlersSay => flags.contains(action::Flags::RESTART),
            Restart::WithoutHandler | Restart::Until(_) | Restart::Never => false,
        }
    }

    fn begin_again(self, context: &mut UserContext) {
        let registers = context.general_regs_mut();
        registers.rax = self.number;
        registers.rip -= 2;
    }
}

/// Takes the next signal that is not blocked, with the count of `SIGCONT`s sent so far.
fn take(thread: &Thread) -> Option<(Info, u32)> {
    // Only the thread itself changes its mask.
    let mask = thread.signals.lock().mask;
    dequeue::take(thread, SigSet::from_bits(!0).without(mask))
}
