//! wait4(2), waitid(2).

use model::abi::errno::Errno;

use super::context::{Context, SysResult};
use super::{getrusage, pidfd_open};
use crate::memory::user::UserPtr;
use crate::task::process::{End, Process};
use crate::task::signal::job::Change;
use crate::task::signal::pending::{CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, INFO_WORDS, Info};
use crate::task::usage::Usage;
use crate::task::wait::{self, Options, State, Which};

/// `__WNOTHREAD`, `__WALL`, `__WCLONE`.
const CLONE_OPTIONS: u32 = 0xe000_0000;

/// wait4(2).
///
/// # Errors
/// `ECHILD`, `EINTR`, `EINVAL`: unknown options. `EFAULT`: the child is gone all the same, as on Linux.
pub(crate) fn wait4(
    cx: &mut Context<'_>,
    pid: usize,
    status: usize,
    options: usize,
    usage: usize,
) -> SysResult {
    let options = options as u32 & !CLONE_OPTIONS;
    let known = Options::NOHANG | Options::STOPPED | Options::CONTINUED;
    let options =
        Options::from_bits(options).filter(|options| known.contains(*options)).ok_or(Errno::EINVAL)?;
    let which = match pid as u32 as i32 {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => Which::Any,
        0 => Which::Group(cx.process().group()),
        group if group < 0 => Which::Group(group.unsigned_abs()),
        pid => Which::Process(pid.unsigned_abs()),
    };
    let Some((child, state)) = wait::child(cx.myself(), which, options | Options::EXITED)? else {
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

/// What a child and those that it waited for used.
fn used(child: &Process) -> Usage {
    let mut used = child.usage();
    used += child.used.lock().children;
    used
}

fn word(state: State) -> u32 {
    match state {
        State::Ended(End::Exited(status)) => u32::from(status) << 8,
        State::Ended(End::Killed(signal)) => u32::from(signal),
        State::Changed(Change::Stopped(signal)) => u32::from(signal.number()) << 8 | 0x7f,
        State::Changed(Change::Continued) => 0xffff,
    }
}

/// waitid(2).
///
/// # Errors
/// `ECHILD`, `EINTR`, `EINVAL`: unknown kind or options, or nothing to wait for. `EBADF`: no pidfd. `EFAULT`.
pub(crate) fn waitid(
    cx: &mut Context<'_>,
    kind: usize,
    id: usize,
    info: usize,
    options: usize,
    usage: usize,
) -> SysResult {
    const P_ALL: u32 = 0;
    const P_PID: u32 = 1;
    const P_PGID: u32 = 2;
    let states = Options::EXITED | Options::STOPPED | Options::CONTINUED;
    let options = Options::from_bits(options as u32 & !CLONE_OPTIONS)
        .filter(|options| options.intersects(states))
        .ok_or(Errno::EINVAL)?;
    let number = id as u32;
    let is_positive = number.cast_signed() > 0;
    const P_PIDFD: u32 = 3;
    let which = match kind as u32 {
        P_PIDFD => Which::Process(pidfd_open::process_of(cx, id)?.pid()),
        P_ALL => Which::Any,
        P_PID if is_positive => Which::Process(number),
        P_PGID if number == 0 => Which::Group(cx.process().group()),
        P_PGID if is_positive => Which::Group(number),
        _ => return Err(Errno::EINVAL),
    };
    let found = wait::child(cx.myself(), which, options)?;
    if usage != 0
        && let Some((child, _)) = &found
    {
        getrusage::write(cx.space(), usage, used(child))?;
    }
    if info != 0 {
        let words = found.map_or([0; INFO_WORDS], |(child, state)| describe(&child, state).to_words());
        UserPtr::<[u64; INFO_WORDS]>::new(cx.space(), info).write(&words)?;
    }
    Ok(0)
}

/// `siginfo_t` of a child.
fn describe(child: &Process, state: State) -> Info {
    let (code, status) = match state {
        State::Ended(End::Exited(status)) => (CLD_EXITED, status),
        State::Ended(End::Killed(signal)) => (CLD_KILLED, signal),
        State::Changed(Change::Stopped(signal)) => (CLD_STOPPED, signal.number()),
        State::Changed(Change::Continued) => (CLD_CONTINUED, 18),
    };
    let uid = child.credentials.lock().users.real;
    Info::child(code, child.pid(), uid, status.into(), Usage::default())
}
