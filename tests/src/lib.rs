//! The library of the guest programs: wrappers that return what a system call returns, and helpers for
//! tests of system calls.
//!
//! The programs in `tests/` are ordinary Linux programs, one per man page; each case is a sentence
//! about behaviour that holds on Linux 6.1. They run as root with one test at a time, and need
//! `/tmp` and `/dev` but no `/proc`. A case that changes state of the whole process (a signal
//! action, a limit) does so in a [`child`].

pub mod capability;
pub mod child;
pub mod epoll;
pub mod errno;
pub mod fd;
pub mod inotify;
pub mod limit;
pub mod memory;
pub mod poll;
pub mod pollee;
pub mod random;
pub mod select;
pub mod signal;
pub mod socket;
pub mod sys;
pub mod time;
pub mod unix;
pub mod witness;

pub use errno::Errno;
pub use fd::Fd;
