//! futex(2), set_robust_list(2), get_robust_list(2).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use core::time::Duration;

use rules::abi::errno::Errno;
use rules::linux::capability::Capability;

use super::context::{Caller, Context, SysResult};
use super::time;
use crate::core::syscall::caller::Restart;
use crate::linux::task::futex::{self, Scope, Word};
use crate::linux::task::process_table;
use crate::machine::clock;
use crate::machine::memory::user::UserPtr;

const WAIT: usize = 0;
const WAKE: usize = 1;
const REQUEUE: usize = 3;
const CMP_REQUEUE: usize = 4;
const WAKE_OP: usize = 5;
const WAIT_BITSET: usize = 9;
const WAKE_BITSET: usize = 10;
const PRIVATE: usize = 128;
const CLOCK_REALTIME: usize = 256;

/// futex(2).
///
/// # Errors
/// `EAGAIN`, `EFAULT`, `EINTR`, `EINVAL`, `ETIMEDOUT`; `ENOSYS`: priority inheritance, and a real-time clock for an
/// operation without a timeout.
pub(crate) fn futex(cx: &mut Context<'_>, arguments: [usize; 6]) -> SysResult {
    let [addr, operation, value, timeout, other, bits] = arguments;
    let value = value as u32;
    let command = operation & !(PRIVATE | CLOCK_REALTIME) & 0xffff_ffff;
    if operation & CLOCK_REALTIME != 0 && command != WAIT_BITSET {
        return Err(Errno::ENOSYS);
    }
    let scope = if operation & PRIVATE != 0 { Scope::Private } else { Scope::Shared };
    match command {
        WAIT | WAIT_BITSET => {
            let bits = if command == WAIT { u32::MAX } else { bits as u32 };
            let deadline = match (timeout, cx.resume.take()) {
                (0, _) => None,
                (_, Some(resumed)) => Some(resumed),
                (at, None) => Some(deadline(cx, at, operation)?),
            };
            if bits == 0 {
                return Err(Errno::EINVAL);
            }
            cx.restart.set(deadline.map_or(Restart::AsHandlersSay, Restart::Until));
            let word = Word::new(cx.space(), addr, scope)?;
            futex::wait(cx.sleeper(), word, value, bits, deadline).map(|()| 0)
        }
        WAKE | WAKE_BITSET => {
            let bits = if command == WAKE { u32::MAX } else { bits as u32 };
            if bits == 0 {
                return Err(Errno::EINVAL);
            }
            // As on Linux, 0 wakes one waiter, too.
            Ok(futex::wake(Word::new(cx.space(), addr, scope)?, (value as usize).max(1), bits))
        }
        REQUEUE | CMP_REQUEUE => {
            let moved = usize::try_from(timeout as i32).map_err(|_| Errno::EINVAL)?;
            let most = usize::try_from(value.cast_signed()).map_err(|_| Errno::EINVAL)?;
            let expected = (command == CMP_REQUEUE).then_some(bits as u32);
            let from = Word::new(cx.space(), addr, scope)?;
            let to = Word::new(cx.space(), other, scope)?;
            futex::requeue(from, most, to, moved, expected)
        }
        WAKE_OP => {
            let word = Word::new(cx.space(), addr, scope)?;
            let other = Word::new(cx.space(), other, scope)?;
            wake_op(word, value as usize, other, timeout, bits)
        }
        _ => Err(Errno::ENOSYS),
    }
}

/// Returns the deadline of a wait: `FUTEX_WAIT` takes a duration, `FUTEX_WAIT_BITSET` a point in time.
fn deadline(cx: &Context<'_>, at: usize, operation: usize) -> Result<Duration, Errno> {
    let time = time::read_timespec(cx.space(), at)?;
    if operation & !(PRIVATE | CLOCK_REALTIME) & 0xffff_ffff == WAIT {
        return Ok(clock::now().saturating_add(time));
    }
    if operation & CLOCK_REALTIME != 0 {
        return Ok(clock::now().saturating_add(time.saturating_sub(clock::realtime())));
    }
    Ok(time)
}

fn wake_op(word: Word<'_>, most: usize, other: Word<'_>, most_other: usize, encoded: usize) -> SysResult {
    let operand = {
        let raw = ((encoded << 8) as u32).cast_signed() >> 20;
        if encoded & (8 << 28) != 0 { 1u32.wrapping_shl(raw.cast_unsigned()) } else { raw.cast_unsigned() }
    };
    let comparand = ((encoded << 20) as u32).cast_signed() >> 20;
    let operation = (encoded >> 28) & 7;
    let comparison = (encoded >> 24) & 15;
    if operation > 4 || comparison > 5 {
        return Err(Errno::ENOSYS);
    }
    let old = other.update(|old| match operation {
        0 => operand,
        1 => old.wrapping_add(operand),
        2 => old | operand,
        3 => old & !operand,
        _ => old ^ operand,
    })?;
    let old = old.cast_signed();
    let holds = match comparison {
        0 => old == comparand,
        1 => old != comparand,
        2 => old < comparand,
        3 => old <= comparand,
        4 => old > comparand,
        _ => old >= comparand,
    };
    let woken = futex::wake(word, most.max(1), u32::MAX);
    Ok(woken + if holds { futex::wake(other, most_other.max(1), u32::MAX) } else { 0 })
}

/// set_robust_list(2).
///
/// # Errors
/// `EINVAL`: `len` is not the size of `struct robust_list_head`.
pub(crate) fn set_robust_list(cx: &mut Context<'_>, head: usize, len: usize) -> SysResult {
    if len != 24 {
        return Err(Errno::EINVAL);
    }
    cx.thread().robust_list.store(head, Ordering::Relaxed);
    Ok(0)
}

/// get_robust_list(2); thread 0 is the caller.
///
/// # Errors
/// `ESRCH`: no such thread. `EPERM`: a thread of another user. `EFAULT`.
pub(crate) fn get_robust_list(cx: &mut Context<'_>, tid: usize, head: usize, len: usize) -> SysResult {
    let thread = match tid as u32 {
        0 => cx.thread().clone(),
        tid => process_table::find_thread(tid).ok_or(Errno::ESRCH)?,
    };
    let credentials = cx.credentials();
    let is_own = Arc::ptr_eq(thread.process(), cx.process());
    if !is_own && !credentials.may_govern(&thread.process().credentials.lock(), Capability::SYS_PTRACE) {
        return Err(Errno::EPERM);
    }
    UserPtr::<usize>::new(cx.space(), len).write(&24)?;
    UserPtr::<usize>::new(cx.space(), head).write(&thread.robust_list.load(Ordering::Relaxed))?;
    Ok(0)
}
