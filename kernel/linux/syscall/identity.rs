//! getpid(2), getppid(2), gettid(2), getuid(2), setuid(2) and related calls.
//!
//! Not here: which changes of IDs are permitted (`rules::linux::credentials`).

use core::sync::atomic::Ordering;

use rules::abi::errno::Errno;
use rules::linux::capability::Capability;
use rules::linux::credentials::Ids;
use rules::linux::groups::{GroupSet, NGROUPS_MAX};

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

/// getgroups(2): returns the number of supplementary groups and, if there is `room` for any, writes them to `at`.
///
/// # Errors
/// `EINVAL`: the room is negative, or too small and not 0. `EFAULT`: `at` is not writable; some groups were written.
pub(crate) fn getgroups(cx: &mut Context<'_>, room: i32, at: usize) -> SysResult {
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let groups = cx.credentials().supplementary;
    if room == 0 {
        return Ok(groups.len());
    }
    if groups.len() > room {
        return Err(Errno::EINVAL);
    }
    for (index, group) in groups.iter().enumerate() {
        UserPtr::<u32>::new(cx.space(), at.wrapping_add(index * size_of::<u32>())).write(&group)?;
    }
    Ok(groups.len())
}

/// setgroups(2): the `count` groups at `at` become the caller's supplementary groups.
///
/// # Errors
/// Nothing was changed. `EPERM`: without `CAP_SETGID`. `EINVAL`: more than [`NGROUPS_MAX`], or no group. `EFAULT`,
/// `ENOMEM`.
pub(crate) fn setgroups(cx: &mut Context<'_>, count: i32, at: usize) -> SysResult {
    if !cx.credentials().can(Capability::SETGID) {
        return Err(Errno::EPERM);
    }
    let count = usize::try_from(count).ok().filter(|count| *count <= NGROUPS_MAX).ok_or(Errno::EINVAL)?;
    let mut fault = Ok(());
    let groups = GroupSet::new(count, |index| {
        let group = UserPtr::<u32>::new(cx.space(), at.wrapping_add(index * size_of::<u32>())).read();
        group.unwrap_or_else(|error| {
            fault = Err(error);
            0
        })
    });
    let groups = groups.and_then(|groups| fault.map(|()| groups))?;
    cx.process().change_credentials(|credentials| {
        credentials.supplementary = groups;
        Ok(0)
    })
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
    cx.process().change_credentials(|credentials| {
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
        Ok(0)
    })
}

/// setfsuid(2), setfsgid(2): returns the ID for files from before. They report no error.
pub(crate) fn set_file_id(cx: &mut Context<'_>, kind: Kind, id: usize) -> SysResult {
    cx.process().change_credentials(|credentials| {
        let before = match kind {
            Kind::Users => credentials.users.file,
            Kind::Groups => credentials.groups.file,
        };
        match kind {
            Kind::Users => credentials.change_file_user(id as u32),
            Kind::Groups => {
                let is_privileged = credentials.can(Capability::SETGID);
                credentials.groups = credentials.groups.set_file(id as u32, is_privileged);
            }
        }
        Ok(before as usize)
    })
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
