//! wait4(2), waitid(2).

use alloc::sync::Arc;

use rules::abi::errno::Errno;

use super::context::{Caller, Context, SysResult};
use super::{getrusage, pidfd_open};
use crate::linux::task::process::{ExitStatus, Process};
use crate::linux::task::signal::job::Change;
use crate::linux::task::signal::pending::{
    CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, INFO_WORDS, Info,
};
use crate::linux::task::usage::Usage;
use crate::linux::task::wait::{self, ChildFilter, ChildState, Options};
use crate::machine::memory::user::UserPtr;

/// The options that both calls accept.
const CHILDREN: Options = Options::NO_THREAD.union(Options::ALL).union(Options::CLONE);

/// wait4(2).
///
/// # Errors
/// `ECHILD`, `EINTR`, `EINVAL`: unknown options. `EFAULT`: the child was reaped nevertheless, as on Linux.
pub(crate) fn wait4(
    cx: &mut Context<'_>,
    pid: usize,
    status: usize,
    options: usize,
    usage: usize,
) -> SysResult {
    let known = CHILDREN | Options::NOHANG | Options::STOPPED | Options::CONTINUED;
    let options =
        Options::from_bits(options as u32).filter(|options| known.contains(*options)).ok_or(Errno::EINVAL)?;
    let which = match pid as u32 as i32 {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => ChildFilter::Any,
        0 => ChildFilter::Group(cx.process().group()),
        group if group < 0 => ChildFilter::Group(group.unsigned_abs()),
        pid => ChildFilter::Process(pid.unsigned_abs()),
    };
    let Some((child, state)) = wait::child(cx.sleeper(), which, options | Options::EXITED)? else {
        return Ok(0);
    };
    if status != 0 {
        UserPtr::<u32>::new(cx.space(), status).write(&word(state))?;
    }
    if usage != 0 {
        getrusage::write(cx.space(), usage, used(&child))?;
    }
    Ok(child.pid() as usize)
}

/// Returns what a child and its own reaped children used.
fn used(child: &Process) -> Usage {
    let mut used = child.usage();
    used.peak = child.peak();
    used += child.used.lock().children;
    used
}

fn word(state: ChildState) -> u32 {
    match state {
        ChildState::Ended(ExitStatus::Exited(status)) => u32::from(status) << 8,
        ChildState::Ended(ExitStatus::Killed(signal)) => u32::from(signal),
        ChildState::Changed(Change::Stopped(signal)) => u32::from(signal.number()) << 8 | 0x7f,
        ChildState::Changed(Change::Continued) => 0xffff,
    }
}

/// waitid(2). Without a child to report the information at `info` becomes zero, whatever the result (`waitid`).
///
/// # Errors
/// No child was reaped. `ECHILD`, `EINTR`, `EINVAL`: unknown kind or options, or no state to wait for. `EBADF`: not a
/// pidfd. `EAGAIN`: a pidfd with `O_NONBLOCK`, and nothing to report. `EFAULT`: the child was reaped nevertheless.
pub(crate) fn waitid(
    cx: &mut Context<'_>,
    kind: usize,
    id: usize,
    info: usize,
    options: usize,
    usage: usize,
) -> SysResult {
    let found = find(cx, kind, id, options as u32);
    if usage != 0
        && let Ok(Some((child, _))) = &found
    {
        getrusage::write(cx.space(), usage, used(child))?;
    }
    let (found, result) = match found {
        Ok(found) => (found, Ok(0)),
        Err(error) => (None, Err(error)),
    };
    if info != 0 {
        let words = found.map_or([0; INFO_WORDS], |(child, state)| describe(&child, state).to_words());
        // Signal number and code, then pid, uid and status; Linux leaves the bytes between and behind them alone, too.
        let number = words[0] as u32;
        UserPtr::new(cx.space(), info).write(&[number, 0, words[1] as u32])?;
        let rest = [words[2] as u32, (words[2] >> 32) as u32, words[3] as u32];
        UserPtr::new(cx.space(), info.wrapping_add(16)).write(&rest)?;
    }
    result
}

/// Finds the child that waitid(2) reports.
///
/// # Errors
/// As [`waitid`].
fn find(
    cx: &Context<'_>,
    kind: usize,
    id: usize,
    options: u32,
) -> Result<Option<(Arc<Process>, ChildState)>, Errno> {
    const P_ALL: u32 = 0;
    const P_PID: u32 = 1;
    const P_PGID: u32 = 2;
    const P_PIDFD: u32 = 3;
    let states = Options::EXITED | Options::STOPPED | Options::CONTINUED;
    let mut options =
        Options::from_bits(options).filter(|options| options.intersects(states)).ok_or(Errno::EINVAL)?;
    let number = id as u32;
    let is_positive = number.cast_signed() > 0;
    let may_wait = !options.contains(Options::NOHANG);
    let mut gives_up = false;
    let which = match kind as u32 {
        P_PIDFD if number.cast_signed() < 0 => return Err(Errno::EINVAL),
        P_PIDFD => {
            let process = pidfd_open::process_of(cx, id)?;
            gives_up = may_wait && cx.file(id)?.is_nonblocking();
            options.set(Options::NOHANG, gives_up || !may_wait);
            ChildFilter::Process(process.pid())
        }
        P_ALL => ChildFilter::Any,
        P_PID if is_positive => ChildFilter::Process(number),
        P_PGID if number == 0 => ChildFilter::Group(cx.process().group()),
        P_PGID if is_positive => ChildFilter::Group(number),
        _ => return Err(Errno::EINVAL),
    };
    let found = wait::child(cx.sleeper(), which, options)?;
    if gives_up && found.is_none() { Err(Errno::EAGAIN) } else { Ok(found) }
}

/// Makes the `siginfo_t` for a child.
fn describe(child: &Process, state: ChildState) -> Info {
    let (code, status) = match state {
        ChildState::Ended(ExitStatus::Exited(status)) => (CLD_EXITED, status),
        ChildState::Ended(ExitStatus::Killed(signal)) => (CLD_KILLED, signal),
        ChildState::Changed(Change::Stopped(signal)) => (CLD_STOPPED, signal.number()),
        ChildState::Changed(Change::Continued) => (CLD_CONTINUED, 18),
    };
    let uid = child.credentials.lock().users.real;
    Info::child(code, child.pid(), uid, status.into(), Usage::default())
}
