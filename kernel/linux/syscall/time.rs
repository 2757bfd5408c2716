//! clock_gettime(2), clock_getres(2), gettimeofday(2), time(2), nanosleep(2), clock_nanosleep(2).

use alloc::sync::Arc;
use core::time::Duration;

use pollee::{Sleep, WakeReason};
use rules::abi::errno::Errno;

use super::context::{Caller, Context, SysResult};
use crate::core::syscall::caller::Restart;
use crate::linux::task::process_table;
use crate::linux::task::processor_clock::{ProcessorClock, Share};
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
    /// Processor time of a process or a thread.
    Processor(ProcessorClock),
}

/// What a program wants of a clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// Its time.
    Read,
    /// To wait for a time.
    Wait,
}

/// The clocks of processor time that count by ticks: Linux's `CPUCLOCK_PROF` and `CPUCLOCK_VIRT`.
const PROF: i32 = 0;
const VIRT: i32 = 1;

impl Clock {
    /// Parses a clock ID. Negative ones stand for processes and threads: clock_getcpuclockid(3).
    ///
    /// # Errors
    /// `EINVAL`: no such clock; a thread of another process has none. `EOPNOTSUPP`: a clock that is only read.
    pub(super) fn parse(cx: &Context<'_>, id: usize, purpose: Purpose) -> Result<Self, Errno> {
        let of_process = |process, share| Ok(Self::Processor(ProcessorClock::of_process(process, share)));
        let of_thread = |thread, share| Ok(Self::Processor(ProcessorClock::of_thread(thread, share)));
        match id as u32 as i32 {
            // CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE.
            4..=6 if purpose == Purpose::Wait => Err(Errno::EOPNOTSUPP),
            // CLOCK_REALTIME, _COARSE, _ALARM, CLOCK_TAI.
            0 | 5 | 8 | 11 => Ok(Self::Wall),
            // CLOCK_MONOTONIC, _RAW, _COARSE, CLOCK_BOOTTIME, _ALARM.
            1 | 4 | 6 | 7 | 9 => Ok(Self::SinceStart),
            2 => of_process(cx.process(), Share::All),
            3 => of_thread(cx.thread(), Share::All),
            // The kinds are PROF, VIRT and SCHED; kind 3 is a device's.
            id if id < 0 && id & 3 != 3 => {
                const OF_THREAD: i32 = 4;
                let share = if id & 3 == VIRT { Share::User } else { Share::All };
                match (id & OF_THREAD != 0, !(id >> 3) as u32) {
                    (true, 0) => of_thread(cx.thread(), share),
                    (true, tid) => {
                        let thread = process_table::find_thread(tid).ok_or(Errno::EINVAL)?;
                        if !Arc::ptr_eq(thread.process(), cx.process()) {
                            return Err(Errno::EINVAL);
                        }
                        of_thread(&thread, share)
                    }
                    (false, pid) => {
                        // A thread may read its process's clock by its own ID.
                        let is_own = purpose == Purpose::Read && pid == cx.thread().tid();
                        if pid == 0 || is_own {
                            return of_process(cx.process(), share);
                        }
                        of_process(&process_table::find(pid).ok_or(Errno::EINVAL)?, share)
                    }
                }
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// Returns its current time.
    ///
    /// # Errors
    /// `EINVAL`: the process or thread is gone.
    pub(super) fn read(&self) -> Result<Duration, Errno> {
        match self {
            Self::Wall => Ok(clock::realtime()),
            Self::SinceStart => Ok(clock::now()),
            Self::Processor(clock) => clock.read().ok_or(Errno::EINVAL),
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
    write_timespec(cx.space(), at, Clock::parse(cx, id, Purpose::Read)?.read()?)?;
    Ok(0)
}

/// clock_getres(2).
///
/// # Errors
/// As [`clock_gettime`].
pub(crate) fn clock_getres(cx: &mut Context<'_>, id: usize, at: usize) -> SysResult {
    /// Linux's jiffy.
    const TICK: Duration = Duration::from_millis(4);
    Clock::parse(cx, id, Purpose::Read)?;
    let id = id as u32 as i32;
    let is_coarse = matches!(id, 5 | 6) || id < 0 && matches!(id & 3, PROF | VIRT);
    if at != 0 {
        write_timespec(cx.space(), at, if is_coarse { TICK } else { Duration::from_nanos(1) })?;
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
/// As [`nanosleep`]. `EINVAL`: no such clock, or the caller's own processor time. `EOPNOTSUPP`: a clock that is only
/// read, and `CLOCK_THREAD_CPUTIME_ID`.
pub(crate) fn clock_nanosleep(
    cx: &mut Context<'_>,
    id: usize,
    flags: usize,
    request: usize,
    remaining: usize,
) -> SysResult {
    const CLOCK_THREAD_CPUTIME_ID: u32 = 3;
    if id as u32 == CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EOPNOTSUPP);
    }
    let clock = Clock::parse(cx, id, Purpose::Wait)?;
    let time = read_timespec(cx.space(), request)?;
    let is_absolute = flags & TIMER_ABSTIME != 0;
    if let Clock::Processor(clock) = clock {
        if clock.is_of(cx.thread()) {
            return Err(Errno::EINVAL);
        }
        return sleep_until_worked(cx, &clock, time, is_absolute, remaining);
    }
    if !is_absolute {
        return sleep_for(cx, time, remaining);
    }
    cx.restart.set(Restart::WithoutHandler);
    let span = time.saturating_sub(clock.read()?);
    sleep_until(cx, clock::now().saturating_add(span))
}

/// Sleeps until `clock` has advanced to a time, or by a span. On a clock that stands still this takes for ever.
fn sleep_until_worked(
    cx: &mut Context<'_>,
    clock: &ProcessorClock,
    time: Duration,
    is_absolute: bool,
    remaining: usize,
) -> SysResult {
    let measured = clock.process().ok_or(Errno::EINVAL)?;
    let end = match cx.resume.take() {
        Some(end) => end,
        None if is_absolute => time,
        None => clock.read().ok_or(Errno::EINVAL)?.saturating_add(time),
    };
    cx.restart.set(if is_absolute { Restart::WithoutHandler } else { Restart::Until(end) });
    measured.time_watchers.add_sleeper(cx.thread())?;
    let is_over = || clock.read().is_some_and(|now| now >= end);
    let result = loop {
        if is_over() {
            break Ok(0);
        }
        if cx.sleeper().is_interrupted() {
            break Err(Errno::EINTR);
        }
        cx.sleeper().sleep(None);
    };
    measured.time_watchers.remove_sleeper(cx.thread());
    if result.is_err() && !is_absolute && remaining != 0 {
        let left = end.saturating_sub(clock.read().unwrap_or_default());
        write_timespec(cx.space(), remaining, left)?;
    }
    result
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
