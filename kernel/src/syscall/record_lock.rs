//! Record locks: fcntl(2)'s `F_GETLK`, `F_SETLK` and `F_SETLKW`.
//!
//! The arguments are checked as on Linux; that is all. Every lock is granted at once, which is right for one process,
//! whose own locks never conflict, and keeps no two processes apart.
//! Source: fcntl_locking(2); Linux 6.1 fs/locks.c.

use model::abi::errno::Errno;
use model::abi::flock::{self, Flock, LockKind, RawFlock};

use super::context::{Context, SysResult};
use crate::file::description::OpenFile;
use crate::memory::user::UserPtr;

/// Says who holds a lock that is in the way of the one at `argument`: nobody.
///
/// # Errors
/// `EFAULT`: no `struct flock` there. `EINVAL`, `EOVERFLOW`: a senseless one.
pub(super) fn get(cx: &Context<'_>, file: &OpenFile, argument: usize) -> SysResult {
    let place = UserPtr::<RawFlock>::new(cx.space(), argument);
    let raw = place.read()?;
    if parse(file, raw)?.kind == LockKind::Unlock {
        return Err(Errno::EINVAL);
    }
    place.write(&flock::unlocked(raw))?;
    Ok(0)
}

/// Takes or releases the lock at `argument`.
///
/// # Errors
/// As [`get`]. `EBADF`: not opened for what the lock is to protect.
pub(super) fn set(cx: &Context<'_>, file: &OpenFile, argument: usize) -> SysResult {
    let raw = UserPtr::<RawFlock>::new(cx.space(), argument).read()?;
    match parse(file, raw)?.kind {
        LockKind::Read => file.require_read()?,
        LockKind::Write => file.require_write()?,
        LockKind::Unlock => {}
    }
    Ok(0)
}

fn parse(file: &OpenFile, raw: RawFlock) -> Result<Flock, Errno> {
    Flock::parse(raw, *file.offset(), file.file().size())
}
