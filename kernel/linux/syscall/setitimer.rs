//! getitimer(2), setitimer(2), alarm(2).

use core::time::Duration;

use rules::abi::errno::Errno;

use super::context::{Caller, Context, SysResult};
use crate::linux::task::timer::{Interval, Setting};
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::UserPtr;

fn parse(which: usize) -> Result<Interval, Errno> {
    match which as u32 {
        0 => Ok(Interval::Real),
        1 => Ok(Interval::User),
        2 => Ok(Interval::Process),
        _ => Err(Errno::EINVAL),
    }
}

/// Reads a `struct itimerval`.
fn read(space: &AddressSpace, at: usize) -> Result<Setting, Errno> {
    let [interval, interval_micros, left, left_micros] = UserPtr::<[i64; 4]>::new(space, at).read()?;
    let duration = |seconds: i64, micros: i64| {
        let seconds = u64::try_from(seconds).map_err(|_| Errno::EINVAL)?;
        let micros = u32::try_from(micros).ok().filter(|micros| *micros < 1_000_000).ok_or(Errno::EINVAL)?;
        Ok::<_, Errno>(Duration::new(seconds, micros * 1000))
    };
    Ok(Setting { left: duration(left, left_micros)?, interval: duration(interval, interval_micros)? })
}

/// Writes a `struct itimerval`.
fn write(space: &AddressSpace, at: usize, setting: Setting) -> Result<(), Errno> {
    // An armed timer must not read as disarmed.
    let left = if setting.left.is_zero() { setting.left } else { setting.left.max(Duration::from_micros(1)) };
    let parts = |time: Duration| [time.as_secs().cast_signed(), i64::from(time.subsec_micros())];
    let ([interval, interval_micros], [left, left_micros]) = (parts(setting.interval), parts(left));
    UserPtr::<[i64; 4]>::new(space, at).write(&[interval, interval_micros, left, left_micros])
}

/// getitimer(2).
///
/// # Errors
/// `EINVAL`: no such timer. `EFAULT`.
pub(crate) fn getitimer(cx: &mut Context<'_>, which: usize, at: usize) -> SysResult {
    let setting = cx.process().timers.interval(parse(which)?);
    write(cx.space(), at, setting)?;
    Ok(0)
}

/// setitimer(2); a null `new` disarms the timer.
///
/// # Errors
/// `EINVAL`: no such timer, or an invalid time. `EFAULT`: if only `old` is not writable, the timer was set
/// nevertheless.
pub(crate) fn setitimer(cx: &mut Context<'_>, which: usize, new: usize, old: usize) -> SysResult {
    let new = if new == 0 { Setting::default() } else { read(cx.space(), new)? };
    let before = cx.process().timers.set_interval(cx.process(), parse(which)?, new);
    if old != 0 {
        write(cx.space(), old, before)?;
    }
    Ok(0)
}

/// alarm(2): returns the seconds that were left, rounded, but at least one if the alarm was set.
pub(crate) fn alarm(cx: &mut Context<'_>, seconds: usize) -> SysResult {
    let left = Duration::from_secs((seconds as u32).into());
    let new = Setting { left, interval: Duration::ZERO };
    let before = cx.process().timers.set_interval(cx.process(), Interval::Real, new).left;
    let seconds = before.as_secs();
    let rounds_up = before.subsec_millis() >= 500 || (seconds == 0 && !before.is_zero());
    Ok(seconds as usize + usize::from(rounds_up))
}
