//! timer_create(2), timer_settime(2), timer_gettime(2), timer_getoverrun(2), timer_delete(2).
//!
//! Not here: the timers (task/timer).
//! Source: Linux 6.1 kernel/time/posix-timers.c.

use alloc::sync::Arc;
use core::time::Duration;

use rules::abi::errno::Errno;
use rules::abi::time::Timespec;

use super::context::{Caller, Context, SysResult};
use super::time::{Clock, Purpose, TIMER_ABSTIME};
use crate::linux::task::process_table;
use crate::linux::task::timer::{Measure, Notify, Setting};
use crate::machine::clock;
use crate::machine::memory::user::UserPtr;
use rules::abi::signal::Signal;

/// `struct itimerspec`: the interval and the value.
type Itimerspec = [Timespec; 2];

/// timer_create(2): creates a timer of `clock` that notifies as the `struct sigevent` at `event` says (null:
/// `SIGALRM`).
///
/// # Errors
/// No timer was created. `EINVAL`: no such clock, signal, thread or kind of notification. `EOPNOTSUPP`: a clock that is
/// only read. `EAGAIN`: too many timers. `EFAULT`.
pub(crate) fn timer_create(cx: &mut Context<'_>, clock: usize, event: usize, at: usize) -> SysResult {
    let process = cx.process();
    let (measure, is_wall) = match Clock::parse(cx, clock, Purpose::Wait)? {
        Clock::Wall => (Measure::Real, true),
        Clock::SinceStart => (Measure::Real, false),
        Clock::Processor(clock) => (Measure::Processor(clock), false),
    };
    let wanted = if event == 0 { None } else { Some(parse_event(cx, event)?) };
    let notify = |id: u32| wanted.unwrap_or(Notify::Process(Signal::ALRM, id.into()));
    let id = process.timers.create(measure, is_wall, notify)?;
    if let Err(errno) = UserPtr::<u32>::new(cx.space(), at).write(&id) {
        process.timers.delete(id)?;
        return Err(errno);
    }
    Ok(0)
}

/// Reads a `struct sigevent`.
fn parse_event(cx: &Context<'_>, at: usize) -> Result<Notify, Errno> {
    const SIGNAL: u32 = 0;
    const NONE: u32 = 1;
    const THREAD: u32 = 2;
    const THREAD_ID: u32 = 4;
    let [value, signal_and_way, tid] = UserPtr::<[u64; 3]>::new(cx.space(), at).read()?;
    let (number, way, tid) = (signal_and_way as u32, (signal_and_way >> 32) as u32, tid as u32);
    if way == NONE {
        return Ok(Notify::Nobody);
    }
    let signal = Signal::new(number as usize).ok_or(Errno::EINVAL)?;
    match way {
        // For SIGEV_THREAD, the C library starts the thread.
        SIGNAL | THREAD => Ok(Notify::Process(signal, value)),
        THREAD_ID => {
            let thread = process_table::find_thread(tid).ok_or(Errno::EINVAL)?;
            if !Arc::ptr_eq(thread.process(), cx.process()) {
                return Err(Errno::EINVAL);
            }
            Ok(Notify::Thread(Arc::downgrade(&thread), signal, value))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// timer_settime(2).
///
/// # Errors
/// `EINVAL`: no such timer, or an invalid time. `EFAULT`: if only `old` is not writable, the timer was set
/// nevertheless.
pub(crate) fn timer_settime(
    cx: &mut Context<'_>,
    id: usize,
    flags: usize,
    new: usize,
    old: usize,
) -> SysResult {
    let id = id as u32;
    let [interval, value] = UserPtr::<Itimerspec>::new(cx.space(), new).read()?;
    let (interval, value) = (interval.to_duration()?, value.to_duration()?);
    let timers = &cx.process().timers;
    let left = if flags & TIMER_ABSTIME != 0 && !value.is_zero() {
        let now = match timers.is_wall(id).ok_or(Errno::EINVAL)? {
            true => clock::realtime(),
            false => timers.now(id).ok_or(Errno::EINVAL)?,
        };
        // A time in the past expires at once.
        value.saturating_sub(now).max(Duration::from_nanos(1))
    } else {
        value
    };
    let before = timers.set(cx.process(), id, Setting { left, interval }).ok_or(Errno::EINVAL)?;
    if old != 0 {
        write(cx, old, before)?;
    }
    Ok(0)
}

/// timer_gettime(2).
///
/// # Errors
/// `EINVAL`: no such timer. `EFAULT`.
pub(crate) fn timer_gettime(cx: &mut Context<'_>, id: usize, at: usize) -> SysResult {
    let setting = cx.process().timers.get(id as u32).ok_or(Errno::EINVAL)?;
    write(cx, at, setting)?;
    Ok(0)
}

fn write(cx: &Context<'_>, at: usize, setting: Setting) -> Result<(), Errno> {
    let words = [Timespec::from(setting.interval), Timespec::from(setting.left)];
    UserPtr::<Itimerspec>::new(cx.space(), at).write(&words)
}

/// timer_getoverrun(2).
///
/// # Errors
/// `EINVAL`: no such timer.
pub(crate) fn timer_getoverrun(cx: &mut Context<'_>, id: usize) -> SysResult {
    /// `DELAYTIMER_MAX`.
    const MOST: u32 = i32::MAX.unsigned_abs();
    let overrun = cx.process().timers.overrun(id as u32).ok_or(Errno::EINVAL)?;
    Ok(overrun.min(MOST) as usize)
}

/// timer_delete(2).
///
/// # Errors
/// `EINVAL`: no such timer.
pub(crate) fn timer_delete(cx: &mut Context<'_>, id: usize) -> SysResult {
    cx.process().timers.delete(id as u32).map(|()| 0)
}
