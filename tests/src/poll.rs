//! Wraps poll(2) and ppoll(2) with raw system calls.

use std::time::Duration;

use crate::Fd;
use crate::sys::{self, Result};
use crate::time;

/// Makes an entry that asks for `events` of `fd`, with garbage in `revents`.
pub fn entry(fd: i32, events: i16) -> libc::pollfd {
    libc::pollfd { fd, events, revents: 0x5555 }
}

/// Polls `entries` for at most `timeout` milliseconds.
pub fn poll(entries: &mut [libc::pollfd], timeout: i32) -> Result<usize> {
    // SAFETY: the array is the caller's.
    unsafe { poll_at(entries.as_mut_ptr() as usize, entries.len(), timeout) }
}

/// Polls the `count` entries at `address`.
///
/// # Safety
/// If the array is mapped, it must belong to the caller.
pub unsafe fn poll_at(address: usize, count: usize, timeout: i32) -> Result<usize> {
    // SAFETY: handed on to the caller.
    unsafe { sys::call(libc::SYS_poll, [address, count, timeout as usize]) }
}

/// Returns which of `events`, and of the events that are always reported, are ready now.
pub fn ready(fd: &Fd, events: i16) -> i16 {
    ready_number(fd.number(), events)
}

/// Does the same as [`ready`], for a bare number.
pub fn ready_number(fd: i32, events: i16) -> i16 {
    let mut entries = [entry(fd, events)];
    let count = poll(&mut entries, 0).expect("poll with a valid array");
    assert_eq!(count, usize::from(entries[0].revents != 0), "poll returned {count}");
    entries[0].revents
}

/// Calls ppoll(2), with the signal mask `mask` if there is one. Returns its result and the remaining
/// time that it wrote back.
pub fn ppoll(
    entries: &mut [libc::pollfd],
    timeout: Option<Duration>,
    mask: Option<u64>,
) -> (Result<usize>, Option<Duration>) {
    let mut timespec = timeout.map(time::timespec);
    let arguments = [
        entries.as_mut_ptr() as usize,
        entries.len(),
        timespec.as_mut().map_or(0, |timespec| &raw mut *timespec as usize),
        mask.as_ref().map_or(0, |mask| &raw const *mask as usize),
        8,
    ];
    // SAFETY: all memory that the kernel writes is ours.
    let result = unsafe { sys::call(libc::SYS_ppoll, arguments) };
    (result, timespec.map(time::duration))
}
