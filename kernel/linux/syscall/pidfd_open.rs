//! pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).
//!
//! Source: Linux 6.1 kernel/pid.c (`pidfd_getfd`), kernel/signal.c (`pidfd_send_signal`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};
use rules::linux::ptrace::Basis;

use super::context::{Caller, Context, SysResult};
use super::kill::{self, UserSigInfo};
use crate::core::file::description::OpenFile;
use crate::core::syscall::caller::parse_fd;
use crate::linux::fs::opened::OpenedAt;
use crate::linux::proc;
use crate::linux::task::access;
use crate::linux::task::pidfd::{self, PidFd};
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::linux::task::signal::pending::{Info, SI_USER};
use crate::linux::task::signal::send;

/// pidfd_open(2). The descriptor is close-on-exec.
///
/// # Errors
/// `EINVAL`: an invalid PID, or unknown flags. `ESRCH`: no such process. `EMFILE`, `ENOMEM`.
pub(crate) fn pidfd_open(cx: &mut Context<'_>, pid: usize, flags: u32) -> SysResult {
    let flags = OpenFlags::from_bits(flags).filter(|flags| OpenFlags::NONBLOCK.contains(*flags));
    let flags = flags.ok_or(Errno::EINVAL)?;
    let pid = pid as u32;
    if pid.cast_signed() <= 0 {
        return Err(Errno::EINVAL);
    }
    let Some(process) = process_table::find(pid) else {
        // Threads other than the leader have no pidfds.
        return Err(if process_table::find_thread(pid).is_some() { Errno::EINVAL } else { Errno::ESRCH });
    };
    let file = pidfd::open(process, flags)?;
    cx.files().open(file, OnExec::Close, cx.file_limit()).map(Fd::index)
}

/// Returns the process behind a pidfd.
///
/// # Errors
/// `EBADF`: not open, or not a pidfd.
pub(super) fn process_of(cx: &Context<'_>, fd: usize) -> Result<Arc<Process>, Errno> {
    let file = cx.file(fd)?;
    let process = file.downcast::<PidFd>().map(|file| file.process().clone());
    process.ok_or(Errno::EBADF)
}

/// Returns the ID of the process that a signal is for: behind a pidfd, or of an open `/proc/PID`.
///
/// # Errors
/// `EBADF`: neither.
fn receiver(file: &OpenFile) -> Result<u32, Errno> {
    if let Some(file) = file.downcast::<PidFd>() {
        return Ok(file.process().pid());
    }
    file.location::<OpenedAt>().and_then(|at| proc::process_of(&at.location().inode)).ok_or(Errno::EBADF)
}

/// pidfd_send_signal(2); a null `info` stands for kill(2)'s.
///
/// # Errors
/// No signal was sent. `EBADF`: neither a pidfd nor an open `/proc/PID`. `EINVAL`: no such signal, `info` is for
/// another signal, or flags are set. `ESRCH`: the process was reaped. `EPERM`, `EFAULT`, `E2BIG`.
pub(crate) fn pidfd_send_signal(
    cx: &mut Context<'_>,
    fd: usize,
    number: usize,
    info: usize,
    flags: usize,
) -> SysResult {
    if flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let pid = receiver(&*cx.file(fd)?)?;
    let told = if info == 0 { None } else { Some(UserSigInfo::read(cx, info, number)?) };
    if let Some(told) = &told {
        if told.number() != number as u32 {
            return Err(Errno::EINVAL);
        }
        told.check_claim(cx, pid)?;
    }
    let process = process_table::find(pid).ok_or(Errno::ESRCH)?;
    let signal = kill::parse(number)?;
    let uid = cx.process().credentials.lock().users.real;
    let info = signal.map(|signal| match told {
        Some(told) => told.info(signal),
        None => Info::user(signal, SI_USER, cx.process().pid(), uid),
    });
    kill::check_permission(cx, &process, signal)?;
    if let Some(info) = info {
        send::to_process(&process, info);
    }
    Ok(0)
}

/// pidfd_getfd(2): makes a duplicate of descriptor `target` of the process behind the pidfd `fd`. The duplicate is
/// close-on-exec.
///
/// # Errors
/// Nothing was opened. `EINVAL`: flags are set. `EBADF`: `fd` is no pidfd, or `target` is not open in the process, which
/// may have ended. `ESRCH`: it was reaped. `EPERM`: it belongs to another user. `EMFILE`, `ENOMEM`.
pub(crate) fn pidfd_getfd(cx: &mut Context<'_>, fd: usize, target: usize, flags: u32) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let process = process_of(cx, fd)?;
    if process_table::find(process.pid()).is_none() {
        return Err(Errno::ESRCH);
    }
    if !access::may(&process, Basis::Real) {
        return Err(Errno::EPERM);
    }
    let file = process.files().get_any(parse_fd(target)?)?;
    cx.files().open(file, OnExec::Close, cx.file_limit()).map(Fd::index)
}
