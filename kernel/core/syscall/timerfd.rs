//! timerfd_create(2), timerfd_settime(2), timerfd_gettime(2).
//!
//! Not here: the timer (`core/object/timerfd`). The wall clock is never set here, so `TFD_TIMER_CANCEL_ON_SET` has
//! nothing to cancel.
//! Source: Linux 6.1 fs/timerfd.c.

use core::sync::atomic::Ordering;

use bitflags::bitflags;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::abi::time::Timespec;
use rules::core::fd::{Fd, OnExec};
use rules::core::timerfd::Setting;

use super::caller::{Caller, Right, SysResult};
use crate::core::object::timerfd::{self, TimerFd};
use crate::machine::clock;
use crate::machine::memory::user::UserPtr;

bitflags! {
    /// The flags of timerfd_settime(2).
    struct SetFlags: u32 {
        /// `TFD_TIMER_ABSTIME`.
        const ABSOLUTE = 1;
        /// `TFD_TIMER_CANCEL_ON_SET`.
        const CANCEL_ON_SET = 2;
    }
}

/// The clocks whose absolute times are those of the wall clock.
const REALTIME: u32 = 0;
const REALTIME_ALARM: u32 = 8;

/// `struct itimerspec`: the interval and the value.
type Itimerspec = [Timespec; 2];

/// Makes a timer of a clock and returns its descriptor.
///
/// # Errors
/// `EINVAL`: an unknown clock or flag. `EPERM`: a clock that wakes the machine, without `CAP_WAKE_ALARM`. `EMFILE`:
/// no number is free. `ENOMEM`.
pub(crate) fn timerfd_create(cx: &mut impl Caller, clock: u32, flags: u32) -> SysResult {
    const MONOTONIC: u32 = 1;
    const BOOTTIME: u32 = 7;
    const BOOTTIME_ALARM: u32 = 9;
    let known = OpenFlags::NONBLOCK | OpenFlags::CLOSE_ON_EXEC;
    let flags = OpenFlags::from_bits(flags).filter(|flags| known.contains(*flags)).ok_or(Errno::EINVAL)?;
    if !matches!(clock, REALTIME | MONOTONIC | BOOTTIME | REALTIME_ALARM | BOOTTIME_ALARM) {
        return Err(Errno::EINVAL);
    }
    if clock >= REALTIME_ALARM && !cx.may(Right::WakeMachine) {
        return Err(Errno::EPERM);
    }
    let file = timerfd::create(clock, flags)?;
    cx.files().open(file, OnExec::from_flags(flags), cx.file_limit()).map(Fd::index)
}

/// Sets the timer to the `struct itimerspec` at `new`, and writes the previous setting to `old` (null: does not).
///
/// # Errors
/// `EFAULT`: `new` is not readable, and the timer was not set; or `old` is not writable, and it was. `EINVAL`: an
/// unknown flag, no valid time, or `fd` is no timer. `EBADF`: `fd` is not open.
pub(crate) fn timerfd_settime(cx: &impl Caller, fd: usize, flags: u32, new: usize, old: usize) -> SysResult {
    let [interval, value] = UserPtr::<Itimerspec>::new(cx.space(), new).read()?;
    let flags = SetFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let (interval, value) = (interval.to_duration()?, value.to_duration()?);
    let file = cx.file(fd)?;
    let timer = file.downcast::<TimerFd>().ok_or(Errno::EINVAL)?;
    let first = if value.is_zero() {
        None
    } else if !flags.contains(SetFlags::ABSOLUTE) {
        Some(clock::now().saturating_add(value))
    } else if matches!(timer.clock, REALTIME | REALTIME_ALARM) {
        // A time before boot has expired, too.
        let ago = clock::realtime().saturating_sub(value);
        Some(clock::now().saturating_sub(ago).saturating_add(value.saturating_sub(clock::realtime())))
    } else {
        Some(value)
    };
    timer.flags.store(flags.bits(), Ordering::Relaxed);
    let before = timer.set(first, interval);
    if old != 0 {
        write(cx, old, before)?;
    }
    Ok(0)
}

/// Writes the timer's setting to `to`.
///
/// # Errors
/// `EBADF`: `fd` is not open. `EINVAL`: it is no timer. `EFAULT`: `to` is not writable.
pub(crate) fn timerfd_gettime(cx: &mut impl Caller, fd: usize, to: usize) -> SysResult {
    let file = cx.file(fd)?;
    let timer = file.downcast::<TimerFd>().ok_or(Errno::EINVAL)?;
    write(cx, to, timer.get().0)?;
    Ok(0)
}

fn write(cx: &impl Caller, to: usize, setting: Setting) -> Result<(), Errno> {
    UserPtr::<Itimerspec>::new(cx.space(), to).write(&[setting.interval.into(), setting.left.into()])
}
