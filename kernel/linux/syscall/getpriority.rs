//! getpriority(2), setpriority(2): nice values.
//!
//! Source: Linux 6.1 kernel/sys.c (`set_one_prio`).

use alloc::sync::Arc;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::linux::sched;
use rules::machine::fallible;

use super::context::{Context, SysResult};
use super::sched_setscheduler::rights;
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::linux::task::scheduler;
use crate::linux::task::thread::Thread;
use crate::machine::pause::pause;

/// Calls `f` for each thread that `which` and `who` name.
///
/// # Errors
/// `EINVAL`: neither of a process nor of a group or user.
fn for_each(
    cx: &Context<'_>,
    which: usize,
    who: usize,
    mut f: impl FnMut(&Arc<Thread>),
) -> Result<(), Errno> {
    const PROCESS: u32 = 0;
    const GROUP: u32 = 1;
    const USER: u32 = 2;
    let who = who as u32;
    let (group, user) = match which as u32 {
        // As on Linux, the ID of a thread.
        PROCESS => {
            let thread = if who == 0 { Some(cx.thread().clone()) } else { process_table::find_thread(who) };
            if let Some(thread) = thread {
                f(&thread);
            }
            return Ok(());
        }
        GROUP => {
            let group = if who == 0 { cx.process().group() } else { who };
            (Some(group), None)
        }
        USER => {
            let user = if who == 0 { cx.credentials().users.real } else { who };
            (None, Some(user))
        }
        _ => return Err(Errno::EINVAL),
    };
    for process in process_table::all() {
        let is_in_group = group.is_none_or(|group| process.group() == group);
        if !is_in_group || user.is_some_and(|user| process.credentials.lock().users.real != user) {
            continue;
        }
        for thread in threads(&process)? {
            f(&thread);
            pause();
        }
    }
    Ok(())
}

fn threads(process: &Process) -> Result<Vec<Arc<Thread>>, Errno> {
    fallible::collect(process.threads.lock().iter().cloned())
}

/// getpriority(2): the system call returns 20 minus the least nice value.
///
/// # Errors
/// `EINVAL`: neither of a process nor of a group or user. `ESRCH`: there is none.
pub(crate) fn getpriority(cx: &mut Context<'_>, which: usize, who: usize) -> SysResult {
    let mut least = None;
    for_each(cx, which, who, |thread| {
        let nice = thread.attributes().nice;
        least = Some(least.map_or(nice, |least: i8| least.min(nice)));
    })?;
    let nice = least.ok_or(Errno::ESRCH)?;
    Ok(usize::from((20 - nice).unsigned_abs()))
}

/// setpriority(2).
///
/// # Errors
/// `EINVAL`: neither of a process nor of a group or user. `ESRCH`: there is none. `EPERM`: a thread of another user.
/// `EACCES`: a lower nice value than `RLIMIT_NICE` allows. The other threads were changed, and the last error counts.
pub(crate) fn setpriority(cx: &mut Context<'_>, which: usize, who: usize, nice: usize) -> SysResult {
    let nice = (nice as u32).cast_signed();
    let mut result = Err(Errno::ESRCH);
    for_each(cx, which, who, |thread| {
        let rights = rights(cx, thread);
        match scheduler::change(thread, |old| sched::renice(old, nice, rights)) {
            Ok(()) if result == Err(Errno::ESRCH) => result = Ok(0),
            Ok(()) => {}
            Err(errno) => result = Err(errno),
        }
    })?;
    result
}
