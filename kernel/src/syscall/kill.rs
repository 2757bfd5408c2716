//! kill(2), tkill(2), tgkill(2), sigqueue(3).
//!
//! Source: Linux 6.1 kernel/signal.c (`kill_something_info`, `check_kill_permission`, `do_rt_sigqueueinfo`).

use alloc::sync::Arc;
use alloc::vec::Vec;

use model::abi::errno::Errno;

use super::context::{Context, SysResult};
use crate::memory::user::UserPtr;
use crate::task::process::{self, Process};
use crate::task::signal::pending::{INFO_WORDS, Info, SI_TKILL, SI_USER};
use crate::task::signal::send;
use crate::task::signal::set::Signal;
use crate::task::thread::Thread;

/// The signal with that number; `None` for 0, which only asks whether one could be sent.
///
/// # Errors
/// `EINVAL`: no such signal.
pub(super) fn parse(number: usize) -> Result<Option<Signal>, Errno> {
    match number as u32 {
        0 => Ok(None),
        number => Signal::new(number as usize).map(Some).ok_or(Errno::EINVAL),
    }
}

/// Whether the caller may send `signal` to `process`.
///
/// # Errors
/// `EPERM`: it is another user's, and the signal is not `SIGCONT` within one session.
pub(super) fn check_permission(
    cx: &Context<'_>,
    process: &Process,
    signal: Option<Signal>,
) -> Result<(), Errno> {
    let own = *cx.process().credentials.lock();
    if own.may_signal(&process.credentials.lock()) {
        return Ok(());
    }
    if signal == Some(Signal::CONT) && process.session() == cx.process().session() {
        return Ok(());
    }
    Err(Errno::EPERM)
}

/// kill(2).
///
/// # Errors
/// `EINVAL`: no such signal. `ESRCH`: nobody to send to. `EPERM`: none of them is the caller's.
pub(crate) fn kill(cx: &mut Context<'_>, pid: usize, number: usize) -> SysResult {
    let signal = parse(number)?;
    let uid = cx.process().credentials.lock().users.real;
    let info = signal.map(|signal| Info::user(signal, SI_USER, cx.process().pid(), uid));
    let pid = pid as u32 as i32;
    if pid > 0 {
        let process = process::find(pid.unsigned_abs()).ok_or(Errno::ESRCH)?;
        check_permission(cx, &process, signal)?;
        if let Some(info) = info {
            send::to_process(&process, info);
        }
        return Ok(0);
    }
    let _membership = process::MEMBERSHIP.lock();
    let receivers = match pid {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => process::filter(|process| !process.is_init() && process.pid() != cx.process().pid()),
        0 => group(cx.process().group()),
        _ => group(pid.unsigned_abs()),
    };
    if receivers.is_empty() {
        return Err(Errno::ESRCH);
    }
    let mut result = Err(Errno::EPERM);
    for process in receivers {
        if check_permission(cx, &process, signal).is_ok() {
            result = Ok(0);
            if let Some(info) = info {
                send::to_process(&process, info);
            }
        }
    }
    result
}

/// The members of a group, zombies included: those count, too.
fn group(group: u32) -> Vec<Arc<Process>> {
    process::filter(|process| process.group() == group)
}

/// The thread with that ID, of the process `group` if that is given.
fn find(group: Option<usize>, tid: usize) -> Result<Arc<Thread>, Errno> {
    let (group, tid) = (group.map(|group| group as u32 as i32), tid as u32 as i32);
    if group.is_some_and(|group| group <= 0) || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let thread = process::find_thread(tid.unsigned_abs()).ok_or(Errno::ESRCH)?;
    if group.is_some_and(|group| thread.process().pid() != group.unsigned_abs()) {
        return Err(Errno::ESRCH);
    }
    Ok(thread)
}

/// tkill(2): as [`tgkill`], whatever process the thread is of.
///
/// # Errors
/// As [`tgkill`].
pub(crate) fn tkill(cx: &mut Context<'_>, tid: usize, number: usize) -> SysResult {
    let thread = find(None, tid)?;
    send_to_thread(cx, &thread, number)
}

/// tgkill(2).
///
/// # Errors
/// `EINVAL`: no such signal, or a number that is none of a thread. `ESRCH`, `EPERM`.
pub(crate) fn tgkill(cx: &mut Context<'_>, group: usize, tid: usize, number: usize) -> SysResult {
    let thread = find(Some(group), tid)?;
    send_to_thread(cx, &thread, number)
}

fn send_to_thread(cx: &Context<'_>, thread: &Thread, number: usize) -> SysResult {
    let signal = parse(number)?;
    check_permission(cx, thread.process(), signal)?;
    if let Some(signal) = signal {
        let uid = cx.process().credentials.lock().users.real;
        send::to_thread(thread, Info::user(signal, SI_TKILL, cx.process().pid(), uid));
    }
    Ok(0)
}

/// The `siginfo_t` at `at`, for a signal of that number.
///
/// # Errors
/// `EFAULT`. `EPERM`: it claims to come from the kernel or from kill(2), and the receiver is not the caller.
pub(super) fn read_info(
    cx: &Context<'_>,
    at: usize,
    signal: Option<Signal>,
    receiver: &Process,
) -> Result<Option<Info>, Errno> {
    let words = UserPtr::<[u64; INFO_WORDS]>::new(cx.space(), at).read()?;
    let code = words[1] as u32 as i32;
    if (code >= 0 || code == SI_TKILL) && receiver.pid() != cx.process().pid() {
        return Err(Errno::EPERM);
    }
    Ok(signal.map(|signal| Info { signal, code, fields: [words[2], words[3], words[4], words[5]] }))
}

/// rt_sigqueueinfo(2), what sigqueue(3) calls.
///
/// # Errors
/// As [`kill`] and [`read_info`]. `EAGAIN`: the receiver's queue is full.
pub(crate) fn rt_sigqueueinfo(cx: &mut Context<'_>, pid: usize, number: usize, info: usize) -> SysResult {
    let process = process::find(pid as u32);
    let receiver = process.as_ref().unwrap_or(cx.process());
    let info = read_info(cx, info, parse(number)?, receiver)?;
    let process = process.ok_or(Errno::ESRCH)?;
    check_permission(cx, &process, info.map(|info| info.signal))?;
    if let Some(info) = info {
        if info.signal.is_queued() && !process.signals.lock().pending.has_room() {
            return Err(Errno::EAGAIN);
        }
        send::to_process(&process, info);
    }
    Ok(0)
}

/// rt_tgsigqueueinfo(2), what pthread_sigqueue(3) calls.
///
/// # Errors
/// As [`tgkill`] and [`rt_sigqueueinfo`].
pub(crate) fn rt_tgsigqueueinfo(
    cx: &mut Context<'_>,
    group: usize,
    tid: usize,
    number: usize,
    info: usize,
) -> SysResult {
    let thread = find(Some(group), tid)?;
    let info = read_info(cx, info, parse(number)?, thread.process())?;
    check_permission(cx, thread.process(), info.map(|info| info.signal))?;
    if let Some(info) = info {
        if info.signal.is_queued() && !thread.signals.lock().pending.has_room() {
            return Err(Errno::EAGAIN);
        }
        send::to_thread(&thread, info);
    }
    Ok(0)
}
