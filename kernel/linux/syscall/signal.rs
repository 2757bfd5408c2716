//! sigaction(2), sigprocmask(2), sigpending(2), sigaltstack(2), sigreturn(2).
//!
//! Source: Linux 6.1 kernel/signal.c.

use rules::abi::errno::Errno;

use super::context::{Caller, Context, SysResult};
use crate::core::syscall::mask;
use crate::linux::task::signal::action::{self, Action, Flags};
use crate::linux::task::signal::pending::Info;
use crate::linux::task::signal::{frame, send};
use crate::machine::memory::user::{UserPtr, UserSlice};
use rules::abi::signal::{SigSet, Signal};

/// rt_sigaction(2).
pub(crate) fn rt_sigaction(
    cx: &mut Context<'_>,
    number: usize,
    new: usize,
    old: usize,
    size: usize,
) -> SysResult {
    mask::check_set_size(size)?;
    let wanted = match new {
        0 => None,
        at => {
            let [handler, flags, restorer, mask] = UserPtr::<[u64; 4]>::new(cx.space(), at).read()?;
            Some(Action {
                handler: handler as usize,
                // Programs detect supported flags by setting them and reading back what was kept.
                flags: Flags::from_bits_truncate(flags),
                restorer: restorer as usize,
                mask: SigSet::mask(mask),
            })
        }
    };
    let signal = Signal::new(number as u32 as usize).ok_or(Errno::EINVAL)?;
    if wanted.is_some() && signal.is_absolute() {
        return Err(Errno::EINVAL);
    }
    let previous = {
        let mut signals = cx.process().signals.lock();
        let previous = signals.actions.get(signal);
        if let Some(wanted) = wanted {
            signals.actions.set(signal, wanted);
            let ignores = wanted.handler == action::IGNORE
                || (wanted.handler == action::DEFAULT && signal.is_ignored_by_default());
            if ignores {
                signals.pending.discard(SigSet::EMPTY.with(signal));
                for thread in cx.process().threads.lock().iter() {
                    thread.signals.lock().pending.discard(SigSet::EMPTY.with(signal));
                }
            }
        }
        previous
    };
    if old != 0 {
        let words =
            [previous.handler as u64, previous.flags.bits(), previous.restorer as u64, previous.mask.bits()];
        UserPtr::<[u64; 4]>::new(cx.space(), old).write(&words)?;
    }
    Ok(0)
}

/// rt_sigprocmask(2).
pub(crate) fn rt_sigprocmask(
    cx: &mut Context<'_>,
    how: usize,
    new: usize,
    old: usize,
    size: usize,
) -> SysResult {
    mask::check_set_size(size)?;
    let mut own = cx.thread().signals.lock();
    let before = own.mask;
    drop(own);
    if new != 0 {
        let set = SigSet::mask(UserPtr::<u64>::new(cx.space(), new).read()?);
        let mask = match how as u32 {
            0 => before.union(set),
            1 => before.without(set),
            2 => set,
            _ => return Err(Errno::EINVAL),
        };
        own = cx.thread().signals.lock();
        own.mask = mask;
        drop(own);
        // A newly unblocked signal may be pending already; a newly blocked one may have to be taken by another thread.
        cx.thread().recheck_signals();
        let left = cx.process().signals.lock().pending.signals().intersection(mask.without(before));
        if !left.is_empty() {
            send::offer(cx.process(), left);
        }
    }
    if old != 0 {
        UserPtr::<u64>::new(cx.space(), old).write(&before.bits())?;
    }
    Ok(0)
}

/// rt_sigpending(2).
pub(crate) fn rt_sigpending(cx: &mut Context<'_>, at: usize, size: usize) -> SysResult {
    if size > size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let (own, mask) = {
        let own = cx.thread().signals.lock();
        (own.pending.signals(), own.mask)
    };
    let both = own.union(cx.process().signals.lock().pending.signals()).intersection(mask);
    UserSlice::new(cx.space(), at, size)?.write_bytes(&both.bits().to_le_bytes()[..size])?;
    Ok(0)
}

/// sigaltstack(2).
///
/// # Errors
/// `EPERM`: the caller runs on the stack that it would change. `EINVAL`: unknown flags. `ENOMEM`: too small. `EFAULT`.
pub(crate) fn sigaltstack(cx: &mut Context<'_>, new: usize, old: usize) -> SysResult {
    let rsp = cx.user.general_regs().rsp;
    let current = cx.thread().signals.lock().alt_stack;
    if new != 0 {
        let [start, flags, size] = UserPtr::<[u64; 3]>::new(cx.space(), new).read()?;
        if current.contains(rsp) {
            return Err(Errno::EPERM);
        }
        cx.thread().signals.lock().alt_stack = frame::parse(start, flags, size)?;
    }
    if old != 0 {
        UserPtr::<[u64; 3]>::new(cx.space(), old).write(&frame::describe(current, rsp))?;
    }
    Ok(0)
}

/// rt_sigreturn(2): an invalid frame causes `SIGSEGV`.
pub(crate) fn rt_sigreturn(cx: &mut Context<'_>) -> SysResult {
    if frame::pop(cx.thread(), cx.user).is_err() {
        send::fault(cx.thread(), Info::kernel(Signal::SEGV));
    }
    Ok(cx.user.general_regs().rax)
}
