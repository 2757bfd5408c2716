//! clock_gettime(2), clock_getres(2), gettimeofday(2), time(2), nanosleep(2), clock_nanosleep(2).

use core::time::Duration;

use model::abi::errno::Errno;

use super::context::{Context, SysResult};
use crate::clock;
use crate::event::wait::{Sleep, Wake};
use crate::memory::space::AddressSpace;
use crate::memory::user::UserPtr;

const TIMER_ABSTIME: usize = 1;
const CLOCK_REALTIME: u32 = 0;
const CLOCK_MONOTONIC: u32 = 1;
/// Clocks that count from the start: monotonic, raw, coarse, since boot; and the CPU-time clocks, which count
/// the same here.
const SINCE_START: [u32; 6] = [CLOCK_MONOTONIC, 2, 3, 4, 6, 7];
const REALTIME_KINDS: [u32; 3] = [CLOCK_REALTIME, 5, 11];

/// Reads a `struct timespec` as a span of time.
///
/// # Errors
/// `EFAULT`. `EINVAL`: negative, or a billion nanoseconds or more.
pub(crate) fn read_timespec(space: &AddressSpace, at: usize) -> Result<Duration, Errno> {
    let words = UserPtr::<[i64; 2]>::new(space, at).read()?;
    let seconds = u64::try_from(words[0]).map_err(|_| Errno::EINVAL)?;
    let nanos = u32::try_from(words[1]).ok().filter(|nanos| *nanos < 1_000_000_000).ok_or(Errno::EINVAL)?;
    Ok(Duration::new(seconds, nanos))
}

/// Writes a span of time as a `struct timespec`.
///
/// # Errors
/// `EFAULT`.
pub(crate) fn write_timespec(space: &AddressSpace, at: usize, time: Duration) -> Result<(), Errno> {
    let words = [time.as_secs().cast_signed(), i64::from(time.subsec_nanos())];
    UserPtr::<[i64; 2]>::new(space, at).write(&words)
}

fn read_clock(id: u32) -> Result<Duration, Errno> {
    match id {
        id if SINCE_START.contains(&id) => Ok(clock::now()),
        id if REALTIME_KINDS.contains(&id) => Ok(clock::realtime()),
        _ => Err(Errno::EINVAL),
    }
}

/// clock_gettime(2).
pub(crate) fn clock_gettime(cx: &mut Context<'_>, id: usize, at: usize) -> SysResult {
    write_timespec(cx.space(), at, read_clock(id as u32)?)?;
    Ok(0)
}

/// clock_getres(2).
pub(crate) fn clock_getres(cx: &mut Context<'_>, id: usize, at: usize) -> SysResult {
    read_clock(id as u32)?;
    if at != 0 {
        write_timespec(cx.space(), at, Duration::from_nanos(1))?;
    }
    Ok(0)
}

/// gettimeofday(2).
pub(crate) fn gettimeofday(cx: &mut Context<'_>, at: usize, zone: usize) -> SysResult {
    let now = clock::realtime();
    if at != 0 {
        let words = [now.as_secs().cast_signed(), i64::from(now.subsec_micros())];
        UserPtr::<[i64; 2]>::new(cx.space(), at).write(&words)?;
    }
    if zone != 0 {
        UserPtr::<u64>::new(cx.space(), zone).write(&0)?;
    }
    Ok(0)
}

/// time(2).
pub(crate) fn time(cx: &mut Context<'_>, at: usize) -> SysResult {
    let seconds = clock::realtime().as_secs();
    if at != 0 {
        UserPtr::<u64>::new(cx.space(), at).write(&seconds)?;
    }
    Ok(seconds as usize)
}

/// nanosleep(2).
pub(crate) fn nanosleep(cx: &mut Context<'_>, request: usize, remaining: usize) -> SysResult {
    let span = read_timespec(cx.space(), request)?;
    sleep_until(cx, clock::now().saturating_add(span), remaining)
}

/// clock_nanosleep(2).
pub(crate) fn clock_nanosleep(
    cx: &mut Context<'_>,
    id: usize,
    flags: usize,
    request: usize,
    remaining: usize,
) -> SysResult {
    let now = read_clock(id as u32)?;
    if id as u32 > CLOCK_MONOTONIC && id as u32 != 7 && id as u32 != 11 {
        return Err(Errno::EOPNOTSUPP);
    }
    let time = read_timespec(cx.space(), request)?;
    if flags & TIMER_ABSTIME != 0 {
        cx.may_restart = true;
        let span = time.saturating_sub(now);
        return sleep_until(cx, clock::now().saturating_add(span), 0);
    }
    sleep_until(cx, clock::now().saturating_add(time), remaining)
}

fn sleep_until(cx: &mut Context<'_>, deadline: Duration, remaining: usize) -> SysResult {
    cx.may_restart = false;
    loop {
        if cx.thread().is_interrupted() {
            if remaining != 0 {
                write_timespec(cx.space(), remaining, deadline.saturating_sub(clock::now()))?;
            }
            return Err(Errno::EINTR);
        }
        if cx.thread().sleep(Some(deadline)) == Wake::TimedOut {
            return Ok(0);
        }
    }
}
