//! getpgid(2), setpgid(2), getsid(2), setsid(2).
//!
//! Source: credentials(7); Linux 6.1 kernel/sys.c.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use rules::abi::errno::Errno;

use super::context::{Context, SysResult};
use super::kill;
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::linux::task::session;

/// Returns the process with that ID; 0 is the caller.
fn find(cx: &Context<'_>, pid: usize) -> Result<Arc<Process>, Errno> {
    match pid as u32 {
        0 => Ok(cx.process().clone()),
        _ => kill::find_process(pid),
    }
}

/// getpgid(2).
///
/// # Errors
/// `ESRCH`: no such process.
pub(crate) fn getpgid(cx: &mut Context<'_>, pid: usize) -> SysResult {
    Ok(find(cx, pid)?.group() as usize)
}

/// getsid(2).
///
/// # Errors
/// `ESRCH`: no such process.
pub(crate) fn getsid(cx: &mut Context<'_>, pid: usize) -> SysResult {
    Ok(find(cx, pid)?.session() as usize)
}

/// setpgid(2).
///
/// # Errors
/// Nothing was changed. `EINVAL`: a negative ID, or a thread that is not its process's leader. `ESRCH`: neither the
/// caller nor its child. `EACCES`: a child that has called execve(2). `EPERM`: a process of another session, a session
/// leader, or no such group in the session.
pub(crate) fn setpgid(cx: &mut Context<'_>, pid: usize, group: usize) -> SysResult {
    let own = cx.process();
    if (group as u32).cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let pid = if pid as u32 == 0 { own.pid() } else { pid as u32 };
    let target = if pid == own.pid() {
        own.clone()
    } else {
        let child = own.children.lock().iter().find(|child| child.pid() == pid).cloned();
        let Some(child) = child else {
            let is_thread = process_table::find(pid).is_none() && process_table::find_thread(pid).is_some();
            return Err(if is_thread { Errno::EINVAL } else { Errno::ESRCH });
        };
        if child.session() != own.session() {
            return Err(Errno::EPERM);
        }
        if child.has_executed.load(Ordering::Relaxed) {
            return Err(Errno::EACCES);
        }
        child
    };
    let group = if group as u32 == 0 { pid } else { group as u32 };
    let session = own.session();
    if target.session() == pid || (group != pid && !session::has_group(session, group)) {
        return Err(Errno::EPERM);
    }
    target.join(session, group);
    Ok(0)
}

/// setsid(2).
///
/// # Errors
/// `EPERM`: a process group has the caller's PID as its ID.
pub(crate) fn setsid(cx: &mut Context<'_>) -> SysResult {
    let pid = cx.process().pid();
    if process_table::any(|other| other.group() == pid) {
        return Err(Errno::EPERM);
    }
    cx.process().join(pid, pid);
    Ok(pid as usize)
}
