//! mlock(2), mlock2(2), munlock(2), mlockall(2), munlockall(2), and how much a process may lock.
//!
//! Missing: Linux counts `SHM_LOCK` and some devices' memory for the user. None of that is here.
//! Source: mlock(2), getrlimit(2) (`RLIMIT_MEMLOCK`); Linux 6.1 mm/mlock.c (`do_mlock`), mm/mmap.c
//! (`mlock_future_check`).

use core::ops::Range;

use rules::abi::errno::Errno;
use rules::linux::capability::Capability;
use rules::machine::abi::mman::{LockAllFlags, MLOCK_ONFAULT, MapFlags};

use super::context::{Caller, Context, SysResult};
use super::memory;
use crate::linux::task::limits::Resource;
use crate::machine::memory::layout::{TASK_SIZE, page_down, page_up};
use crate::machine::memory::space::Locking;

/// mlock(2).
///
/// # Errors
/// Those of [`mlock2`].
pub(crate) fn mlock(cx: &Context<'_>, addr: usize, len: usize) -> SysResult {
    lock(cx, addr, len, Locking::Now)
}

/// mlock2(2).
///
/// # Errors
/// `EINVAL`: an unknown flag, or the range is too long. `EPERM`: nothing may be locked. `ENOMEM`: more than may be
/// locked, and nothing was; or part of the range is not mapped. `EAGAIN`: there is no memory for all of it.
pub(crate) fn mlock2(cx: &Context<'_>, addr: usize, len: usize, flags: u32) -> SysResult {
    let locking = match flags {
        0 => Locking::Now,
        MLOCK_ONFAULT => Locking::OnFault,
        _ => return Err(Errno::EINVAL),
    };
    lock(cx, addr, len, locking)
}

fn lock(cx: &Context<'_>, addr: usize, len: usize, locking: Locking) -> SysResult {
    check_any(cx)?;
    let range = touched_pages(addr, len)?;
    let most = most(cx);
    // What is locked already does not count twice.
    let others = || cx.space().locked(0..TASK_SIZE) - cx.space().locked(range.clone());
    if range.len() > most || most < usize::MAX && range.len() + others() > most {
        return Err(Errno::ENOMEM);
    }
    cx.space().lock_range(range, locking).map(|()| 0)
}

/// munlock(2).
pub(crate) fn munlock(cx: &Context<'_>, addr: usize, len: usize) -> SysResult {
    cx.space().lock_range(touched_pages(addr, len)?, Locking::Off).map(|()| 0)
}

/// mlockall(2).
///
/// # Errors
/// Nothing was locked. `EINVAL`: an unknown flag, or neither `MCL_CURRENT` nor `MCL_FUTURE`. `EPERM`: nothing may be
/// locked. `ENOMEM`: more is mapped than may be locked.
pub(crate) fn mlockall(cx: &Context<'_>, flags: u32) -> SysResult {
    let flags = LockAllFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if flags.is_empty() || flags == LockAllFlags::ONFAULT {
        return Err(Errno::EINVAL);
    }
    check_any(cx)?;
    if flags.contains(LockAllFlags::CURRENT) && cx.space().statistics().virtual_size > most(cx) {
        return Err(Errno::ENOMEM);
    }
    let locking = if flags.contains(LockAllFlags::ONFAULT) { Locking::OnFault } else { Locking::Now };
    let future = if flags.contains(LockAllFlags::FUTURE) { locking } else { Locking::Off };
    cx.space().lock_all(flags.contains(LockAllFlags::CURRENT).then_some(locking), future);
    Ok(0)
}

/// munlockall(2).
pub(crate) fn munlockall(cx: &Context<'_>) -> SysResult {
    cx.space().lock_all(Some(Locking::Off), Locking::Off);
    Ok(0)
}

/// brk(2), where a longer heap would be locked: it stays as it is if that is more than may be locked.
pub(crate) fn brk(cx: &Context<'_>, end: usize) -> SysResult {
    let space = cx.space();
    if space.locks_future() {
        let now = space.brk(0);
        if end > now && check_more(cx, end - now).is_err() {
            return Ok(now);
        }
    }
    memory::brk(space, end)
}

/// Checks whether a mapping of `len` bytes, made with `flags` of mmap(2), may be locked.
///
/// # Errors
/// `EPERM`: `MAP_LOCKED`, and nothing may be locked. `EAGAIN`: that would be more than may be locked.
pub(crate) fn check_mapping(cx: &Context<'_>, flags: u32, len: usize) -> Result<(), Errno> {
    if MapFlags::from_bits_truncate(flags).contains(MapFlags::LOCKED) {
        check_any(cx)?;
    }
    check_more(cx, len)
}

/// Checks whether `len` more bytes may be locked.
///
/// # Errors
/// `EAGAIN`: that would be more than may be locked.
pub(crate) fn check_more(cx: &Context<'_>, len: usize) -> Result<(), Errno> {
    let most = most(cx);
    let fits = most == usize::MAX
        || cx.space().locked(0..TASK_SIZE).checked_add(len).is_some_and(|locked| locked <= most);
    if fits { Ok(()) } else { Err(Errno::EAGAIN) }
}

/// # Errors
/// `EPERM`: the caller may lock nothing (`can_do_mlock`).
fn check_any(cx: &Context<'_>) -> Result<(), Errno> {
    if most(cx) == 0 { Err(Errno::EPERM) } else { Ok(()) }
}

/// Returns how many bytes the caller may lock.
fn most(cx: &Context<'_>) -> usize {
    if cx.credentials().can(Capability::IPC_LOCK) {
        return usize::MAX;
    }
    usize::try_from(cx.process().limits.soft(Resource::LockedMemory)).unwrap_or(usize::MAX)
}

/// Returns the pages that a range touches.
fn touched_pages(addr: usize, len: usize) -> Result<Range<usize>, Errno> {
    let start = page_down(addr);
    // As on Linux, a length near the end of the address space wraps to zero.
    let len = len.checked_add(addr - start).and_then(page_up).unwrap_or(0);
    let end = start.checked_add(len).ok_or(Errno::EINVAL)?;
    Ok(start..end)
}
