//! The constants and structures of Linux's x86_64 ABI that core and machine use.

pub mod epoll;
pub mod errno;
pub mod fcntl;
pub mod ioctl;
pub mod mode;
pub mod open;
pub mod poll;
pub mod rw;
pub mod siginfo;
pub mod signal;
pub mod stat;
pub mod time;
