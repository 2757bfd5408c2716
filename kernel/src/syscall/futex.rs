//! futex(2), set_robust_list(2), get_robust_list(2).

use core::sync::atomic::Ordering;

use model::abi::errno::Errno;

use super::context::{Context, SysResult};
use super::time;
use crate::clock;
use crate::memory::user::UserAtomic;
use crate::task::futex;

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
/// `EAGAIN`, `EFAULT`, `EINTR`, `EINVAL`, `ETIMEDOUT`; `ENOSYS`: the priority-inheriting operations.
pub(crate) fn futex(cx: &mut Context<'_>, arguments: [usize; 6]) -> SysResult {
    let [addr, operation, value, timeout, other, bits] = arguments;
    let value = value as u32;
    let command = operation & !(PRIVATE | CLOCK_REALTIME) & 0xffff_ffff;
    match command {
        WAIT | WAIT_BITSET => {
            let bits = if command == WAIT { u32::MAX } else { bits as u32 };
            if bits == 0 {
                return Err(Errno::EINVAL);
            }
            let deadline = match timeout {
                0 => None,
                at => {
                    let time = time::read_timespec(cx.space(), at)?;
                    let base = if command == WAIT {
                        clock::now()
                    } else if operation & CLOCK_REALTIME != 0 {
                        let now = clock::realtime();
                        cx.may_restart = true;
                        return wait(cx, addr, value, bits, Some(clock::now() + time.saturating_sub(now)));
                    } else {
                        core::time::Duration::ZERO
                    };
                    Some(base.saturating_add(time))
                }
            };
            cx.may_restart = deadline.is_none() || command == WAIT_BITSET;
            wait(cx, addr, value, bits, deadline)
        }
        WAKE | WAKE_BITSET => {
            let bits = if command == WAKE { u32::MAX } else { bits as u32 };
            if bits == 0 || !addr.is_multiple_of(4) {
                return Err(Errno::EINVAL);
            }
            // Linux wakes one for 0, too.
            Ok(futex::wake(cx.space(), addr, (value as usize).max(1), bits))
        }
        REQUEUE | CMP_REQUEUE => {
            let moved = usize::try_from(timeout as i32).map_err(|_| Errno::EINVAL)?;
            let most = usize::try_from(value.cast_signed()).map_err(|_| Errno::EINVAL)?;
            let expected = (command == CMP_REQUEUE).then_some(bits as u32);
            futex::requeue(cx.space(), addr, most, other, moved, expected)
        }
        WAKE_OP => wake_op(cx, [addr, value as usize, timeout, other, bits]),
        _ => Err(Errno::ENOSYS),
    }
}

fn wait(
    cx: &mut Context<'_>,
    addr: usize,
    value: u32,
    bits: u32,
    deadline: Option<core::time::Duration>,
) -> SysResult {
    futex::wait(cx.thread(), addr, value, bits, deadline).map(|()| 0)
}

fn wake_op(cx: &mut Context<'_>, arguments: [usize; 5]) -> SysResult {
    let [addr, most, most_other, other, encoded] = arguments;
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
    let old = UserAtomic::new(cx.space(), other)?.update(|old| match operation {
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
    let woken = futex::wake(cx.space(), addr, most, u32::MAX);
    Ok(woken + if holds { futex::wake(cx.space(), other, most_other, u32::MAX) } else { 0 })
}

/// set_robust_list(2): noted; a list is walked by the C library itself as long as no thread is killed.
pub(crate) fn set_robust_list(cx: &mut Context<'_>, head: usize, len: usize) -> SysResult {
    if len != 24 {
        return Err(Errno::EINVAL);
    }
    cx.thread().robust_list.store(head, Ordering::Relaxed);
    Ok(0)
}
