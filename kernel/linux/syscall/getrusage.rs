//! getrusage(2), times(2).

use core::time::Duration;

use rules::abi::errno::Errno;

use super::context::{Caller, Context, SysResult};
use crate::linux::task::usage::Usage;
use crate::machine::clock;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::UserPtr;

/// 64-bit words of `struct rusage`.
const WORDS: usize = 18;
/// The indices of its fields.
const PEAK: usize = 4;
const FAULTS: usize = 8;
const VOLUNTARY_SWITCHES: usize = 16;

/// Writes a `struct rusage`.
///
/// # Errors
/// `EFAULT`.
pub(super) fn write(space: &AddressSpace, at: usize, usage: Usage) -> Result<(), Errno> {
    let mut words = [0u64; WORDS];
    for (at, time) in [(0, usage.user()), (2, usage.system())] {
        words[at] = time.as_secs();
        words[at + 1] = time.subsec_micros().into();
    }
    words[PEAK] = usage.peak as u64 >> 10;
    words[FAULTS] = usage.faults;
    words[VOLUNTARY_SWITCHES] = usage.voluntary_switches;
    UserPtr::<[u64; WORDS]>::new(space, at).write(&words)
}

/// getrusage(2).
///
/// # Errors
/// `EINVAL`: unknown `who`. `EFAULT`.
pub(crate) fn getrusage(cx: &mut Context<'_>, who: usize, at: usize) -> SysResult {
    const SELF: i32 = 0;
    const CHILDREN: i32 = -1;
    const THREAD: i32 = 1;
    let mut usage = match who as u32 as i32 {
        SELF => cx.process().usage(),
        CHILDREN => cx.process().used.lock().children,
        THREAD => cx.thread().usage(),
        _ => return Err(Errno::EINVAL),
    };
    if who as u32 as i32 != CHILDREN {
        // Memory belongs to the whole process, even for `RUSAGE_THREAD`.
        usage.peak = cx.process().peak();
    }
    write(cx.space(), at, usage)?;
    Ok(0)
}

/// times(2): returns times in ticks of 10 ms.
///
/// # Errors
/// `EFAULT`.
pub(crate) fn times(cx: &mut Context<'_>, at: usize) -> SysResult {
    let ticks = |time: Duration| (time.as_millis() / 10) as u64;
    if at != 0 {
        let (own, children) = (cx.process().usage(), cx.process().used.lock().children);
        let words = [own.user(), own.system(), children.user(), children.system()].map(ticks);
        UserPtr::<[u64; 4]>::new(cx.space(), at).write(&words)?;
    }
    Ok(ticks(clock::now()) as usize)
}
