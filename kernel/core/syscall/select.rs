//! select(2), pselect(2).
//!
//! Not here: the sets (`select/sets`), waiting (`file::poll_set`), times and masks (`timeout`, `mask`).
//! Source: Linux 6.1 fs/select.c (`core_sys_select`).

mod sets;

use core::time::Duration;

use rules::abi::errno::Errno;

use self::sets::Sets;
use super::caller::{Caller, Restart, SysResult};
use super::mask::MaskArgument;
use super::timeout::TimeLimit;
use crate::core::file::poll_set::{self, Timeout};
use crate::machine::memory::user::UserPtr;

/// Waits until one of the descriptors below `count` in the `sets` (for reading, writing, exceptions; null: none) is
/// ready, for at most the `struct timeval` at `time` (null: without limit). Leaves the ready ones in the sets, and
/// writes back what remains of the time.
///
/// # Errors
/// The sets are unchanged. `EINVAL`: `count` is negative, or no valid time. `EBADF`: a descriptor is not open.
/// `EFAULT`: a set or the time is not readable, or a set is not writable. `EINTR`: a signal came first. `ENOMEM`.
pub(crate) fn select(cx: &mut impl Caller, count: i32, sets: [usize; 3], time: usize) -> SysResult {
    let limit = TimeLimit::timeval(cx.space(), time)?;
    let result = select_until(cx, count, sets, limit.timeout());
    limit.write_back(cx.space());
    result
}

/// Performs [`select`] with a `struct timespec`, and with the signal mask whose address and size are the two words at
/// `mask` (null: leaves the mask as it is).
///
/// # Errors
/// As [`select`]. `EFAULT`: the words or the mask are not readable. `EINVAL`: its size is not 8.
pub(crate) fn pselect6(
    cx: &mut impl Caller,
    count: i32,
    sets: [usize; 3],
    time: usize,
    mask: usize,
) -> SysResult {
    let [addr, size] = if mask == 0 { [0; 2] } else { UserPtr::new(cx.space(), mask).read()? };
    let limit = TimeLimit::timespec(cx.space(), time)?;
    let mask = MaskArgument { addr, size }.read(cx.space())?;
    let result = cx.with_mask(mask, |cx| select_until(cx, count, sets, limit.timeout()));
    limit.write_back(cx.space());
    result
}

fn select_until(
    cx: &mut impl Caller,
    count: i32,
    addresses: [usize; 3],
    timeout: Timeout<Duration>,
) -> SysResult {
    cx.set_restart(Restart::WithoutHandler);
    let count = u32::try_from(count).map_err(|_| Errno::EINVAL)?;
    let files = cx.files();
    // As on Linux, descriptors beyond the table's capacity are ignored, even if they are not open.
    let count = count.min(files.read().capacity());
    let mut sets = Sets::read(cx.space(), addresses, count as usize)?;
    sets.require_open(&files.read())?;
    let ready = poll_set::wait(cx.sleeper(), files, timeout, &mut sets)?;
    sets.write_answers(cx.space(), addresses)?;
    Ok(ready)
}
