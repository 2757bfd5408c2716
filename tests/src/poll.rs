//! `poll` and `ppoll`, raw.

use std::time::Duration;

use crate::Fd;
use crate::sys::{self, Result};
use crate::time;

/// An entry that asks for `events` of `fd`, with `revents` full of garbage.
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
/// If the array is mapped, it must be the caller's.
pub unsafe fn poll_at(address: usize, count: usize, timeout: i32) -> Result<usize> {
    // SAFETY: handed on to the caller.
    unsafe { sys::call(libc::SYS_poll, [address, count, timeout as usize]) }
}

/// What is ready now of `events` and of what is always reported.
pub fn ready(fd: &Fd, events: i16) -> i16 {
    ready_number(fd.number(), events)
}

/// As [`ready`], of a bare number.
pub fn ready_number(fd: i32, events: i16) -> i16 {
    let mut entries = [entry(fd, events)];
    let count = poll(&mut entries, 0).expect("poll with a valid array");
    assert_eq!(count, usize::from(entries[0].revents != 0), "poll returned {count}");
    entries[0].revents
}

/// `ppoll`, with the signal mask `mask` if there is one; returns what it returned and the
/// remaining time that it wrote back.
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
    // SAFETY: all that the kernel writes is ours.
    let result = unsafe { sys::call(libc::SYS_ppoll, arguments) };
    (result, timespec.map(time::duration))
}
