//! poll(2), ppoll(2).
//!
//! Not here: the array (`poll/array`), waiting (`file::poll_set`), times and masks (`timeout`, `mask`).
//! Source: Linux 6.1 fs/select.c (`do_sys_poll`).

mod array;

use core::time::Duration;

use rules::abi::errno::Errno;

pub(crate) use self::array::Group;
use self::array::PollArray;
use super::caller::{Caller, Restart, SysResult};
use super::mask::MaskArgument;
use super::timeout::{self, TimeLimit};
use crate::core::file::poll_set::{self, Timeout};

/// Waits until one of the `count` descriptors at `array` is ready, for at most `milliseconds` (negative: without
/// limit).
///
/// # Errors
/// `EINVAL`: `count` is above `RLIMIT_NOFILE`. `EFAULT`: the array is not readable, or not writable. `EINTR`: a
/// signal came first; `revents` are written nevertheless. `ENOMEM`.
pub(crate) fn poll(cx: &mut impl Caller, array: usize, count: u32, milliseconds: i32) -> SysResult {
    let timeout =
        cx.take_resumed_deadline().map_or_else(|| timeout::from_milliseconds(milliseconds), Timeout::At);
    if let Timeout::At(end) = timeout {
        cx.set_restart(Restart::Until(end));
    }
    poll_until(cx, array, count, timeout)
}

/// Performs [`poll`] for at most the `struct timespec` at `time` (null: without limit), with the signal mask `mask`.
/// Writes back what remains of the time.
///
/// # Errors
/// As [`poll`]. `EINVAL`: no valid time. `EFAULT`: the time is not readable. Those of [`MaskArgument::read`].
pub(crate) fn ppoll(
    cx: &mut impl Caller,
    array: usize,
    count: u32,
    time: usize,
    mask: MaskArgument,
) -> SysResult {
    let limit = TimeLimit::timespec(cx.space(), time)?;
    let mask = mask.read(cx.space())?;
    let result = cx.with_mask(mask, |cx| poll_until(cx, array, count, limit.timeout()));
    limit.write_back(cx.space());
    result
}

fn poll_until(cx: &mut impl Caller, array: usize, count: u32, timeout: Timeout<Duration>) -> SysResult {
    if cx.restart() == Restart::AsHandlersSay {
        cx.set_restart(Restart::WithoutHandler);
    }
    if count > cx.file_limit() {
        return Err(Errno::EINVAL);
    }
    let mut entries = PollArray::new();
    entries.read(cx.space(), (array, count as usize), cx.poll_room())?;
    let result = poll_set::wait(cx.sleeper(), cx.files(), timeout, &mut entries);
    entries.write_answers(cx.space())?;
    if let Some(room) = entries.take_room() {
        cx.poll_room().set(room);
    }
    result
}
