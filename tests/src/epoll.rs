//! Wraps an epoll instance with raw system calls.

use std::time::Duration;

use crate::Fd;
use crate::sys::{self, Result};
use crate::time;

/// The events of epoll, as an unsigned word.
#[expect(missing_docs, reason = "the names of epoll_ctl(2)")]
pub mod events {
    pub const IN: u32 = libc::EPOLLIN as u32;
    pub const OUT: u32 = libc::EPOLLOUT as u32;
    pub const PRI: u32 = libc::EPOLLPRI as u32;
    pub const ERR: u32 = libc::EPOLLERR as u32;
    pub const HUP: u32 = libc::EPOLLHUP as u32;
    pub const RDHUP: u32 = libc::EPOLLRDHUP as u32;
    pub const ET: u32 = libc::EPOLLET as u32;
    pub const ONESHOT: u32 = libc::EPOLLONESHOT as u32;
    pub const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;
    pub const WAKEUP: u32 = libc::EPOLLWAKEUP as u32;
}

/// One reported event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The ready events.
    pub events: u32,
    /// The data that the caller registered.
    pub data: u64,
}

/// Makes an event.
pub fn event(events: u32, data: u64) -> Event {
    Event { events, data }
}

/// The size of the kernel's packed `struct epoll_event`.
pub const EVENT_SIZE: usize = 12;

/// An epoll instance.
#[derive(Debug)]
pub struct Epoll(pub Fd);

impl Epoll {
    /// Makes a new instance.
    pub fn new() -> Self {
        Self(create1(0).expect("an epoll instance"))
    }

    /// Returns the instance's descriptor.
    pub fn number(&self) -> i32 {
        self.0.number()
    }

    /// Adds `fd`.
    pub fn add(&self, fd: &Fd, events: u32, data: u64) -> Result<()> {
        ctl(self.number(), libc::EPOLL_CTL_ADD, fd.number(), events, data)
    }

    /// Changes the events of interest of `fd`.
    pub fn modify(&self, fd: &Fd, events: u32, data: u64) -> Result<()> {
        ctl(self.number(), libc::EPOLL_CTL_MOD, fd.number(), events, data)
    }

    /// Removes `fd`.
    pub fn delete(&self, fd: &Fd) -> Result<()> {
        ctl(self.number(), libc::EPOLL_CTL_DEL, fd.number(), 0, 0)
    }

    /// Waits for at most `max` events and `timeout` milliseconds.
    pub fn wait(&self, max: usize, timeout: i32) -> Result<Vec<Event>> {
        wait(self.number(), max, timeout)
    }

    /// Returns what is ready now, at most 64 events.
    #[track_caller]
    pub fn now(&self) -> Vec<Event> {
        self.wait(64, 0).expect("epoll_wait without waiting")
    }

    /// Returns the data of [`now`](Self::now).
    #[track_caller]
    pub fn now_data(&self) -> Vec<u64> {
        self.now().into_iter().map(|event| event.data).collect()
    }
}

impl Default for Epoll {
    fn default() -> Self {
        Self::new()
    }
}

/// Calls epoll_create1(2).
pub fn create1(flags: i32) -> Result<Fd> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_epoll_create1, [flags as usize]) }
        .map(|fd| Fd::from_number(fd as i32))
}

/// Calls epoll_ctl(2) with bare numbers.
pub fn ctl(epoll: i32, operation: i32, fd: i32, events: u32, data: u64) -> Result<()> {
    let mut event = libc::epoll_event { events, u64: data };
    // SAFETY: the event is ours.
    unsafe { ctl_at(epoll, operation, fd, &raw mut event as usize) }
}

/// Calls epoll_ctl(2) with the event at `address`.
///
/// # Safety
/// There is no requirement: the kernel only reads the event.
pub unsafe fn ctl_at(epoll: i32, operation: i32, fd: i32, address: usize) -> Result<()> {
    let arguments = [epoll as usize, operation as usize, fd as usize, address];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_epoll_ctl, arguments) }.map(drop)
}

/// Calls epoll_wait(2) with a bare number.
pub fn wait(epoll: i32, max: usize, timeout: i32) -> Result<Vec<Event>> {
    collect(max, |address| {
        // SAFETY: the array is ours.
        unsafe { wait_at(epoll, address, max as i32, timeout) }
    })
}

/// Calls epoll_wait(2) with the array at `address`.
///
/// # Safety
/// The mapped part of the array must belong to the caller.
pub unsafe fn wait_at(epoll: i32, address: usize, max: i32, timeout: i32) -> Result<usize> {
    let arguments = [epoll as usize, address, max as usize, timeout as usize];
    // SAFETY: handed on to the caller.
    unsafe { sys::call(libc::SYS_epoll_wait, arguments) }
}

/// Calls epoll_pwait(2), with the signal mask `mask` if there is one.
pub fn pwait(epoll: i32, max: usize, timeout: i32, mask: Option<u64>) -> Result<Vec<Event>> {
    let mask = mask.as_ref().map_or(0, |mask| &raw const *mask as usize);
    collect(max, |address| {
        let arguments = [epoll as usize, address, max, timeout as usize, mask, 8];
        // SAFETY: the array is ours.
        unsafe { sys::call(libc::SYS_epoll_pwait, arguments) }
    })
}

/// Calls epoll_pwait2(2), without a time limit if `timeout` is `None`.
pub fn pwait2(
    epoll: i32,
    max: usize,
    timeout: Option<Duration>,
    mask: Option<u64>,
) -> Result<Vec<Event>> {
    let timespec = timeout.map(time::timespec);
    let timeout = timespec.as_ref().map_or(0, |timespec| &raw const *timespec as usize);
    let mask = mask.as_ref().map_or(0, |mask| &raw const *mask as usize);
    collect(max, |address| {
        let arguments = [epoll as usize, address, max, timeout, mask, 8];
        // SAFETY: the array is ours.
        unsafe { sys::call(libc::SYS_epoll_pwait2, arguments) }
    })
}

fn collect(max: usize, call: impl FnOnce(usize) -> Result<usize>) -> Result<Vec<Event>> {
    let mut array = vec![libc::epoll_event { events: 0, u64: 0 }; max];
    let count = call(array.as_mut_ptr() as usize)?;
    Ok(array[..count].iter().map(|event| Event { events: event.events, data: event.u64 }).collect())
}
