//! getpid(2), getppid(2), gettid(2), getuid(2), setuid(2) and related calls.
//!
//! Not here: which changes of IDs are permitted (`rules::linux::credentials`).

use core::sync::atomic::Ordering;

use rules::abi::errno::Errno;
use rules::linux::capability::Capability;
use rules::linux::credentials::Ids;

use super::context::{Caller, Context, SysResult};
use crate::machine::memory::user::UserPtr;

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

/// getuid(2).
pub(crate) fn getuid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.credentials().users.real as usize)
}

/// geteuid(2).
pub(crate) fn geteuid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.credentials().users.effective as usize)
}

/// getgid(2).
pub(crate) fn getgid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.credentials().groups.real as usize)
}

/// getegid(2).
pub(crate) fn getegid(cx: &mut Context<'_>) -> SysResult {
    Ok(cx.credentials().groups.effective as usize)
}

/// getgroups(2): there are no supplementary groups.
///
/// # Errors
/// `EINVAL`: the size is negative.
pub(crate) fn getgroups(room: i32) -> SysResult {
    if room < 0 { Err(Errno::EINVAL) } else { Ok(0) }
}

/// Which of the caller's IDs to change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Users,
    Groups,
}

/// The new IDs, as the three families of system calls take them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IdChange {
    /// setuid(2), setgid(2).
    One(usize),
    /// setreuid(2), setregid(2): real and effective.
    Two(usize, usize),
    /// setresuid(2), setresgid(2): real, effective and saved.
    Three(usize, usize, usize),
}

/// setuid(2), setgid(2) and related calls.
///
/// # Errors
/// Those of [`Ids::set`], [`Ids::set_two`] and [`Ids::set_three`]; the privilege is `CAP_SETUID` or `CAP_SETGID`.
pub(crate) fn set_ids(cx: &mut Context<'_>, kind: Kind, change: IdChange) -> SysResult {
    let mut credentials = cx.process().credentials.lock();
    let (before, capability) = match kind {
        Kind::Users => (credentials.users, Capability::SETUID),
        Kind::Groups => (credentials.groups, Capability::SETGID),
    };
    let is_privileged = credentials.can(capability);
    let after: Ids = match change {
        IdChange::One(id) => before.set(id as u32, is_privileged)?,
        IdChange::Two(real, effective) => before.set_two(real as u32, effective as u32, is_privileged)?,
        IdChange::Three(real, effective, saved) => {
            before.set_three([real as u32, effective as u32, saved as u32], is_privileged)?
        }
    };
    match kind {
        Kind::Users => credentials.change_users(after),
        Kind::Groups => credentials.groups = after,
    }
    cx.space().set_administrators(credentials.can(Capability::SYS_ADMIN));
    Ok(0)
}

/// getresuid(2), getresgid(2): writes `ids` to three addresses.
///
/// # Errors
/// `EFAULT`: an address is not writable; the IDs before it were written.
pub(crate) fn getres(cx: &mut Context<'_>, ids: Ids, at: [usize; 3]) -> SysResult {
    for (id, at) in [ids.real, ids.effective, ids.saved].into_iter().zip(at) {
        UserPtr::<u32>::new(cx.space(), at).write(&id)?;
    }
    Ok(0)
}
