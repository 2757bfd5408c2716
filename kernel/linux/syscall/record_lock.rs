//! Record locks: fcntl(2)'s `F_GETLK`, `F_SETLK` and `F_SETLKW`, and the same for open file descriptions.
//!
//! Owns: arguments, and the wait.   Not here: the table of locks (fs/record_lock).
//! Source: fcntl_locking(2); Linux 6.1 fs/locks.c (`fcntl_getlk`, `fcntl_setlk`).

use alloc::sync::Arc;
use core::task::Poll;

use pollee::{Events, Recheck, WaitTarget, WakeMode};
use rules::abi::errno::Errno;
use rules::abi::fcntl::LockOwner;
use rules::linux::lock::LockMode;
use rules::linux::record_lock::argument as flock;
use rules::linux::record_lock::argument::{Flock, RawFlock};

use super::context::{Caller, Context, SysResult};
use crate::core::file::description::OpenFile;
use crate::core::file::release::ReleaseObserver;
use crate::linux::fs::record_lock::{self, FileLocks, Holder, RecordLockOwner, Waiting};
use crate::machine::memory::user::UserPtr;

/// Whether to wait for a conflicting lock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wait {
    /// Fail at once.
    No,
    /// Wait.
    Yes,
}

/// Reports at `argument` a lock that conflicts with the one described there.
///
/// # Errors
/// `EFAULT`: `argument` is not accessible. `EINVAL`, `EOVERFLOW`: an invalid lock.
pub(super) fn get(cx: &Context<'_>, file: &Arc<OpenFile>, owner: LockOwner, argument: usize) -> SysResult {
    let place = UserPtr::<RawFlock>::new(cx.space(), argument);
    let raw = place.read()?;
    let wanted = parse(file, owner, raw)?;
    let mode = wanted.mode.ok_or(Errno::EINVAL)?;
    let locks = record_lock::of(file);
    let answer = match locks.in_the_way(holder(cx, file, owner), mode, wanted.bytes) {
        None => flock::unlocked(raw),
        Some(held) => flock::held(raw, held.mode, held.bytes, held.owner.process),
    };
    locks.forget_unused();
    place.write(&answer)?;
    Ok(0)
}

/// Takes or releases the lock at `argument`.
///
/// # Errors
/// Nothing was changed. As [`get`]. `EBADF`: the file is not open for the access that the lock protects. `EAGAIN`: a
/// conflicting lock is held, and the caller does not wait. `EDEADLK`: its owner waits for the caller. `EINTR`: a
/// signal came first. `ENOMEM`.
pub(super) fn set(
    cx: &Context<'_>,
    file: &Arc<OpenFile>,
    owner: LockOwner,
    argument: usize,
    wait: Wait,
) -> SysResult {
    let raw = UserPtr::<RawFlock>::new(cx.space(), argument).read()?;
    let wanted = parse(file, owner, raw)?;
    let holder = holder(cx, file, owner);
    let locks = record_lock::of(file);
    let result = match wanted.mode {
        None => locks.release(holder, wanted.bytes),
        Some(mode) => {
            let check = if mode == LockMode::Shared { file.require_read() } else { file.require_write() };
            check.and_then(|()| observe(file, owner, &locks)).and_then(|()| match wait {
                Wait::Yes => acquire(cx, &locks, holder, mode, wanted),
                Wait::No => match locks.acquire(holder, mode, wanted.bytes) {
                    Poll::Ready(result) => result,
                    Poll::Pending => Err(Errno::EAGAIN),
                },
            })
        }
    };
    locks.forget_unused();
    result.map(|()| 0)
}

fn acquire(
    cx: &Context<'_>,
    locks: &FileLocks,
    holder: Holder,
    mode: LockMode,
    wanted: Flock,
) -> Result<(), Errno> {
    let mut waiting = Waiting::new(holder.owner);
    let target = WaitTarget {
        file: locks.watch(),
        interest: Events::WRITABLE,
        mode: WakeMode::All,
        recheck: Recheck::Try,
    };
    pollee::wait_events(cx.sleeper(), target, None, || {
        let result = locks.acquire(holder, mode, wanted.bytes);
        if result.is_pending()
            && matches!(holder.owner, RecordLockOwner::Table(_))
            && let Some(held) = locks.in_the_way(holder, mode, wanted.bytes)
        {
            waiting.wait_for(held.owner.owner)?;
        }
        result
    })?
}

/// Arranges that an open file description releases its locks when it is closed.
fn observe(file: &OpenFile, owner: LockOwner, locks: &Arc<FileLocks>) -> Result<(), Errno> {
    match owner {
        LockOwner::Process => Ok(()),
        LockOwner::Description => {
            let observer: Arc<dyn ReleaseObserver> = locks.clone();
            file.observe(&observer)
        }
    }
}

fn holder(cx: &Context<'_>, file: &OpenFile, owner: LockOwner) -> Holder {
    match owner {
        LockOwner::Process => {
            Holder { owner: record_lock::owner_of(cx.files()), process: cx.process().pid().cast_signed() }
        }
        LockOwner::Description => Holder { owner: RecordLockOwner::Description(file.id()), process: -1 },
    }
}

fn parse(file: &OpenFile, owner: LockOwner, raw: RawFlock) -> Result<Flock, Errno> {
    if owner == LockOwner::Description && flock::process(raw) != 0 {
        return Err(Errno::EINVAL);
    }
    let current = *file.offset();
    Flock::parse(raw, current, file.stat().size.cast_unsigned())
}
