//! The numbers and layouts of Linux's x86_64 ABI.

pub mod at;
pub mod device;
pub mod epoll;
pub mod errno;
pub mod fcntl;
pub mod ioctl;
pub mod mman;
pub mod mode;
pub mod netdevice;
pub mod open;
pub mod poll;
pub mod rw;
pub mod siginfo;
pub mod socket;
pub mod stat;
pub mod termios;
pub mod time;
pub mod utsname;
