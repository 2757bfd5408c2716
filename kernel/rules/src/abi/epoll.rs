//! The constants and the structure of the epoll calls.
//!
//! Source: epoll_ctl(2); Linux 6.1 include/uapi/linux/eventpoll.h.

use bitflags::bitflags;

bitflags! {
    /// How an item is to be reported: the high bits of `epoll_event.events`. The low bits are poll(2)'s.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct EpollFlags: u32 {
        /// `EPOLLEXCLUSIVE`: of several instances that wait for one file, wake one.
        const EXCLUSIVE = 1 << 28;
        /// `EPOLLWAKEUP`: keep the system from suspending; this kernel never suspends.
        const WAKEUP = 1 << 29;
        /// `EPOLLONESHOT`: report once, then nothing until `EPOLL_CTL_MOD`.
        const ONESHOT = 1 << 30;
        /// `EPOLLET`: report each event once.
        const EDGE = 1 << 31;
    }
}

/// `EPOLL_CLOEXEC`, the one flag of epoll_create1(2).
pub const EPOLL_CLOEXEC: u32 = 0o2_000_000;

/// The operations of epoll_ctl(2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// `EPOLL_CTL_ADD`.
    Add,
    /// `EPOLL_CTL_DEL`.
    Delete,
    /// `EPOLL_CTL_MOD`.
    Modify,
}

impl Operation {
    /// Returns the operation with Linux's number `number`.
    #[must_use]
    pub const fn parse(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Add),
            2 => Some(Self::Delete),
            3 => Some(Self::Modify),
            _ => None,
        }
    }
}

/// `struct epoll_event`, which is packed on x86_64: no padding between the two.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EpollEvent {
    /// Events and flags.
    pub events: u32,
    /// What the program wants to be told with them.
    pub data: u64,
}

impl EpollEvent {
    /// The bytes it takes in a program's memory.
    pub const SIZE: usize = 12;

    /// From a program's memory.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let [e0, e1, e2, e3, d0, d1, d2, d3, d4, d5, d6, d7] = bytes;
        Self {
            events: u32::from_ne_bytes([e0, e1, e2, e3]),
            data: u64::from_ne_bytes([d0, d1, d2, d3, d4, d5, d6, d7]),
        }
    }

    /// For a program's memory.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&self.events.to_ne_bytes());
        bytes[4..].copy_from_slice(&self.data.to_ne_bytes());
        bytes
    }
}
