//! sigaction(2), sigprocmask(2), sigpending(2), sigsuspend(2), sigaltstack(2), sigreturn(2), kill(2), tgkill(2),
//! pause(2), sigtimedwait(2).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use model::abi::errno::Errno;

use super::context::{Context, SysResult};
use super::time;
use crate::clock;
use crate::event::wait::{Sleep, Wake};
use crate::memory::user::{UserPtr, UserSlice};
use crate::task::process::{self, End, Process};
use crate::task::signal::action::{Action, Flags};
use crate::task::signal::pending::{AltStack, Info, SI_TKILL, SI_USER};
use crate::task::signal::set::{SigSet, Signal};
use crate::task::signal::{action, frame, send};

const SET_SIZE: usize = 8;

fn check_set_size(size: usize) -> Result<(), Errno> {
    if size == SET_SIZE { Ok(()) } else { Err(Errno::EINVAL) }
}

/// rt_sigaction(2).
pub(crate) fn rt_sigaction(
    cx: &mut Context<'_>,
    number: usize,
    new: usize,
    old: usize,
    size: usize,
) -> SysResult {
    check_set_size(size)?;
    let signal = Signal::new(number as u32 as usize).ok_or(Errno::EINVAL)?;
    let wanted = match new {
        0 => None,
        at => {
            if signal.is_absolute() {
                return Err(Errno::EINVAL);
            }
            let [handler, flags, restorer, mask] = UserPtr::<[u64; 4]>::new(cx.space(), at).read()?;
            Some(Action {
                handler: handler as usize,
                flags: Flags::from_bits_retain(flags),
                restorer: restorer as usize,
                mask: SigSet::mask(mask),
            })
        }
    };
    let previous = {
        let mut signals = cx.process().signals.lock();
        let previous = signals.actions.get(signal);
        if let Some(wanted) = wanted {
            signals.actions.set(signal, wanted);
            let ignores = wanted.handler == action::IGNORE
                || (wanted.handler == action::DEFAULT && signal.is_ignored_by_default());
            if ignores {
                signals.pending.discard(SigSet::EMPTY.with(signal));
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
    check_set_size(size)?;
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
        // What is no longer blocked may wait already.
        cx.thread().call_attention();
    }
    if old != 0 {
        UserPtr::<u64>::new(cx.space(), old).write(&before.bits())?;
    }
    Ok(0)
}

/// rt_sigpending(2).
pub(crate) fn rt_sigpending(cx: &mut Context<'_>, at: usize, size: usize) -> SysResult {
    if size > SET_SIZE {
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

/// Replaces the mask until the syscall returns to user mode: sigsuspend(2), ppoll(2), pselect(2), epoll_pwait(2).
///
/// # Errors
/// `EINVAL`: the set has another size. `EFAULT`. The mask is as before.
pub(crate) fn swap_mask(cx: &Context<'_>, at: usize, size: usize) -> Result<(), Errno> {
    check_set_size(size)?;
    let mask = SigSet::mask(UserPtr::<u64>::new(cx.space(), at).read()?);
    let mut own = cx.thread().signals.lock();
    own.saved_mask = Some(own.mask);
    own.mask = mask;
    drop(own);
    cx.thread().call_attention();
    Ok(())
}

/// rt_sigsuspend(2).
pub(crate) fn rt_sigsuspend(cx: &mut Context<'_>, at: usize, size: usize) -> SysResult {
    swap_mask(cx, at, size)?;
    pause(cx)
}

/// pause(2).
pub(crate) fn pause(cx: &mut Context<'_>) -> SysResult {
    cx.may_restart = false;
    while !cx.thread().is_interrupted() {
        cx.thread().sleep(None);
    }
    Err(Errno::EINTR)
}

/// rt_sigtimedwait(2).
pub(crate) fn rt_sigtimedwait(
    cx: &mut Context<'_>,
    set: usize,
    info: usize,
    timeout: usize,
    size: usize,
) -> SysResult {
    check_set_size(size)?;
    let wanted = SigSet::mask(UserPtr::<u64>::new(cx.space(), set).read()?);
    let deadline = match timeout {
        0 => None,
        at => Some(clock::now().saturating_add(time::read_timespec(cx.space(), at)?)),
    };
    cx.may_restart = false;
    let before = {
        let mut own = cx.thread().signals.lock();
        let before = own.mask;
        own.mask = before.without(wanted);
        before
    };
    let found = loop {
        let own = cx.thread().signals.lock().pending.take(wanted);
        if let Some(found) = own.or_else(|| cx.process().signals.lock().pending.take(wanted)) {
            break Ok(found);
        }
        if cx.thread().is_interrupted() {
            break Err(Errno::EINTR);
        }
        if cx.thread().sleep(deadline) == Wake::TimedOut {
            break Err(Errno::EAGAIN);
        }
    };
    cx.thread().signals.lock().mask = before;
    let found = found?;
    if info != 0 {
        let mut words = [0u64; 16];
        words[0] = u64::from(found.signal.number());
        words[1] = u64::from(found.code.cast_unsigned());
        words[2] = found.words[0];
        words[3] = found.value;
        UserPtr::<[u64; 16]>::new(cx.space(), info).write(&words)?;
    }
    Ok(usize::from(found.signal.number()))
}

/// sigaltstack(2).
pub(crate) fn sigaltstack(cx: &mut Context<'_>, new: usize, old: usize) -> SysResult {
    const DISABLE: u64 = 2;
    const SMALLEST: u64 = 2048;
    let rsp = cx.user.general_regs().rsp;
    let current = cx.thread().signals.lock().alt_stack;
    let is_used = current.size != 0 && rsp.wrapping_sub(current.start) <= current.size;
    if new != 0 {
        let [start, flags, size] = UserPtr::<[u64; 3]>::new(cx.space(), new).read()?;
        if is_used {
            return Err(Errno::EPERM);
        }
        let flags = flags & 0x7fff_ffff;
        if flags & !3 != 0 {
            return Err(Errno::EINVAL);
        }
        let stack = if flags & DISABLE != 0 {
            AltStack::default()
        } else if size < SMALLEST {
            return Err(Errno::ENOMEM);
        } else {
            AltStack { start: start as usize, size: size as usize }
        };
        cx.thread().signals.lock().alt_stack = stack;
    }
    if old != 0 {
        let flags = if current.size == 0 { DISABLE } else { u64::from(is_used) };
        UserPtr::<[u64; 3]>::new(cx.space(), old).write(&[
            current.start as u64,
            flags,
            current.size as u64,
        ])?;
    }
    Ok(0)
}

/// rt_sigreturn(2).
pub(crate) fn rt_sigreturn(cx: &mut Context<'_>) {
    if frame::pop(cx.thread(), cx.user).is_err() {
        crate::task::exit::end_process(cx.process(), End::Killed(Signal::SEGV.number()));
    }
}

/// kill(2).
pub(crate) fn kill(cx: &mut Context<'_>, pid: usize, number: usize) -> SysResult {
    let pid = pid as u32 as i32;
    let receivers = match pid {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => process::all().into_iter().filter(|p| p.pid() > 1 && p.pid() != cx.process().pid()).collect(),
        pid if pid > 0 => process::find(pid.unsigned_abs()).into_iter().collect(),
        _ => {
            let own = cx.process().group.load(Ordering::Relaxed);
            let group = if pid == 0 { own } else { pid.unsigned_abs() };
            let mut members = process::all();
            members.retain(|process| process.group.load(Ordering::Relaxed) == group);
            members
        }
    };
    send_to(cx, &receivers, number)
}

fn send_to(cx: &Context<'_>, receivers: &[Arc<Process>], number: usize) -> SysResult {
    if number as u32 > 64 {
        return Err(Errno::EINVAL);
    }
    let uid = cx.process().credentials.lock().uid;
    let allowed: alloc::vec::Vec<_> =
        receivers.iter().filter(|process| uid == 0 || process.credentials.lock().uid == uid).collect();
    if receivers.is_empty() {
        return Err(Errno::ESRCH);
    }
    if allowed.is_empty() {
        return Err(Errno::EPERM);
    }
    if let Some(signal) = Signal::new(number as u32 as usize) {
        for process in allowed {
            send::to_process(process, Info::user(signal, SI_USER, cx.process().pid(), uid));
        }
    }
    Ok(0)
}

/// tgkill(2), and tkill(2) with `group` 0.
pub(crate) fn tgkill(cx: &mut Context<'_>, group: usize, tid: usize, number: usize) -> SysResult {
    let (group, tid) = (group as u32 as i32, tid as u32 as i32);
    if group < 0 || tid <= 0 || number as u32 > 64 {
        return Err(Errno::EINVAL);
    }
    let tid = tid.unsigned_abs();
    let processes =
        if group == 0 { process::all() } else { process::find(group.unsigned_abs()).into_iter().collect() };
    let thread = processes
        .iter()
        .find_map(|process| process.threads.lock().iter().find(|thread| thread.tid() == tid).cloned());
    let thread = thread.ok_or(Errno::ESRCH)?;
    let uid = cx.process().credentials.lock().uid;
    if uid != 0 && thread.process().credentials.lock().uid != uid {
        return Err(Errno::EPERM);
    }
    if let Some(signal) = Signal::new(number as u32 as usize) {
        send::to_thread(&thread, Info::user(signal, SI_TKILL, cx.process().pid(), uid));
    }
    Ok(0)
}
