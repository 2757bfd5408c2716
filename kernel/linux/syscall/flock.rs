//! flock(2).
//!
//! Not here: the table of locks (`fs/lock`).   Missing: locks of files that are not in the tree (pipes, sockets).
//! Source: Linux 6.1 fs/locks.c (`flock`).

use core::task::Poll;

use pollee::{Recheck, WaitTarget, WakeMode};
use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::linux::lock::LockMode;

use super::at;
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::lock;

/// flock(2).
///
/// # Errors
/// No lock was taken. `EBADF`: not open. `EINVAL`: no such operation. `EAGAIN`: `LOCK_NB`, and another file holds a
/// conflicting lock. `EINTR`: a signal came first.
pub(crate) fn flock(cx: &mut Context<'_>, fd: Fd, operation: u32) -> SysResult {
    const LOCK_SH: u32 = 1;
    const LOCK_EX: u32 = 2;
    const LOCK_NB: u32 = 4;
    const LOCK_UN: u32 = 8;
    let file = cx.files().get(fd)?;
    let mode = match operation & !LOCK_NB {
        LOCK_SH => Some(LockMode::Shared),
        LOCK_EX => Some(LockMode::Exclusive),
        LOCK_UN => None,
        _ => return Err(Errno::EINVAL),
    };
    let lock = lock::of(&at::place(&file).ok_or(Errno::EINVAL)?.inode);
    let result = match mode {
        None => {
            lock.release_from(file.id());
            Ok(())
        }
        Some(mode) if operation & LOCK_NB != 0 => match lock.acquire(&file, mode) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(Errno::EAGAIN),
        },
        Some(mode) => {
            let (watch, interest) = lock.watch(mode);
            let target = WaitTarget { file: watch, interest, mode: WakeMode::All, recheck: Recheck::Try };
            pollee::wait_events(cx.sleeper(), target, None, || lock.acquire(&file, mode))
                .map_err(Errno::from)
                .flatten()
        }
    };
    lock.forget_unused();
    result.map(|()| 0)
}
