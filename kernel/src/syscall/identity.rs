//! getpid(2), getppid(2), gettid(2), getuid(2), setuid(2) and their kin.

use core::sync::atomic::Ordering;

use model::abi::errno::Errno;

use super::context::{Context, SysResult};
use crate::memory::user::UserPtr;

/// getpid(2).
pub(crate) fn getpid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.process().pid() as usize)
}

/// getppid(2).
pub(crate) fn getppid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.process().parent.pid() as usize)
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

/// getgroups(2): nobody is in any but their own.
///
/// # Errors
/// `EINVAL`: room for a negative number.
pub(crate) fn getgroups(room: i32) -> SysResult {
    if room < 0 { Err(Errno::EINVAL) } else { Ok(0) }
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
