//! sched_setscheduler(2), sched_setparam(2), sched_setattr(2) and what reads them; sched_rr_get_interval(2).
//!
//! Not here: which changes are allowed (`rules::linux::sched`), what they do (`task::scheduler`).
//! Source: sched(7); Linux 6.1 kernel/sched/core.c.

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::time::Timespec;
use rules::linux::capability::Capability;
use rules::linux::sched::{
    self, ATTR_SIZES, Attributes, Change, Policy, Rights, SCHED_RESET_ON_FORK, priorities,
};
use rules::machine::scheduling::{PERIOD, TURN};

use super::context::{Caller, Context, SysResult};
use super::sched::{find, is_own};
use crate::linux::task::limits::Resource;
use crate::linux::task::scheduler;
use crate::linux::task::thread::Thread;
use crate::machine::memory::layout::PAGE_SIZE;
use crate::machine::memory::user::{UserPtr, UserSlice};

/// Returns what decides whether the caller may change how `thread` is scheduled.
pub(super) fn rights(cx: &Context<'_>, thread: &Thread) -> Rights {
    let limits = &thread.process().limits;
    Rights {
        is_own: is_own(cx, thread),
        is_privileged: cx.credentials().can(Capability::SYS_NICE),
        nice_limit: limits.soft(Resource::Nice),
        priority_limit: limits.soft(Resource::RealTimePriority),
    }
}

/// As [`find`], but a negative ID is an error of its own.
///
/// # Errors
/// `EINVAL`: a negative ID. `ESRCH`: no such thread.
fn find_positive(cx: &Context<'_>, tid: usize) -> Result<Arc<Thread>, Errno> {
    if (tid as u32).cast_signed() < 0 { Err(Errno::EINVAL) } else { find(cx, tid) }
}

fn apply(cx: &Context<'_>, thread: &Arc<Thread>, change: Change) -> SysResult {
    let rights = rights(cx, thread);
    scheduler::change(thread, |old| change.apply(old, rights)).map(|()| 0)
}

/// Changes policy and priority; without a policy, the priority.
fn set(cx: &mut Context<'_>, tid: usize, policy: Option<u32>, parameters: usize) -> SysResult {
    if parameters == 0 || (tid as u32).cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let priority: u32 = UserPtr::new(cx.space(), parameters).read()?;
    let thread = find(cx, tid)?;
    let resets_on_fork = policy.is_some_and(|policy| policy & SCHED_RESET_ON_FORK != 0);
    let policy = policy.map(|policy| policy & !SCHED_RESET_ON_FORK);
    apply(cx, &thread, Change { policy, priority, nice: None, resets_on_fork })
}

/// sched_setscheduler(2).
///
/// # Errors
/// Nothing was changed. `EINVAL`: a negative ID, no parameters, no such policy, or a priority that it does not have.
/// `ESRCH`: no such thread. `EPERM`: see [`Change::apply`]. `EFAULT`.
pub(crate) fn sched_setscheduler(
    cx: &mut Context<'_>,
    tid: usize,
    policy: usize,
    parameters: usize,
) -> SysResult {
    let policy = policy as u32;
    if policy.cast_signed() < 0 { Err(Errno::EINVAL) } else { set(cx, tid, Some(policy), parameters) }
}

/// sched_setparam(2).
///
/// # Errors
/// As [`sched_setscheduler`].
pub(crate) fn sched_setparam(cx: &mut Context<'_>, tid: usize, parameters: usize) -> SysResult {
    set(cx, tid, None, parameters)
}

/// sched_getscheduler(2).
///
/// # Errors
/// `EINVAL`: a negative ID. `ESRCH`: no such thread.
pub(crate) fn sched_getscheduler(cx: &mut Context<'_>, tid: usize) -> SysResult {
    let Attributes { policy, resets_on_fork, .. } = find_positive(cx, tid)?.attributes();
    let flag = if resets_on_fork { SCHED_RESET_ON_FORK } else { 0 };
    Ok((policy.number() | flag) as usize)
}

/// sched_getparam(2).
///
/// # Errors
/// `EINVAL`: a negative ID, or no address. `ESRCH`, `EFAULT`.
pub(crate) fn sched_getparam(cx: &mut Context<'_>, tid: usize, at: usize) -> SysResult {
    if at == 0 {
        return Err(Errno::EINVAL);
    }
    let priority = find_positive(cx, tid)?.attributes().priority;
    UserPtr::<u32>::new(cx.space(), at).write(&priority.into())?;
    Ok(0)
}

/// sched_setattr(2).
///
/// # Errors
/// Nothing was changed. `EINVAL`: a negative ID, no structure, flags, or as [`sched_setscheduler`]. `E2BIG`: a size
/// that is not known; the known one was written. `EOPNOTSUPP`: utilization clamps. `ESRCH`, `EPERM`, `EFAULT`.
pub(crate) fn sched_setattr(cx: &mut Context<'_>, tid: usize, at: usize, flags: usize) -> SysResult {
    if at == 0 || (tid as u32).cast_signed() < 0 || flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let place = UserPtr::<u32>::new(cx.space(), at);
    let size = match place.read()? as usize {
        0 => ATTR_SIZES[0],
        size => size,
    };
    let refuse = || {
        let _ = place.write(&(ATTR_SIZES[1] as u32));
        Err(Errno::E2BIG)
    };
    if !(ATTR_SIZES[0]..=PAGE_SIZE).contains(&size) {
        return refuse();
    }
    let mut bytes = [0; PAGE_SIZE];
    UserSlice::new(cx.space(), at, size)?.read_bytes(&mut bytes[..size])?;
    let (known, rest) = bytes.split_at(ATTR_SIZES[1]);
    if rest.iter().any(|byte| *byte != 0) {
        return refuse();
    }
    let mut attr = [0; ATTR_SIZES[1]];
    attr.copy_from_slice(known);
    sched::check_attr(&attr)?;
    let thread = find(cx, tid)?;
    let change = sched::parse_attr(&attr, thread.attributes())?;
    apply(cx, &thread, change)
}

/// sched_getattr(2).
///
/// # Errors
/// `EINVAL`: a negative ID, no structure, one that is too small or larger than a page, or flags. `ESRCH`, `EFAULT`.
pub(crate) fn sched_getattr(
    cx: &mut Context<'_>,
    tid: usize,
    at: usize,
    size: usize,
    flags: usize,
) -> SysResult {
    let size = size as u32 as usize;
    if at == 0 || !(ATTR_SIZES[0]..=PAGE_SIZE).contains(&size) || flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let size = size.min(ATTR_SIZES[1]);
    let bytes = sched::attr(find_positive(cx, tid)?.attributes(), size);
    UserSlice::new(cx.space(), at, size)?.write_bytes(&bytes[..size])?;
    Ok(0)
}

/// sched_get_priority_min(2) and sched_get_priority_max(2).
///
/// # Errors
/// `EINVAL`: no such policy.
pub(crate) fn sched_get_priority(policy: usize, of: fn((u32, u32)) -> u32) -> SysResult {
    priorities(policy as u32).map(|bounds| of(bounds) as usize)
}

/// sched_rr_get_interval(2): the time slice of a thread that is alone with others of its kind. A `SCHED_FIFO` thread
/// has none.
///
/// # Errors
/// `EINVAL`: a negative ID. `ESRCH`, `EFAULT`.
pub(crate) fn sched_rr_get_interval(cx: &mut Context<'_>, tid: usize, at: usize) -> SysResult {
    let nanos = match find_positive(cx, tid)?.attributes().policy {
        Policy::Fifo => 0,
        Policy::RoundRobin => TURN,
        Policy::Other | Policy::Batch | Policy::Idle => PERIOD / 2,
    };
    let slice = Timespec::from(core::time::Duration::from_nanos(nanos));
    UserPtr::<Timespec>::new(cx.space(), at).write(&slice)?;
    Ok(0)
}
