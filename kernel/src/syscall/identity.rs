//! getpid(2), getppid(2), gettid(2), getuid(2), setuid(2), getpgid(2), setsid(2) and their kin.

use core::sync::atomic::Ordering;

use model::abi::errno::Errno;

use super::context::{Context, SysResult};
use crate::memory::user::UserPtr;
use crate::task::process;

/// getpid(2).
pub(crate) fn getpid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.process().pid() as usize)
}

/// getppid(2).
pub(crate) fn getppid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.process().parent.lock().upgrade().map_or(0, |parent| parent.pid() as usize))
}

/// gettid(2).
pub(crate) fn gettid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.thread().tid() as usize)
}

/// set_tid_address(2).
pub(crate) fn set_tid_address(cx: &mut Context<'_>, at: usize) -> SysResult {
    cx.thread().clear_tid.store(at, Ordering::Relaxed);
    gettid(cx)
}

/// getuid(2), geteuid(2).
pub(crate) fn getuid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.process().credentials.lock().uid as usize)
}

/// getgid(2), getegid(2).
pub(crate) fn getgid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.process().credentials.lock().gid as usize)
}

/// setuid(2), setreuid(2), setresuid(2), all IDs at once: `u32::MAX` leaves them.
///
/// # Errors
/// `EPERM`: not root, and not one's own ID.
pub(crate) fn setuid(cx: &mut Context<'_>, uid: usize) -> SysResult {
    let mut credentials = cx.process().credentials.lock();
    let uid = uid as u32;
    if uid != u32::MAX && uid != credentials.uid {
        if !credentials.is_privileged() {
            return Err(Errno::EPERM);
        }
        credentials.uid = uid;
    }
    Ok(0)
}

/// setgid(2) and its kin.
///
/// # Errors
/// `EPERM`: not root, and not one's own ID.
pub(crate) fn setgid(cx: &mut Context<'_>, gid: usize) -> SysResult {
    let mut credentials = cx.process().credentials.lock();
    let gid = gid as u32;
    if gid != u32::MAX && gid != credentials.gid {
        if !credentials.is_privileged() {
            return Err(Errno::EPERM);
        }
        credentials.gid = gid;
    }
    Ok(0)
}

/// getresuid(2), getresgid(2): `id` thrice.
pub(crate) fn getres(cx: &mut Context<'_>, id: usize, at: [usize; 3]) -> SysResult {
    for at in at {
        UserPtr::<u32>::new(cx.space(), at).write(&(id as u32))?;
    }
    Ok(0)
}

/// getpgid(2); 0 is the caller.
pub(crate) fn getpgid(cx: &mut Context<'_>, pid: usize) -> SysResult {
    let process = if pid as u32 == 0 { Some(cx.process().clone()) } else { process::find(pid as u32) };
    Ok(process.ok_or(Errno::ESRCH)?.group.load(Ordering::Relaxed) as usize)
}

/// getsid(2); 0 is the caller.
pub(crate) fn getsid(cx: &mut Context<'_>, pid: usize) -> SysResult {
    let process = if pid as u32 == 0 { Some(cx.process().clone()) } else { process::find(pid as u32) };
    Ok(process.ok_or(Errno::ESRCH)?.session.load(Ordering::Relaxed) as usize)
}

/// setpgid(2).
///
/// # Errors
/// `EINVAL`: negative. `ESRCH`: neither the caller nor its child. `EPERM`: no such group in the session.
pub(crate) fn setpgid(cx: &mut Context<'_>, pid: usize, group: usize) -> SysResult {
    let own = cx.process();
    if (group as u32).cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let pid = if pid as u32 == 0 { own.pid() } else { pid as u32 };
    let target = if pid == own.pid() {
        own.clone()
    } else {
        own.children.lock().iter().find(|child| child.pid() == pid).cloned().ok_or(Errno::ESRCH)?
    };
    let group = if group as u32 == 0 { pid } else { group as u32 };
    let session = own.session.load(Ordering::Relaxed);
    if target.session.load(Ordering::Relaxed) != session || target.session.load(Ordering::Relaxed) == pid {
        return Err(Errno::EPERM);
    }
    let exists = |other: &alloc::sync::Arc<process::Process>| {
        other.group.load(Ordering::Relaxed) == group && other.session.load(Ordering::Relaxed) == session
    };
    if group != pid && !process::all().iter().any(exists) {
        return Err(Errno::EPERM);
    }
    target.group.store(group, Ordering::Relaxed);
    Ok(0)
}

/// setsid(2).
///
/// # Errors
/// `EPERM`: the caller leads a process group.
pub(crate) fn setsid(cx: &mut Context<'_>) -> SysResult {
    let own = cx.process();
    if process::all().iter().any(|other| other.group.load(Ordering::Relaxed) == own.pid()) {
        return Err(Errno::EPERM);
    }
    own.group.store(own.pid(), Ordering::Relaxed);
    own.session.store(own.pid(), Ordering::Relaxed);
    Ok(own.pid() as usize)
}
