//! clock_gettime(2), clock_getres(2), gettimeofday(2), time(2), nanosleep(2), clock_nanosleep(2).

use alloc::sync::Arc;
use core::time::Duration;

use pollee::{Sleep, WakeReason};
use rules::abi::errno::Errno;

use super::context::{Caller, Context, SysResult};
use crate::core::syscall::caller::Restart;
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::linux::task::thread::Thread;
use crate::machine::clock;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::UserPtr;

/// `TIMER_ABSTIME`.
pub(super) const TIMER_ABSTIME: usize = 1;

/// What a clock measures.
#[derive(Clone)]
pub(super) enum Clock {
    /// Time since 1970: `CLOCK_REALTIME` and its variants.
    Wall,
    /// Time since boot: `CLOCK_MONOTONIC` and its variants.
    SinceStart,
    /// Processor time of a process.
    Process(Arc<Process>),
    /// Processor time of a thread.
    Thread(Arc<Thread>),
}

impl Clock {
    /// Parses a clock ID. Negative ones stand for processes and threads: clock_getcpuclockid(3).
    ///
    /// # Errors
    /// `EINVAL`: no such clock.
    pub(super) fn parse(cx: &Context<'_>, id: usize) -> Result<Self, Errno> {
        const OF_THREAD: i32 = 4;
        match id as u32 as i32 {
            // CLOCK_REALTIME, _COARSE, _ALARM, CLOCK_TAI.
            0 | 5 | 8 | 11 => Ok(Self::Wall),
            // CLOCK_MONOTONIC, _RAW, _COARSE, CLOCK_BOOTTIME, _ALARM.
            1 | 4 | 6 | 7 | 9 => Ok(Self::SinceStart),
            2 => Ok(Self::Process(cx.process().clone())),
            3 => Ok(Self::Thread(cx.thread().clone())),
            // The types are PROF, VIRT and SCHED, which are the same here; type 3 is a device's.
            id if id < 0 && id & 3 != 3 => {
                let number = !(id >> 3) as u32;
                let found = match (id & OF_THREAD != 0, number) {
                    (true, 0) => Some(Self::Thread(cx.thread().clone())),
                    (true, tid) => process_table::find_thread(tid).map(Self::Thread),
                    (false, 0) => Some(Self::Process(cx.process().clone())),
                    (false, pid) => process_table::find(pid).map(Self::Process),
                };
                found.ok_or(Errno::EINVAL)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// Returns its current time.
    pub(super) fn read(&self) -> Duration {
        match self {
            Self::Wall => clock::realtime(),
            Self::SinceStart => clock::now(),
            Self::Process(process) => process.usage().time,
            Self::Thread(thread) => thread.meter.time(),
        }
    }
}

/// Reads a `struct timespec` as a duration.
///
/// # Errors
/// `EFAULT`. `EINVAL`: negative, or a billion nanoseconds or more.
pub(crate) fn read_timespec(space: &AddressSpace, at: usize) -> Result<Duration, Errno> {
    let words = UserPtr::<[i64; 2]>::new(space, at).read()?;
    let seconds = u64::try_from(words[0]).map_err(|_| Errno::EINVAL)?;
    let nanos = u32::try_from(words[1]).ok().filter(|nanos| *nanos < 1_000_000_000).ok_or(Errno::EINVAL)?;
    Ok(Duration::new(seconds, nanos))
}

/// Writes a duration as a `struct timespec`.
///
/// # Errors
/// `EFAULT`.
pub(crate) fn write_timespec(space: &AddressSpace, at: usize, time: Duration) -> Result<(), Errno> {
    let words = [time.as_secs().cast_signed(), i64::from(time.subsec_nanos())];
    UserPtr::<[i64; 2]>::new(space, at).write(&words)
}

/// clock_gettime(2).
///
/// # Errors
/// `EINVAL`: no such clock. `EFAULT`.
pub(crate) fn clock_gettime(cx: &mut Context<'_>, id: usize, at: usize) -> SysResult {
    write_timespec(cx.space(), at, Clock::parse(cx, id)?.read())?;
    Ok(0)
}

/// clock_getres(2).
///
/// # Errors
/// As [`clock_gettime`].
pub(crate) fn clock_getres(cx: &mut Context<'_>, id: usize, at: usize) -> SysResult {
    Clock::parse(cx, id)?;
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
///
/// # Errors
/// `EINVAL`: an invalid duration. `EFAULT`. `EINTR`: a handler ran; the remaining time was written.
pub(crate) fn nanosleep(cx: &mut Context<'_>, request: usize, remaining: usize) -> SysResult {
    let span = read_timespec(cx.space(), request)?;
    sleep_for(cx, span, remaining)
}

/// clock_nanosleep(2).
///
/// # Errors
/// As [`nanosleep`]. `EOPNOTSUPP`: a processor-time clock.
pub(crate) fn clock_nanosleep(
    cx: &mut Context<'_>,
    id: usize,
    flags: usize,
    request: usize,
    remaining: usize,
) -> SysResult {
    let clock = Clock::parse(cx, id)?;
    if matches!(clock, Clock::Process(_) | Clock::Thread(_)) {
        return Err(Errno::EOPNOTSUPP);
    }
    let time = read_timespec(cx.space(), request)?;
    if flags & TIMER_ABSTIME == 0 {
        return sleep_for(cx, time, remaining);
    }
    cx.restart.set(Restart::WithoutHandler);
    let span = time.saturating_sub(clock.read());
    sleep_until(cx, clock::now().saturating_add(span))
}

fn sleep_for(cx: &mut Context<'_>, span: Duration, remaining: usize) -> SysResult {
    let deadline = cx.resume.take().unwrap_or_else(|| clock::now().saturating_add(span));
    cx.restart.set(Restart::Until(deadline));
    let result = sleep_until(cx, deadline);
    if result == Err(Errno::EINTR) && remaining != 0 {
        write_timespec(cx.space(), remaining, deadline.saturating_sub(clock::now()))?;
    }
    result
}

fn sleep_until(cx: &Context<'_>, deadline: Duration) -> SysResult {
    loop {
        if cx.sleeper().is_interrupted() {
            return Err(Errno::EINTR);
        }
        if cx.sleeper().sleep(Some(deadline)) == WakeReason::TimedOut {
            return Ok(0);
        }
    }
}
