//! On the way back to user mode: which signal, and what it does.

use ostd::arch::cpu::context::UserContext;

use super::super::process::End;
use super::super::thread::Thread;
use super::pending::Info;
use super::set::{SigSet, Signal};
use super::{action, frame};

/// What becomes of the thread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// It goes on in user mode.
    Run,
    /// Its process ends.
    EndProcess(End),
}

/// Delivers signals until a handler is to run or none is left.
///
/// `restart` says whether the syscall that was interrupted may be begun again; `call` is its number.
pub(crate) fn deliver(thread: &Thread, context: &mut UserContext, interrupted: Option<Interrupted>) -> Next {
    let mut interrupted = interrupted;
    while let Some(info) = take(thread) {
        let action = {
            let mut signals = thread.process().signals.lock();
            let action = signals.actions.get(info.signal);
            if action.flags.contains(action::Flags::RESETHAND) && action.handler > action::IGNORE {
                signals.actions.set(info.signal, action::Action::default());
            }
            action
        };
        match action.handler {
            action::IGNORE => {}
            action::DEFAULT => {
                if ends(info.signal) {
                    return Next::EndProcess(End::Killed(info.signal.number()));
                }
            }
            _ => {
                if let Some(call) = interrupted.take() {
                    call.settle(context, action.flags.contains(action::Flags::RESTART));
                }
                if frame::push(thread, context, &info, &action).is_err() {
                    return Next::EndProcess(End::Killed(Signal::SEGV.number()));
                }
            }
        }
    }
    if let Some(call) = interrupted {
        call.begin_again(context);
    }
    // Nothing was delivered that would restore it.
    let mut own = thread.signals.lock();
    if let Some(mask) = own.saved_mask.take() {
        own.mask = mask;
    }
    Next::Run
}

/// A syscall that a signal interrupted before it did anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted {
    /// Its number, to be put back for another try.
    pub(crate) number: usize,
    /// Whether `SA_RESTART` means anything to it; otherwise it ends with `EINTR`.
    pub(crate) may_restart: bool,
}

impl Interrupted {
    fn settle(self, context: &mut UserContext, restart: bool) {
        if restart && self.may_restart {
            self.begin_again(context);
        }
    }

    fn begin_again(self, context: &mut UserContext) {
        // Linux: with no handler run, even calls that never restart under a handler begin again, if they are of
        // the kind that may.
        if self.may_restart {
            let registers = context.general_regs_mut();
            registers.rax = self.number;
            registers.rip -= 2;
        }
    }
}

fn take(thread: &Thread) -> Option<Info> {
    let mut own = thread.signals.lock();
    let allowed = SigSet::from_bits(!0).without(own.mask);
    if let Some(info) = own.pending.take(allowed) {
        return Some(info);
    }
    drop(own);
    thread.process().signals.lock().pending.take(allowed)
}

fn ends(signal: Signal) -> bool {
    !signal.is_ignored_by_default() && (!signal.stops_by_default() || signal.is_absolute())
}
