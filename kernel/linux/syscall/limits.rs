//! prlimit64(2), getrlimit(2), setrlimit(2).

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::core::fd;
use rules::linux::capability::Capability;

use super::context::{Caller, Context, SysResult};
use crate::linux::task::limits::Resource;
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::machine::memory::user::UserPtr;

/// prlimit64(2); process 0 is the caller.
///
/// # Errors
/// Nothing was changed. `EINVAL`: no such resource, or the soft limit exceeds the hard one. `EPERM`: above the hard
/// limit, or a process of another user. `ESRCH`: no such process. `EFAULT`.
pub(crate) fn prlimit(
    cx: &mut Context<'_>,
    pid: usize,
    resource: usize,
    new: usize,
    old: usize,
) -> SysResult {
    let resource = resource as u32 as usize;
    let target = match pid as u32 {
        0 => cx.process().clone(),
        pid => process_table::find(pid).ok_or(Errno::ESRCH)?,
    };
    let before = target.limits.get(resource).ok_or(Errno::EINVAL)?;
    let own = cx.credentials();
    let is_own = Arc::ptr_eq(&target, cx.process());
    if !is_own && !own.may_govern(&target.credentials.lock(), Capability::SYS_RESOURCE) {
        return Err(Errno::EPERM);
    }
    if new != 0 {
        let wanted = UserPtr::<[u64; 2]>::new(cx.space(), new).read()?;
        set(&target, resource, wanted, before[1], own.can(Capability::SYS_RESOURCE))?;
    }
    if old != 0 {
        UserPtr::<[u64; 2]>::new(cx.space(), old).write(&before)?;
    }
    Ok(0)
}

fn set(
    target: &Arc<Process>,
    resource: usize,
    [soft, hard]: [u64; 2],
    most: u64,
    is_privileged: bool,
) -> Result<(), Errno> {
    if soft > hard {
        return Err(Errno::EINVAL);
    }
    if hard > most && !is_privileged {
        return Err(Errno::EPERM);
    }
    // `fs.nr_open` bounds privileged users, too.
    if resource == Resource::Files as usize && hard > u64::from(fd::MOST) {
        return Err(Errno::EPERM);
    }
    target.limits.set(resource, [soft, hard]);
    if !target.borrows_space() {
        target.limits.apply(&target.space().limits);
    }
    Ok(())
}
