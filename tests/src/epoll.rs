//! An epoll instance, raw.

use std::time::Duration;

use crate::Fd;
use crate::sys::{self, Result};
use crate::time;

/// The events of epoll, as the unsigned word they are.
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
    /// What is ready.
    pub events: u32,
    /// What the caller registered with it.
    pub data: u64,
}

/// An event in short.
pub fn event(events: u32, data: u64) -> Event {
    Event { events, data }
}

/// The size of the kernel's packed `struct epoll_event`.
pub const EVENT_SIZE: usize = 12;

/// An epoll instance.
#[derive(Debug)]
pub struct Epoll(pub Fd);

impl Epoll {
    /// A new instance.
    pub fn new() -> Self {
        Self(create1(0).expect("an epoll instance"))
    }

    /// The instance's descriptor.
    pub fn number(&self) -> i32 {
        self.0.number()
    }

    /// Adds `fd`.
    pub fn add(&self, fd: &Fd, events: u32, data: u64) -> Result<()> {
        ctl(self.number(), libc::EPOLL_CTL_ADD, fd.number(), events, data)
    }

    /// Changes what is wanted of `fd`.
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

    /// What is ready now, at most 64 of it.
    #[track_caller]
    pub fn now(&self) -> Vec<Event> {
        self.wait(64, 0).expect("epoll_wait without waiting")
    }

    /// As [`now`](Self::now), only the data.
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

/// `epoll_create1`.
pub fn create1(flags: i32) -> Result<Fd> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_epoll_create1, [flags as usize]) }
        .map(|fd| Fd::from_number(fd as i32))
}

/// `epoll_ctl` of bare numbers.
pub fn ctl(epoll: i32, operation: i32, fd: i32, events: u32, data: u64) -> Result<()> {
    let mut event = libc::epoll_event { events, u64: data };
    // SAFETY: the event is ours.
    unsafe { ctl_at(epoll, operation, fd, &raw mut event as usize) }
}

/// `epoll_ctl` with the event at `address`.
///
/// # Safety
/// None is broken by the kernel: it only reads the event.
pub unsafe fn ctl_at(epoll: i32, operation: i32, fd: i32, address: usize) -> Result<()> {
    let arguments = [epoll as usize, operation as usize, fd as usize, address];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_epoll_ctl, arguments) }.map(drop)
}

/// `epoll_wait` of a bare number.
pub fn wait(epoll: i32, max: usize, timeout: i32) -> Result<Vec<Event>> {
    collect(max, |address| {
        // SAFETY: the array is ours.
        unsafe { wait_at(epoll, address, max as i32, timeout) }
    })
}

/// `epoll_wait` into the array at `address`.
///
/// # Safety
/// What is mapped of the array must be the caller's.
pub unsafe fn wait_at(epoll: i32, address: usize, max: i32, timeout: i32) -> Result<usize> {
    let arguments = [epoll as usize, address, max as usize, timeout as usize];
    // SAFETY: handed on to the caller.
    unsafe { sys::call(libc::SYS_epoll_wait, arguments) }
}

/// `epoll_pwait`, with the signal mask `mask` if there is one.
pub fn pwait(epoll: i32, max: usize, timeout: i32, mask: Option<u64>) -> Result<Vec<Event>> {
    let mask = mask.as_ref().map_or(0, |mask| &raw const *mask as usize);
    collect(max, |address| {
        let arguments = [epoll as usize, address, max, timeout as usize, mask, 8];
        // SAFETY: the array is ours.
        unsafe { sys::call(libc::SYS_epoll_pwait, arguments) }
    })
}

/// `epoll_pwait2`, without a time limit if `timeout` is `None`.
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
